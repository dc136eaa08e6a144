"""Command line parsing: one flag per RunConfig field."""

import dataclasses
import glob
import io
import itertools
import os
import sys
from typing import Any

from absl import flags

from tfstyle.config import lines
from tfstyle.config.config import Config
from tfstyle.config.config import options_of
from tfstyle.config.run_config import RunConfig
from tfstyle.errors import ConfigError
from tfstyle.errors import one_line
from tfstyle.flags import flagfile
from tfstyle.flags.help_text import make_help
from tfstyle.flags.parsers import make_flags
from tfstyle.flags.parsers import parse_arguments
from tfstyle.flags.sources import check_twice
from tfstyle.flags.values import FIELDS
from tfstyle.system.paths import is_same_file
from tfstyle.version import __version__

MAX_MESSAGE = 5000
"""Maximum length of an error message, characters; file names may be long."""


def parse(argv: list[str], values: flags.FlagValues) -> RunConfig:
    """Parses a command line to a RunConfig, or exits.

    Args:
        argv: program name and arguments.
        values: flags of `make_flags`; may have others as well.

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
        config = read_config(argv[1:], values)
        if not values["print_flags"].value:
            config = _find_files(config, values["flags_from"].value or [])
    except ConfigError as error:
        print(f"error: {one_line(str(error), MAX_MESSAGE)}", file=sys.stderr)
        raise SystemExit(2) from error
    if values["print_flags"].value:
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


def read_config(
    arguments: list[str], values: flags.FlagValues | None = None
) -> RunConfig:
    """Parses arguments to a RunConfig, without exiting on errors.

    Args:
        arguments: such as `--preset=photo`, `--seed=1`.
        values: flags of `make_flags`; None: new ones.

    Raises:
        ConfigError: if an argument is invalid.
    """
    values = make_flags() if values is None else values
    check_twice(arguments)
    parse_arguments(arguments, values)
    config = RunConfig(**{name: values[name].value for name in FIELDS})
    _check_flagfiles_stay(config, values["flagfile"].value or [])
    return config


def _find_files(config: RunConfig, pictures: list[str]) -> RunConfig:
    """Finds the input files, of which pictures store only the names.

    Args:
        config: options, some of which are from the pictures.
        pictures: values of `flags_from`.

    Returns:
        The options, with the paths of files that are not in the current folder
        but beside a picture.

    Raises:
        ConfigError: if a file is in neither.
    """
    folders = ["", *(os.path.dirname(path) for path in pictures)]

    def find(field: str, name: str) -> str:
        is_word = "." not in name  # such as --init=noise
        if is_word or os.path.dirname(name) or glob.has_magic(name):
            return name
        for folder in folders:
            path = os.path.join(folder, name)
            if os.path.lexists(path):
                return path
        raise ConfigError(
            f"`{field}` {name!r} is neither in the current folder nor beside"
            f" {pictures[-1]!r}, which stores names without folders. Copy it"
            f" there, or add --{field}=PATH."
        )

    found: dict[str, Any] = {}
    for field in dataclasses.fields(config) if pictures else ():
        value, name = getattr(config, field.name), field.name
        if not field.metadata["is_path"] or field.metadata["scope"] == "run":
            continue
        if isinstance(value, str):
            found[name] = find(name, value)
        elif value:
            found[name] = [find(name, item) for item in value]
    return dataclasses.replace(config, **found)


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
                " Copy it elsewhere, or choose another workdir or output."
            )


def _read_options(argument: str) -> Config:
    """Returns the options of a picture, without those for files and the run."""
    return Config(**options_of(read_config([argument])))


Config._read_options = staticmethod(_read_options)
