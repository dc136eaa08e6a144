"""The flags for absl, and the parsers of their texts."""

import functools
import os
from collections.abc import Callable
from collections.abc import Sequence
from typing import Any

from absl import flags

from tfstyle.config.fields import kind_of
from tfstyle.errors import ConfigError
from tfstyle.errors import one_line
from tfstyle.flags.flagfile import RETIRED
from tfstyle.flags.flagfile import check_retired
from tfstyle.flags.sources import SOURCES
from tfstyle.flags.values import FIELDS
from tfstyle.flags.values import parse_text
from tfstyle.system.paths import expand_path

_DASHES = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212"
_QUOTES = "\u201c\u201d\u201e\u201f\u2018\u2019"
_SERIALIZER = flags.ArgumentSerializer()


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
        is_list = kind_of(field) is tuple
        flags.DEFINE(
            _Parser(function=functools.partial(_parse_field, name)),
            name,
            field.default,
            field.metadata["help"],
            values,
            flags.CsvListSerializer(",") if is_list else _SERIALIZER,
            boolean=kind_of(field) is bool,
        )
    for name, read in SOURCES.items():
        parse = functools.partial(_parse_source, values, [], name, read)
        flags.DEFINE_multi(
            _Parser(function=parse), _SERIALIZER, name, None, "", values
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
    except (flags.Error, ValueError) as error:
        cause: BaseException | None = error
        if isinstance(error, flags.IllegalFlagValueError):
            cause = error.__context__  # absl adds the flag to its message
        is_ours = isinstance(cause, ConfigError)
        raise ConfigError(str(cause if is_ours else error)) from error
    if leftover:
        raise ConfigError(_explain(leftover))


def _explain(leftover: list[str]) -> str:
    """Returns an error message about arguments that are not flags."""
    received = f"Received: {one_line(' '.join(leftover))!r}"
    if leftover[0][:1] in _DASHES:
        plain = leftover[0].lstrip(_DASHES + "-")
        return (
            f"Flags begin with two hyphens. {received}, with a typographic"
            f" dash. Type --{plain:.100}."
        )
    return (
        f"Flags begin with --. {received}. Separate the items of a list by"
        " commas. Put a pattern in quotes, so that the shell does not expand"
        " it: --style_images='folder/*.jpg'."
    )


def _parse_field(name: str, text: str) -> Any:
    """Parses the value of a field.

    Raises:
        ConfigError: if it is invalid, or has typographic quotes, e.g. after
            pasting from a word processor.
    """
    is_quoted = len(text) > 1 and {text[0], text[-1]} <= set(_QUOTES)
    if is_quoted and not os.path.lexists(text):
        raise ConfigError(
            f"`{name}` needs no typographic quotes. Received:"
            f" {name}={text!r:.200}. Remove them."
        )
    return parse_text(name, text)


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
