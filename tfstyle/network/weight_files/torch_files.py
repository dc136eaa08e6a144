"""Reads tensors from torch's files, without torch, executing nothing.

Such a file is a pickle, which describes the tensors, and raw storages, flat
arrays of values. Since torch 1.6 both are in a ZIP archive; before, the
storages followed four pickles. A pickle is a program: of its instructions only
those are followed here that torch writes for a dictionary of tensors.

References:
    torch/serialization.py, `_save` and `_legacy_save`; Python's pickletools.
"""

import io
import pickletools
import zipfile
from collections.abc import Callable
from typing import Any
from typing import BinaryIO
from typing import NamedTuple

import numpy as np

from tfstyle.errors import WeightsError

MAGIC = 0x1950A86A20F9469CFC6C
"""First pickle of a file without archive."""
MOST_PICKLE = 2**20
"""Maximum size of the pickles of a file, bytes; VGG19's have 10 kB."""

WRAPPERS = ("state_dict", "model")
"""Names under which training programs save a network beside other things."""
MOST_DIMENSIONS = 8

_DTYPES = {
    "FloatStorage": "<f4",
    "DoubleStorage": "<f8",
    "HalfStorage": "<f2",
    "BFloat16Storage": "bfloat16",
    "ByteStorage": "u1",
    "LongStorage": "<i8",
}
_REBUILDERS = {"_rebuild_tensor", "_rebuild_tensor_v2", "_rebuild_parameter"}
_OTHER = "it holds more than tensors. Save the `state_dict()` of the network."


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


class Tensors:
    """Tensors of a file by name, read when asked for.

    Attributes:
        shapes: shapes by name.
    """

    def __init__(self, found: Any, read_storage: Callable[[Storage], bytes]):
        if not isinstance(found, dict):
            raise WeightsError(_OTHER)
        for name in WRAPPERS:
            if isinstance(found.get(name), dict):
                found = found[name]
        self._tensors = {
            name: value
            for name, value in found.items()
            if isinstance(value, Tensor)
        }
        if not self._tensors:
            raise WeightsError(_OTHER)
        self._read_storage = read_storage
        self.shapes = {n: t.shape for n, t in self._tensors.items()}

    def read(self, name: str) -> np.ndarray:
        """Reads a tensor; bfloat16 becomes float32."""
        tensor = self._tensors[name]
        storage = tensor.storage
        return view(
            decode(self._read_storage(storage), storage.dtype), tensor, name
        )


def size_of(dtype: str) -> int:
    """Returns the bytes of a value."""
    return 2 if dtype == "bfloat16" else np.dtype(dtype).itemsize


def decode(data: bytes | memoryview, dtype: str) -> np.ndarray:
    """Decodes little-endian values; bfloat16 becomes float32."""
    if dtype != "bfloat16":
        return np.frombuffer(data, dtype)
    return (np.frombuffer(data, "<u2").astype("<u4") << 16).view("<f4")


def view(values: np.ndarray, tensor: Tensor, name: str) -> np.ndarray:
    """Returns a tensor as a view of its storage's values."""
    last = tensor.offset + sum(
        (size - 1) * stride
        for size, stride in zip(tensor.shape, tensor.strides, strict=True)
    )
    if min((tensor.offset, *tensor.strides)) < 0 or last >= len(values):
        raise WeightsError(f"tensor {name!r} exceeds its storage.")
    return np.lib.stride_tricks.as_strided(
        values[tensor.offset :],
        tensor.shape,
        [stride * values.itemsize for stride in tensor.strides],
        writeable=False,
    )


def read_archive(archive: zipfile.ZipFile, folder: str) -> Tensors:
    """Reads what torch writes since version 1.6.

    Args:
        archive: open archive.
        folder: name of the folder of `data.pkl` in it.

    Raises:
        WeightsError: if it does not hold a dictionary of tensors.
    """

    def read_member(name: str, size: int) -> bytes:
        member = archive.getinfo(f"{folder}/{name}")
        # Compressed members may unpack to far more than their size.
        if member.compress_type != zipfile.ZIP_STORED:
            raise WeightsError(f"{member.filename!r} in it is compressed.")
        if member.file_size > size:
            raise WeightsError(f"{member.filename!r} in it is too large.")
        return archive.read(member)

    if f"{folder}/byteorder" in archive.namelist():  # since torch 2.1
        order = read_member("byteorder", 10)
        if order != b"little":
            raise WeightsError("its byte order is not little-endian.")
    stream = io.BytesIO(read_member("data.pkl", MOST_PICKLE))
    return Tensors(
        unpickle(stream, {}),
        lambda storage: read_member(
            f"data/{storage.key}", storage.count * size_of(storage.dtype)
        ),
    )


def is_legacy(start: bytes) -> bool:
    """Checks by its first bytes that a file is torch's without archive."""
    return start.startswith(b"\x80\x02\x8a\x0a" + MAGIC.to_bytes(10, "little"))


def read_legacy(file: BinaryIO) -> Tensors:
    """Reads what torch wrote before version 1.6.

    Args:
        file: open file, at its beginning; read when tensors are.

    Raises:
        WeightsError: if it does not hold a dictionary of tensors.
    """
    # Of a file, pickletools would reserve memory for a text of any size.
    pickles = io.BytesIO(file.read(MOST_PICKLE))
    dtypes: dict[str, str] = {}
    magic, _protocol, system, found, keys = (
        unpickle(pickles, dtypes) for _ in range(5)
    )
    if magic != MAGIC:
        raise WeightsError("it is not a file of torch.")
    if not system["little_endian"]:
        raise WeightsError("its byte order is not little-endian.")
    places: dict[str, tuple[int, int]] = {}

    def read_storage(storage: Storage) -> bytes:
        place, size = places[storage.key]
        file.seek(place)
        return file.read(size)

    tensors = Tensors(found, read_storage)
    end = file.seek(0, io.SEEK_END)
    file.seek(pickles.tell())
    for key in keys:
        count = int.from_bytes(file.read(8), "little")
        places[key] = file.tell(), count * size_of(dtypes[key])
        if sum(places[key]) > end:
            raise WeightsError("it is truncated.")
        file.seek(sum(places[key]))
    return tensors


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
            raise WeightsError(_OTHER)
        for key, value in zip(pairs[::2], pairs[1::2], strict=True):
            if not isinstance(key, str | int):
                raise WeightsError(_OTHER)
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
                raise WeightsError(_OTHER)
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
            raise WeightsError(_OTHER)
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
        raise WeightsError(_OTHER)
    return _Global(name)


def _make_storage(saved_id: Any) -> Storage:
    """Makes a storage of torch's id of it."""
    match saved_id:
        case ("storage", _Global(name), str(key), _, int(count), *views) if (
            name in _DTYPES and views in ([], [None])
        ):
            return Storage(_DTYPES[name], key, count)
    raise WeightsError(_OTHER)


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
    raise WeightsError(_OTHER)
