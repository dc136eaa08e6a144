"""Follows the pickles by which torch describes tensors, executing nothing.

A pickle is a program. Of its instructions only those are followed that torch
writes for a dictionary of tensors.

References:
    Python's pickletools; torch/_utils.py, `_rebuild_tensor_v2`.
"""

import io
import pickletools
from typing import Any
from typing import NamedTuple

from tfstyle.errors import WeightsError

MOST_DIMENSIONS = 8
OTHER = "it holds more than tensors. Save the `state_dict()` of the network."
_DTYPES = {
    "FloatStorage": "<f4",
    "DoubleStorage": "<f8",
    "HalfStorage": "<f2",
    "BFloat16Storage": "bfloat16",
    "ByteStorage": "u1",
    "LongStorage": "<i8",
}
_REBUILDERS = {"_rebuild_tensor", "_rebuild_tensor_v2", "_rebuild_parameter"}


class Storage(NamedTuple):
    """A flat array in the file, of `count` values."""

    dtype: str
    key: str
    count: int


class Tensor(NamedTuple):
    """A view of a storage; offset and strides count values."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def unpickle(file: io.BytesIO, dtypes: dict[str, str]) -> Any:
    """Follows a pickle of dictionaries of tensors, without `pickle`.

    Known names stand for themselves; nothing is called. Only texts and numbers
    are keys, as comparing nested tuples can take for ever.

    Args:
        file: the pickle.
        dtypes: receives the dtype of every storage by its key.

    Raises:
        WeightsError: if the pickle holds anything else.
    """
    stack: list[Any] = []
    marks: list[int] = []
    memo: dict[int, Any] = {}

    def pop_to_mark() -> list[Any]:
        start = marks.pop()
        popped = stack[start:]
        del stack[start:]
        return popped

    def set_items(pairs: list[Any]) -> None:
        target = stack[-1]
        if not isinstance(target, dict):
            raise WeightsError(OTHER)
        for key, value in zip(pairs[::2], pairs[1::2], strict=True):
            if not isinstance(key, str | int):
                raise WeightsError(OTHER)
            target[key] = value

    for opcode, value, _ in pickletools.genops(file):
        name = opcode.name
        if name in _CONSTANTS:
            stack.append(_CONSTANTS[name])
        elif name in _VALUES:
            stack.append(value)
        elif name in ("EMPTY_DICT", "EMPTY_LIST"):
            stack.append({} if name == "EMPTY_DICT" else [])
        elif name == "MARK":
            marks.append(len(stack))
        elif name == "TUPLE":
            stack.append(tuple(pop_to_mark()))
        elif name in ("TUPLE1", "TUPLE2", "TUPLE3"):
            size = int(name[-1])
            stack[-size:] = [tuple(stack[-size:])]
        elif name in ("SETITEM", "SETITEMS"):
            pairs = pop_to_mark() if name == "SETITEMS" else stack[-2:]
            if name == "SETITEM":
                del stack[-2:]
            set_items(pairs)
        elif name in ("APPEND", "APPENDS"):
            items = pop_to_mark() if name == "APPENDS" else [stack.pop()]
            if not isinstance(stack[-1], list):
                raise WeightsError(OTHER)
            stack[-1].extend(items)
        elif name in ("BINPUT", "LONG_BINPUT", "MEMOIZE"):
            memo[len(memo) if name == "MEMOIZE" else value] = stack[-1]
        elif name in ("BINGET", "LONG_BINGET"):
            stack.append(memo[value])
        elif name == "GLOBAL":
            stack.append(_find_global(*value.split(" ")))
        elif name == "STACK_GLOBAL":
            stack[-2:] = [_find_global(*stack[-2:])]
        elif name == "BINPERSID":
            storage = _make_storage(stack.pop())
            dtypes[storage.key] = storage.dtype
            stack.append(storage)
        elif name == "REDUCE":
            arguments = stack.pop()
            stack.append(_reduce(stack.pop(), arguments))
        elif name == "BUILD":
            stack.pop()  # attributes of an ordered dictionary
        elif name == "STOP":
            return stack.pop()
        elif name not in ("PROTO", "FRAME"):
            raise WeightsError(OTHER)
    raise WeightsError("it ends amid a pickle.")


_CONSTANTS: dict[str, Any] = {
    "NONE": None,
    "NEWTRUE": True,
    "NEWFALSE": False,
    "EMPTY_TUPLE": (),
}
_VALUES = {"BINUNICODE", "BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT"}
_VALUES |= {"SHORT_BINUNICODE"}  # since protocol 4
_VALUES |= {"SHORT_BINSTRING", "BINSTRING"}  # of Python 2


class _Global(NamedTuple):
    """A name that torch writes for a function or a type."""

    name: str


def _find_global(module: str, name: str) -> _Global:
    is_known = (
        (module == "collections" and name == "OrderedDict")
        or (module == "torch" and name in _DTYPES)
        or (module == "torch._utils" and name in _REBUILDERS)
    )
    if not is_known:
        raise WeightsError(OTHER)
    return _Global(name)


def _make_storage(saved_id: Any) -> Storage:
    """Makes a storage of torch's id of it."""
    match saved_id:
        case ("storage", _Global(name), str(key), _, int(count), *views) if (
            name in _DTYPES and views in ([], [None])
        ):
            return Storage(_DTYPES[name], key, count)
    raise WeightsError(OTHER)


def _reduce(function: Any, arguments: Any) -> Any:
    """Returns what torch's function makes of arguments."""
    match function, arguments:
        case _Global("OrderedDict"), ():
            return {}
        case _Global("OrderedDict"), (list() as pairs,):  # by Python 2
            if all(isinstance(key, str) for key, _ in pairs):
                found = dict(pairs)
                pairs.clear()  # not to be copied many times
                return found
        case _Global("_rebuild_parameter"), (Tensor() as tensor, *_):
            return tensor
        case (
            _Global("_rebuild_tensor" | "_rebuild_tensor_v2"),
            (Storage() as storage, int(), tuple(), tuple(), *_),
        ):
            offset, shape, strides = arguments[1:4]
            if len(shape) == len(strides) <= MOST_DIMENSIONS and all(
                type(number) is int for number in (*shape, *strides)
            ):
                return Tensor(storage, offset, shape, strides)
    raise WeightsError(OTHER)
