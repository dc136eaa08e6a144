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
SCOPES = {
    "picture": "decides the pixels: with another value it is another run",
    "file": "the same, of a file, whose contents count and not its name",
    "end": "says when to end, so that a run may go on with another value",
    "machine": "changes the last bits at most",
    "run": "says what a run writes, and decides no pixel",
}
"""Scopes of options. A picture's text contains all scopes except `run`."""


def option(
    default: Any,
    group: str,
    text: str,
    *,
    scope: str = "picture",
    choices: tuple[str | int, ...] = (),
    least: float | None = None,
    most: float | None = None,
    above: float | None = None,
    is_path: bool = False,
    of_batch: bool = False,
):
    """Declares an option.

    Args:
        default: default value.
        group: heading in `--help`, one of GROUPS.
        text: description in `--help`.
        scope: one of SCOPES.
        choices: allowed values of a string or integer; empty: any.
        least: smallest allowed value of a number.
        most: largest allowed value of a number.
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
    kinds = {
        bool: "true or false",
        float: "a number",
        int: "an integer",
        str: "a text",
        types.NoneType: "None",
    }
    if _kinds(field) == (str, int):
        return "auto or an integer"
    if kind_of(field) is tuple:
        items = {float: "numbers", int: "integers", str: "texts"}
        return f"a list of {items[item_kind_of(field)]}"
    return " or ".join(kinds[kind] for kind in _kinds(field))


def convert(field: dataclasses.Field, value: Any) -> Any:
    """Converts a value to the type of a field.

    NumPy scalars and strings become Python's, integers become floats if the
    field is a float, and `os.PathLike` becomes a string if it is a path. A
    single number becomes a list of one.

    Raises:
        ConfigError: if the value has another type.
    """
    if kind_of(field) is not tuple:
        for kind in _kinds(field):
            converted = _convert(kind, value, field.metadata["is_path"])
            if converted is not _WRONG:
                return converted
        raise _wrong_kind(field, value)
    kind = item_kind_of(field)
    is_list = isinstance(value, list | tuple) or hasattr(value, "tolist")
    is_scalar = getattr(value, "ndim", 1) == 0
    items = list(value) if is_list and not is_scalar else [value]
    if not is_list and kind is str:
        raise _wrong_kind(field, value)
    items = [_convert(kind, x, field.metadata["is_path"]) for x in items]
    if any(item is _WRONG for item in items):
        raise _wrong_kind(field, value)
    return tuple(items)


_WRONG = object()


def _convert(kind: type, value: Any, is_path: bool) -> Any:
    if getattr(value, "ndim", 1) == 0 and hasattr(value, "item"):
        value = value.item()  # a NumPy scalar
    if is_path and kind is str and isinstance(value, str | os.PathLike):
        value = paths.expand_path(os.fspath(value))
    if kind is float and type(value) is int:
        try:
            return float(value)
        except OverflowError:
            return _WRONG
    if kind is str and isinstance(value, str):
        return str(value)
    return value if type(value) is kind else _WRONG


def _kinds(field: dataclasses.Field) -> tuple:
    if isinstance(field.type, types.UnionType):
        return typing.get_args(field.type)
    return (field.type,)


def _wrong_kind(field: dataclasses.Field, value: Any) -> ConfigError:
    is_one = kind_of(field) is tuple and isinstance(value, str | os.PathLike)
    hint = f" Write [{str(value)!r:.200}]." if is_one else ""
    return ConfigError(
        f"`{field.name}` must be {describe(field)}."
        f" Received: {field.name}={value!r:.200}.{hint}"
    )
