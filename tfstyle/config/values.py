"""The kinds of the fields of a Config, and their values from text and JSON."""

import dataclasses
import types
import typing
from typing import Any

from absl import flags

from tfstyle.config.config import Config
from tfstyle.config.validation import ConfigError

FIELDS = {field.name: field for field in dataclasses.fields(Config)}

_PARSERS = {
    bool: flags.BooleanParser(),
    float: flags.FloatParser(),
    int: flags.IntegerParser(),
    str: flags.ArgumentParser(),
    tuple: flags.ListParser(),
}
"""What absl reads the flags with."""


def kind_of(field: dataclasses.Field) -> type:
    """Returns bool, float, int, str or tuple for a field's annotation."""
    annotation = field.type
    if isinstance(annotation, types.UnionType):
        annotation = typing.get_args(annotation)[0]
    return typing.get_origin(annotation) or annotation


def describe_kind(name: str) -> str:
    """Describes the values of a flag; absl's own flags are integers."""
    kinds = {
        bool: "true or false",
        float: "a number",
        str: "a text",
        tuple: "a comma separated list",
    }
    field = FIELDS.get(name)
    return kinds.get(field and kind_of(field), "an integer")


def parse_text(name: str, text: str) -> Any:
    """Reads a field's value from text, as the command line does.

    Raises:
        ConfigError: if it is not of the field's kind.
    """
    field = FIELDS[name]
    kind = kind_of(field)
    try:
        value = _PARSERS[kind].parse(text)
    except ValueError as error:
        raise _refuse(name, text) from error
    return to_tuple(field, value) if kind is tuple else value


def parse_json(name: str, value: Any) -> Any:
    """Reads a field's value from JSON, which has lists and numbers.

    One number may stand for a list of one, and a whole one for any.

    Raises:
        ConfigError: if it is not of the field's kind.
    """
    field = FIELDS[name]
    kind = kind_of(field)
    accepted = (int, float) if kind is float else typing.get_args(field.type)
    if kind is not tuple:
        if type(value) not in (kind, *accepted):
            raise _refuse(name, value)
        return value
    (kind, _) = typing.get_args(field.type)
    items = value if isinstance(value, list) or kind is str else [value]
    accepted = (int, float) if kind is float else (kind,)
    if type(items) is not list or any(type(x) not in accepted for x in items):
        of = "texts" if kind is str else "numbers"
        of = "whole numbers" if kind is int else of
        raise _refuse(name, value, f"a list of {of}")
    return tuple(items)


def to_tuple(field: dataclasses.Field, values: list[str]) -> tuple:
    """Converts a list of texts to the tuple of a field.

    Raises:
        ConfigError: if they are not numbers where numbers are due.
    """
    (kind, _) = typing.get_args(field.type)
    try:
        return tuple(kind(value) for value in values)
    except ValueError as error:
        raise ConfigError(
            f"`{field.name}` must be a list of"
            f" {'whole ' if kind is int else ''}numbers."
            f" Received: {field.name}={','.join(values)!r}."
        ) from error


def _refuse(name: str, value: Any, kind: str = "") -> ConfigError:
    return ConfigError(
        f"`{name}` must be {kind or describe_kind(name)}."
        f" Received: {name}={value!r:.200}."
    )
