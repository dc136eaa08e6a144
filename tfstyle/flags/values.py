"""Parsing of option values from text and JSON, for flags and manifests."""

import dataclasses
import difflib
import os
import re
from typing import Any

from absl import flags

from tfstyle.config.fields import convert
from tfstyle.config.fields import describe
from tfstyle.config.fields import item_kind_of
from tfstyle.config.fields import kind_of
from tfstyle.config.run_config import RunConfig
from tfstyle.errors import ConfigError
from tfstyle.system import paths

FIELDS = {field.name: field for field in dataclasses.fields(RunConfig)}

_PARSERS = {
    bool: flags.BooleanParser(),
    float: flags.FloatParser(),
    int: flags.IntegerParser(),
    str: flags.ArgumentParser(),
    tuple: flags.ListParser(),
}
"""Parsers of absl, by type."""


def suggest_field(name: str, otherwise: str) -> str:
    """Returns a "Did you mean" hint for a similar option, or `otherwise`."""
    alike = difflib.get_close_matches(name, FIELDS, 1)
    return f"Did you mean: {alike[0]} ?" if alike else otherwise


def describe_kind(name: str) -> str:
    """Describes the type of a flag; absl's own flags are integers."""
    field = FIELDS.get(name)
    if field is None:
        return "an integer"
    if kind_of(field) is tuple:
        return "a comma separated list"
    return describe(field).partition(" or None")[0]


def parse_text(name: str, text: str) -> Any:
    """Parses a field's value from text, as on the command line.

    Raises:
        ConfigError: if the text does not have the field's type.
    """
    field = FIELDS[name]
    kind = kind_of(field)
    try:
        value = _PARSERS[kind].parse(text)
    except ValueError as error:
        raise ConfigError(
            f"`{name}` must be {describe_kind(name)}."
            f" Received: {name}={text!r:.200}."
        ) from error
    return to_tuple(field, value) if kind is tuple else value


def parse_json(name: str, value: Any) -> Any:
    """Converts a field's value from decoded JSON.

    Raises:
        ConfigError: if the value does not have the field's type.
    """
    return convert(FIELDS[name], value)


def to_tuple(field: dataclasses.Field, values: list[str]) -> tuple:
    """Converts a list of strings to the tuple of a field.

    The items are joined again if the whole text, commas included, names a file.

    Raises:
        ConfigError: if the field has numbers and a string is not a number.
    """
    kind = item_kind_of(field)
    if field.metadata["is_path"] and len(values) > 1:
        for name in (",".join(values), ", ".join(values)):
            if os.path.isfile(paths.expand_path(name)):
                return (name,)
    try:
        if kind is int and any(re.match("0[0-9]", value) for value in values):
            raise ValueError("1,000 is one number rather than 1 and 0")
        return tuple(kind(value) for value in values)
    except ValueError as error:
        raise ConfigError(
            f"`{field.name}` must be {describe(field)}."
            f" Received: {field.name}={','.join(values)!r:.200}."
        ) from error
