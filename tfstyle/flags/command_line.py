"""The command line: one flag per RunConfig field, read here only."""

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
"""Characters; a name of a file may have thousands."""


def define_flags(flag_values: flags.FlagValues = flags.FLAGS) -> None:
    """Defines a flag for each field of RunConfig, with its default."""
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
    """Turns a command line into a RunConfig, or ends the program.

    Args:
        argv: program name and arguments.
        flag_values: with `define_flags` done.

    Raises:
        SystemExit: 0 after `--help` or `--version`; 2 after one line on
            stderr if anything is wrong.
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
    """Writes to stdout, whose reader may have enough, such as `head`."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")  # as flagfiles are
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def read_arguments(
    arguments: list[str], flag_values: flags.FlagValues
) -> RunConfig:
    """Turns arguments into a RunConfig.

    Args:
        arguments: such as `--preset=photo`, `--seed=1`.
        flag_values: with `define_flags` done.

    Raises:
        ConfigError: if a value is wrong.
        ValueError: or absl's `flags.Error`, if a flag is.
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
    """Refuses to write over a flagfile that is read.

    Raises:
        ConfigError: if the run would.
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
    """Returns the options of a Config that arguments set, by field.

    Options of files and of a run's directory are left out.

    Args:
        arguments: such as `--preset=photo`, `--seed=1`.

    Raises:
        ConfigError: if one of them is wrong.
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
    """Returns the config of a command line that was not given to this process.

    Args:
        arguments: such as `--preset=photo`, `--seed=1`.
        flag_values: no flags yet; theirs are defined there.

    Raises:
        ConfigError: if one of them is wrong.
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
    """Reads the flags into a RunConfig.

    Raises:
        ConfigError: if a value is wrong.
    """
    values = {}
    for field in dataclasses.fields(RunConfig):
        value = flag_values[field.name].value
        if kind_of(field) is tuple:
            value = to_tuple(field, value or [])
        values[field.name] = value
    return RunConfig(**values)


def _explain(error: Exception) -> str:
    """Turns an error of absl's parser into one line in this program's words."""
    text = " ".join(str(error).split())
    is_value = str(error).startswith("flag --")
    if isinstance(error, flags.IllegalFlagValueError) and is_value:
        # absl joins the flag, what came and the parser's own error.
        given = str(error).removesuffix(f": {error.__context__}")
        name, _, value = given.removeprefix("flag --").partition("=")
        return (
            f"`{name}` must be {describe_kind(name)}."
            f" Received: {name}={value!r}."
        )
    if isinstance(error, RecursionError):  # absl seeks one that is alike
        return "A flag's name is too long. In a flagfile, each has its line."
    return text.removeprefix("ERROR:: ")
