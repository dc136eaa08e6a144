"""Reads `.safetensors` files.

References:
    https://github.com/huggingface/safetensors, "Format".
"""

import json
import math
import mmap
from typing import BinaryIO

import numpy as np

from tfstyle.errors import WeightsError
from tfstyle.network.weight_files import torch_files
from tfstyle.network.weight_files.arrays import LayerWeights
from tfstyle.network.weight_files.arrays import find_layers

MOST_HEADER = 10**6
"""Maximum size of a header, bytes; that of VGG19 has 4 kB."""
_DTYPES = {"F32": "<f4", "F16": "<f2", "BF16": "bfloat16", "F64": "<f8"}


def is_safetensors(start: bytes) -> bool:
    """Checks by its first bytes that a file is a `.safetensors`."""
    return start[8:9] == b"{" and start[4:8] == bytes(4)


def read_safetensors(file: BinaryIO) -> dict[str, LayerWeights]:
    """Reads VGG19's convolutions, with the names of torch.

    Raises:
        WeightsError: if they are missing, or have other shapes or dtypes.
    """
    size = int.from_bytes(file.read(8), "little")
    if size > MOST_HEADER:
        raise WeightsError("its header is too large for VGG19's weights.")
    header = json.loads(file.read(size))
    header.pop("__metadata__", None)
    data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)

    def read(name: str) -> np.ndarray:
        dtype = _DTYPES.get(header[name]["dtype"])
        if dtype is None:
            raise WeightsError(f"{name!r} is not of floating point.")
        begin, end = header[name]["data_offsets"]
        count = math.prod(shapes[name])
        if begin < 0 or end - begin != count * torch_files.size_of(dtype):
            raise WeightsError(f"{name!r} has another size than its shape.")
        values = data[8 + size + begin : 8 + size + end]
        return torch_files.decode(values, dtype).reshape(shapes[name])

    shapes = {name: tuple(about["shape"]) for name, about in header.items()}
    with data:
        return find_layers(shapes, read)
