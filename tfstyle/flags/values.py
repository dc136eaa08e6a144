"""Parsing of option values from text and JSON, for flags and manifests."""

import dataclasses
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
}
"""Parsers of absl, by type."""


def parse_text(name: str, text: str) -> Any:
    """Parses a field's value from text, as on the command line.

    Raises:
        ConfigError: if the text does not have the field's type.
    """
    field = FIELDS[name]
    kind = kind_of(field)
    try:
        if kind is tuple:
            return _parse_list(field, text)
        return _PARSERS[kind].parse(text)
    except ValueError as error:
        raise ConfigError(
            f"`{name}` must be {describe(field)}."
            f" Received: {name}={text!r:.200}."
        ) from error


def _parse_list(field: dataclasses.Field, text: str) -> tuple:
    """Parses a comma separated list, unless the whole text names a file."""
    is_path = field.metadata["is_path"] and "," in text
    if is_path and os.path.isfile(paths.expand_path(text)):
        return (text,)
    kind = item_kind_of(field)
    items = flags.ListParser().parse(text)
    if kind is int and any(re.match("0[0-9]", item) for item in items):
        raise ValueError("1,000 is one number rather than 1 and 0")
    return tuple(kind(item) for item in items)


def parse_json(name: str, value: Any) -> Any:
    """Converts a field's value from decoded JSON.

    Raises:
        ConfigError: if the value does not have the field's type.
    """
    return convert(FIELDS[name], value)
