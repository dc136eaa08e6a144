"""Declaration of a Config's options: type, default, help, bounds, scope."""

import dataclasses
import os
import types
import typing
from collections.abc import Sequence
from typing import Any

from tfstyle.errors import ConfigError
from tfstyle.system import paths

GROUPS = (
    "Files",
    "Images",
    "Losses",
    "Network",
    "Optimization",
    "Output",
    "Machine",
)
"""Headings of `--help`, in order."""
_DESCRIPTIONS: dict[Any, str] = {
    bool: "true or false",
    float: "a number",
    int: "an integer",
    str: "a string",
    str | int: "auto or an integer",
    Sequence[float]: "a list of numbers",
    Sequence[int]: "a list of integers",
    Sequence[str]: "a list of strings",
}
"""Descriptions of types; an optional value is described as a given one."""


def option(
    default: Any,
    text: str,
    *,
    group: str,
    scope: str = "picture",
    choices: tuple[str | int, ...] = (),
    least: float | None = None,
    most: float = 1e300,
    above: float | None = None,
    is_path: bool = False,
    of_batch: bool = False,
):
    """Declares an option.

    Args:
        default: default value.
        text: description in `--help`.
        group: heading in `--help`, one of GROUPS.
        scope: `picture`, if it affects the pixels: with another value it is
            another run; `file`, the same, of a file whose contents count and
            not its name; `end`, if it says when to end, so that a run may
            continue with another value; `machine`, if it changes the last bits
            at most; `run`, if it says what a run writes, and affects no pixel.
            A picture's text contains all but those of `run`.
        choices: allowed values of a string or integer; empty: any.
        least: smallest allowed value of a number, or of each in a list.
        most: largest allowed value of a number, or of each in a list.
        above: exclusive lower bound of a number.
        is_path: True if the value may name files.
        of_batch: True if all pictures of a manifest share the value.
    """
    metadata = {
        "group": group,
        "help": text,
        "scope": scope,
        "choices": choices,
        "least": least,
        "most": most,
        "above": above,
        "is_path": is_path,
        "of_batch": of_batch,
    }
    return dataclasses.field(default=default, metadata=metadata)


def ordered_fields(config) -> list[dataclasses.Field]:
    """Returns the fields of a Config or its class, sorted by group."""
    return sorted(
        dataclasses.fields(config),
        key=lambda field: GROUPS.index(field.metadata["group"]),
    )


def kind_of(field: dataclasses.Field) -> type:
    """Returns the type of a field: bool, float, int, str or tuple."""
    kind = typing.get_origin(_kinds(field)[0]) or _kinds(field)[0]
    return tuple if kind is Sequence else kind


def item_kind_of(field: dataclasses.Field) -> type:
    """Returns the type of the items of a tuple field."""
    return typing.get_args(field.type)[0]


def describe(field: dataclasses.Field) -> str:
    """Describes the type of a field, such as `a list of numbers`."""
    return _DESCRIPTIONS.get(field.type) or _DESCRIPTIONS[kind_of(field)]


def convert(field: dataclasses.Field, value: Any) -> Any:
    """Converts a value to the type of a field.

    NumPy scalars and strings become Python's, integers become floats if the
    field is a float, and `os.PathLike` becomes a string if it is a path. A
    single number becomes a list of one. In a field that may be an integer or
    "auto", digits become an integer.

    Raises:
        ConfigError: if the value has another type.
    """
    is_list = kind_of(field) is tuple
    is_text = isinstance(value, str | os.PathLike)
    try:
        if not is_list:
            return _convert(field, _kinds(field), value)
        if is_text:
            raise TypeError("a string is not a list")
        items = _to_python(value)
        items = items if isinstance(items, list | tuple) else [items]
        kinds = (item_kind_of(field),)
        return tuple(_convert(field, kinds, item) for item in items)
    except (TypeError, ValueError, OverflowError) as error:
        is_one = is_list and is_text
        hint = f" Write [{str(value)!r:.200}]." if is_one else ""
        raise ConfigError(
            f"`{field.name}` must be {describe(field)}."
            f" Received: {field.name}={value!r:.200}.{hint}"
        ) from error


def _to_python(value: Any) -> Any:
    """Converts NumPy's scalars and arrays to Python's numbers and lists."""
    return value.tolist() if hasattr(value, "tolist") else value


def _convert(field: dataclasses.Field, kinds: tuple, value: Any) -> Any:
    """Converts a single value to one of several types, or raises an error."""
    value = _to_python(value)
    if kinds == (str, int) and isinstance(value, str) and value != "auto":
        return int(value)
    if field.metadata["is_path"] and isinstance(value, str | os.PathLike):
        return paths.expand_path(os.fspath(value))
    if str in kinds and isinstance(value, str):
        return str(value)
    if float in kinds and type(value) is int:
        return float(value)
    if type(value) not in kinds:
        raise TypeError(f"{type(value)} is not one of {kinds}")
    return value


def _kinds(field: dataclasses.Field) -> tuple:
    if isinstance(field.type, types.UnionType):
        return typing.get_args(field.type)
    return (field.type,)
