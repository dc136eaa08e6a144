"""Kernels and biases: checks, hashes, and layers found by their shapes."""

import hashlib
import re
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping

import numpy as np

from tfstyle.errors import WeightsError
from tfstyle.network.layers import CONVOLUTIONS
from tfstyle.network.layers import Layer

LayerWeights = tuple[np.ndarray, np.ndarray]
"""Kernel float32 `[3, 3, C_in, C_out]` and bias float32 `[C_out]`."""


def hash_weights(
    layers: dict[str, LayerWeights], offset: Iterable[float] = (0, 0, 0)
) -> str:
    """Computes the SHA-256 of names, shapes and little-endian values.

    Args:
        layers: kernel and bias of all sixteen convolutions.
        offset: addend of the input, hashed unless it is zero.
    """
    digest = hashlib.sha256()
    for layer in CONVOLUTIONS:
        for part, array in zip(
            ("kernel", "bias"), layers[layer.name], strict=True
        ):
            digest.update(f"{layer.name}/{part}{array.shape}".encode())
            digest.update(np.ascontiguousarray(array, "<f4").data)
    if any(offset):
        digest.update(np.asarray(tuple(offset), "<f4").data)
    return digest.hexdigest()


def check_values(layer: Layer, array: np.ndarray) -> np.ndarray:
    """Converts values to float32 and checks that they are finite.

    Raises:
        WeightsError: if a value is infinite, also in float32, or not a number.
    """
    with np.errstate(over="ignore"):  # infinity is refused below
        array = np.array(array, np.float32, order="C")  # not a view of a file
    if not np.isfinite(array).all():
        raise WeightsError(
            f"layer {layer.name} holds values that are not finite. The file"
            " is damaged; download it again."
        )
    return array


def check_layer(
    layer: Layer, kernel: np.ndarray, bias: np.ndarray
) -> LayerWeights:
    """Checks shapes, dtypes and values of a kernel in Keras' order and a bias.

    Raises:
        WeightsError: if they are not those of VGG19's layer, or not finite.
    """
    shapes = layer.kernel_shape, (layer.channels,)
    for array, shape in zip((kernel, bias), shapes, strict=True):
        if array.shape != shape or array.dtype.kind != "f":
            raise WeightsError(wrong_shape(layer, array.dtype, array.shape))
    return check_values(layer, kernel), check_values(layer, bias)


def wrong_shape(layer: Layer, dtype: np.dtype, shape: tuple[int, ...]) -> str:
    """Returns the message about an array that is not part of a layer."""
    return (
        f"layer {layer.name} must have a kernel of shape {layer.kernel_shape}"
        f" and a bias of shape {(layer.channels,)}, both of floating point."
        f" Received: {dtype} {shape}. These are not VGG19's weights."
    )


def transpose_kernel(kernel: np.ndarray) -> np.ndarray:
    """Turns `[C_out, C_in, 3, 3]`, as in Caffe and torch, into Keras' order."""
    return kernel.transpose(2, 3, 1, 0)


def find_layers(
    shapes: Mapping[str, tuple[int, ...]], read: Callable[[str], np.ndarray]
) -> dict[str, LayerWeights]:
    """Finds the sixteen convolutions among named arrays, by order and shape.

    The convolutions are the 3x3 kernels in natural order of their names, such
    as `features.0.weight`, `features.2.weight` and `features.10.weight`.

    Args:
        shapes: shape of every array by name; kernels `[C_out, C_in, 3, 3]`.
        read: reads the floating-point array of a name.

    Raises:
        WeightsError: if they are not VGG19's, or not finite.
    """
    kernels = [
        name
        for name in sorted(shapes, key=_natural_order)
        if len(shapes[name]) == 4 and shapes[name][2:] == (3, 3)
    ]
    found = [shapes[name][1::-1] for name in kernels]
    expected = [(x.channels_in, x.channels) for x in CONVOLUTIONS]
    if found != expected:
        raise WeightsError(
            f"VGG19 has 16 convolutions of 3x3, from 3 to 512 channels. Found:"
            f" {len(found)} with other names or channels. These are the weights"
            " of another network."
        )
    if any(name.endswith("running_mean") for name in shapes):
        raise WeightsError(
            "it holds VGG19 with batch normalisation (vgg19_bn). Give VGG19"
            " without it."
        )
    layers = {}
    for name, layer in zip(kernels, CONVOLUTIONS, strict=True):
        bias = re.sub("weight$", "bias", name)
        if bias == name or shapes.get(bias) != (layer.channels,):
            raise WeightsError(f"layer {layer.name} ({name!r}) has no bias.")
        kernel = transpose_kernel(read(name))
        layers[layer.name] = check_layer(layer, kernel, read(bias))
    return layers


def _natural_order(name: str) -> list[tuple[int, str]]:
    """Returns a sort key with which `a10` follows `a2`."""
    return [
        (int(part), "") if part.isdecimal() else (-1, part)
        for part in re.split(r"(\d{1,9})", name)
    ]
