"""The flags for absl, and the parsers of their texts."""

import functools
from collections.abc import Callable
from collections.abc import Sequence
from typing import Any

from absl import flags

from tfstyle.config.fields import kind_of
from tfstyle.config.suggestions import suggest
from tfstyle.errors import ConfigError
from tfstyle.errors import one_line
from tfstyle.flags.flagfile import RETIRED
from tfstyle.flags.flagfile import check_retired
from tfstyle.flags.sources import SOURCES
from tfstyle.flags.values import FIELDS
from tfstyle.flags.values import parse_text
from tfstyle.system.paths import expand_path


class _FlagValues(flags.FlagValues):
    """Flags whose flagfiles are read by the parser of the flag `flagfile`."""

    def read_flags_from_files(
        self, argv: Sequence[str], force_gnu: bool = True
    ) -> list[str]:
        """Returns the arguments unchanged."""
        return list(argv)


class _Parser(flags.ArgumentParser):
    """Parser that calls a function with the text of a flag."""

    def __init__(self, *, function: Callable[[str], Any]):
        super().__init__()
        self._function = function

    def parse(self, argument: Any) -> Any:
        """Parses a text; a default that is no text is returned unchanged."""
        is_text = isinstance(argument, str)
        return self._function(argument) if is_text else argument


def make_flags() -> flags.FlagValues:
    """Returns a flag for each field of RunConfig, and flags that name sources.

    Flags that only the program has, or a tool, can be added.
    """
    values = _FlagValues()
    for name, field in FIELDS.items():
        flags.DEFINE(
            _Parser(function=functools.partial(parse_text, name)),
            name,
            field.default,
            field.metadata["help"],
            values,
            boolean=kind_of(field) is bool,
        )
    for name, read in SOURCES.items():
        parse = functools.partial(_parse_source, values, [], name, read)
        flags.DEFINE_multi(
            _Parser(function=parse),
            flags.ArgumentSerializer(),
            *(name, None, "", values),
        )
    for name in RETIRED:
        check = functools.partial(check_retired, name)
        flags.DEFINE(_Parser(function=check), name, None, "", values)
    flags.DEFINE_bool(
        "print_flags", False, "print the flags as a flagfile and exit", values
    )
    return values


def parse_arguments(arguments: list[str], values: flags.FlagValues) -> None:
    """Parses arguments, such as `--seed=1`, to flags.

    Raises:
        ConfigError: if a flag or its value is invalid.
    """
    try:
        leftover = values(["tfstyle", *arguments])[1:]
    except RecursionError as error:  # of absl's search for similar names
        raise ConfigError(
            "A flag's name is too long. Received:"
            f" {one_line(' '.join(arguments))!r}. Give each flag its own line."
        ) from error
    except flags.UnrecognizedFlagError as error:
        hint = suggest(error.flagname, values, "See tfstyle --help.")
        raise ConfigError(
            f"`{one_line(error.flagname, 80)}` is not a flag. {hint}"
        ) from error
    except (flags.Error, ValueError) as error:
        # absl adds the flag to the message of a parser's error.
        is_ours = isinstance(error.__context__, ConfigError)
        message = str(error.__context__ if is_ours else error)
        raise ConfigError(message) from error
    if leftover:
        raise ConfigError(
            f"Flags begin with --. Received: {one_line(' '.join(leftover))!r}."
            " Separate the items of a list by commas. Put a pattern in quotes,"
            " so that the shell does not expand it:"
            " --style_images='folder/*.jpg'."
        )


def _parse_source(
    values: flags.FlagValues,
    opened: list[str],
    name: str,
    read: Callable[[str], list[str]],
    text: str,
) -> str:
    """Parses all flags of a source in its place, so that later flags win.

    Args:
        values: the flags.
        opened: sources that enclose this one, outermost first.
        name: name of the flag, such as `flagfile`.
        read: returns the arguments of a source, by line.
        text: value of the flag, which names the source.

    Returns:
        The path of the source.

    Raises:
        ConfigError: if the source cannot be read, includes itself or has an
            invalid flag; names the line.
    """
    where = f"`{name}` {text!r}"
    if text in opened:
        raise ConfigError(f"{where} includes itself. Remove that line.")
    opened.append(text)
    for number, argument in enumerate(read(text), start=1):
        try:
            parse_arguments([argument] if argument else [], values)
        except ConfigError as error:
            raise ConfigError(f"{where}, line {number}: {error}") from error
    opened.pop()
    return expand_path(text)
