"""Command line parsing: one flag per RunConfig field."""

import dataclasses
import io
import itertools
import os
import sys
from typing import Any

from absl import flags

from tfstyle.config import lines
from tfstyle.config.config import Config
from tfstyle.config.fields import kind_of
from tfstyle.config.run_config import RunConfig
from tfstyle.errors import ConfigError
from tfstyle.errors import one_line
from tfstyle.flags import flagfile
from tfstyle.flags.arguments import expand
from tfstyle.flags.arguments import explain_leftover
from tfstyle.flags.help_text import make_help
from tfstyle.flags.values import FIELDS
from tfstyle.flags.values import describe_kind
from tfstyle.flags.values import to_tuple
from tfstyle.system.paths import is_same_file
from tfstyle.version import __version__

MAX_MESSAGE = 5000
"""Maximum length of an error message, characters; file names may be long."""


def define_flags(flag_values: flags.FlagValues = flags.FLAGS) -> None:
    """Defines a flag for each field of RunConfig, with the field's default."""
    for field in dataclasses.fields(RunConfig):
        kind = kind_of(field)
        default: Any = field.default
        if kind is tuple:
            define, default = flags.DEFINE_list, list(default)
        else:
            define = {
                bool: flags.DEFINE_bool,
                float: flags.DEFINE_float,
                int: flags.DEFINE_integer,
                str: flags.DEFINE_string,
            }[kind]
        define(
            field.name, default, field.metadata["help"], flag_values=flag_values
        )
    flags.DEFINE_string(
        "preset",
        None,
        "a named set of flags, shipped with tfstyle",
        flag_values=flag_values,
    )
    flags.DEFINE_string(
        "flags_from",
        None,
        "a picture whose flags are taken",
        flag_values=flag_values,
    )
    flags.DEFINE_bool(
        "print_flags",
        False,
        "print the flags as a flagfile and end",
        flag_values=flag_values,
    )


def parse(
    argv: list[str], flag_values: flags.FlagValues = flags.FLAGS
) -> RunConfig:
    """Parses a command line to a RunConfig, or exits.

    Args:
        argv: program name and arguments.
        flag_values: flags defined by `define_flags`.

    Raises:
        SystemExit: 0 after `--help`, `--version` or `--print_flags`; 2 after
            one line on stderr if a flag is invalid.
    """
    if {"-h", "-help", "--help", "-?", "--helpshort"} & set(argv[1:]):
        _print(make_help())
        raise SystemExit(0)
    if {"-version", "--version"} & set(argv[1:]):
        _print(f"tfstyle {__version__}\n")
        raise SystemExit(0)
    try:
        config = read_arguments(argv[1:], flag_values)
    except (flags.Error, RecursionError, ValueError) as error:
        print(
            f"error: {one_line(_explain(error), MAX_MESSAGE)}", file=sys.stderr
        )
        raise SystemExit(2) from error
    if flag_values["print_flags"].value:
        for flag in config.to_flags(only_pixels=True):
            _print(lines.write_line(flag, FIELDS) + "\n")
        raise SystemExit(0)
    return config


def _print(text: str) -> None:
    """Writes to stdout; a closed pipe, as with `head`, is no error."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")  # the encoding of flagfiles
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def read_arguments(
    arguments: list[str], flag_values: flags.FlagValues
) -> RunConfig:
    """Parses arguments to a RunConfig.

    Args:
        arguments: such as `--preset=photo`, `--seed=1`.
        flag_values: flags defined by `define_flags`.

    Raises:
        ConfigError: if a value is invalid.
        ValueError: or absl's `flags.Error`, if a flag is invalid.
    """
    flagfiles: list[str] = []
    expanded = expand(arguments, flagfiles)
    leftover = flag_values(["tfstyle", *expanded])[1:]
    if leftover:
        raise ConfigError(explain_leftover(leftover, expanded))
    config = to_config(flag_values)
    _check_flagfiles_stay(config, flagfiles)
    return config


def _check_flagfiles_stay(config: RunConfig, flagfiles: list[str]) -> None:
    """Checks that the run does not overwrite a flagfile it was given.

    Raises:
        ConfigError: if it would.
    """
    if not flagfiles:
        return

    from tfstyle.image_files import sidecar

    targets = [path for path in (config.output_image, config.film) if path]
    if config.workdir is not None and config.resume != "restart":
        names = (flagfile.NAME, flagfile.OUTPUT + sidecar.ENDING)
        targets += [os.path.join(config.workdir, name) for name in names]
    if config.output_image:
        targets.append(config.output_image + sidecar.ENDING)
    for target, path in itertools.product(targets, flagfiles):
        if is_same_file(target, path):
            raise ConfigError(
                f"`flagfile` {path!r} is a file that the run writes itself."
                " Copy it elsewhere, or name another workdir or output."
            )


def read_options(arguments: list[str]) -> dict[str, Any]:
    """Returns the fields of Config set by arguments, by name.

    Options for files and the directory of a run are ignored.

    Args:
        arguments: such as `--preset=photo`, `--seed=1`.

    Raises:
        ConfigError: if an argument is invalid.
    """
    flag_values = flags.FlagValues()
    config = read_config(arguments, flag_values)
    names = [field.name for field in dataclasses.fields(Config)]
    return {
        name: getattr(config, name)
        for name in names
        if flag_values[name].present
    }


Config._read_options = staticmethod(read_options)


def read_config(
    arguments: list[str], flag_values: flags.FlagValues | None = None
) -> RunConfig:
    """Parses arguments to a RunConfig, without exiting on errors.

    Args:
        arguments: such as `--preset=photo`, `--seed=1`.
        flag_values: empty; the flags are defined in it. None: a new one.

    Raises:
        ConfigError: if an argument is invalid.
    """
    flag_values = flags.FlagValues() if flag_values is None else flag_values
    define_flags(flag_values)
    try:
        return read_arguments(arguments, flag_values)
    except ConfigError:
        raise
    except (flags.Error, RecursionError, ValueError) as error:
        raise ConfigError(_explain(error)) from error


def to_config(flag_values: flags.FlagValues) -> RunConfig:
    """Converts parsed flags to a RunConfig.

    Raises:
        ConfigError: if a value is invalid.
    """
    values = {}
    for field in dataclasses.fields(RunConfig):
        value = flag_values[field.name].value
        if kind_of(field) is tuple:
            value = to_tuple(field, value or [])
        values[field.name] = value
    return RunConfig(**values)


def _explain(error: Exception) -> str:
    """Converts an error of absl's parser to a message of this program."""
    text = " ".join(str(error).split())
    is_value = str(error).startswith("flag --")
    if isinstance(error, flags.IllegalFlagValueError) and is_value:
        # absl joins the flag, the value and the parser's own error.
        given = str(error).removesuffix(f": {error.__context__}")
        name, _, value = given.removeprefix("flag --").partition("=")
        return (
            f"`{name}` must be {describe_kind(name)}."
            f" Received: {name}={value!r}."
        )
    if isinstance(error, RecursionError):  # absl's search for similar names
        return "A flag's name is too long. In a flagfile, each has its line."
    return text.removeprefix("ERROR:: ")
