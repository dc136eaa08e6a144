"""Reads tensors from torch's files, without torch, executing nothing.

Such a file is a pickle, which describes the tensors, and raw storages, flat
arrays of values. Since torch 1.6 both are in a ZIP archive; before, the
storages followed the pickles.

References:
    torch/serialization.py, `_save` and `_legacy_save`.
"""

import io
import zipfile
from collections.abc import Callable
from typing import Any
from typing import BinaryIO

import numpy as np

from tfstyle.errors import WeightsError
from tfstyle.network.weight_files.torch_pickle import OTHER
from tfstyle.network.weight_files.torch_pickle import Storage
from tfstyle.network.weight_files.torch_pickle import Tensor
from tfstyle.network.weight_files.torch_pickle import unpickle

MAGIC = 0x1950A86A20F9469CFC6C
"""First pickle of a file without archive."""
MOST_PICKLE = 2**20
"""Maximum size of the pickles of a file, bytes; VGG19's have 10 kB."""

WRAPPERS = ("state_dict", "model")
"""Names under which training programs save a network beside other things."""


class Tensors:
    """Tensors of a file by name, read when asked for.

    Attributes:
        shapes: shapes by name.
    """

    def __init__(self, found: Any, read_storage: Callable[[Storage], bytes]):
        if not isinstance(found, dict):
            raise WeightsError(OTHER)
        for name in WRAPPERS:
            if isinstance(found.get(name), dict):
                found = found[name]
        self._tensors = {
            name: value
            for name, value in found.items()
            if isinstance(value, Tensor)
        }
        if not self._tensors:
            raise WeightsError(OTHER)
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
