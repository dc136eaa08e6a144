"""Reads MatConvNet's `.mat` files, such as `imagenet-vgg-verydeep-19.mat`.

References:
    https://www.vlfeat.org/matconvnet/pretrained/: the layers of a network, and
    the mean of its images, RGB.
"""

import math
import struct
import zlib
from typing import Any

import numpy as np

from tfstyle.errors import WeightsError
from tfstyle.network.layers import CONVOLUTIONS
from tfstyle.network.weight_files.arrays import LayerWeights
from tfstyle.network.weight_files.arrays import check_layer
from tfstyle.network.weight_files.inputs import Input

MOST_BYTES = 10**9
"""Maximum size of an unpacked file, bytes; VGG19's has 575 MB."""
MOST_ELEMENTS = 10**5
"""Maximum number of elements of a variable; VGG19's layers have 2,000."""
_HEADER_SIZE = 128
_INT32, _MATRIX, _COMPRESSED = 5, 14, 15
"""Kinds of elements of a file."""
_CELL_CLASSES = (1, 2, 3)
"""Classes of arrays of arrays: cells, structures and objects."""


def is_matlab(start: bytes) -> bool:
    """Checks by its first bytes that a file is a `.mat` of versions 5 to 7."""
    return start.startswith(b"MATLAB 5.0 MAT-file")


def read_mat(path: str) -> tuple[dict[str, LayerWeights], Input]:
    """Reads VGG19's convolutions, and the input that the file states.

    Raises:
        WeightsError: if SciPy is missing, or a layer, or the mean.
    """
    try:
        import scipy.io
    except ImportError as error:
        raise WeightsError(
            "a .mat file needs SciPy: pip install 'tfstyle[matlab]'."
        ) from error
    _check_sizes(path)
    # Older files have the mean beside `meta`.
    content = scipy.io.loadmat(
        path,
        variable_names=("layers", "meta", "normalization"),
        simplify_cells=True,
    )
    found = {x["name"]: _find_parts(x) for x in content.get("layers", ())}
    layers = {}
    for layer in CONVOLUTIONS:
        if found.get(layer.alias) is None:
            raise WeightsError(f"layer {layer.alias} is missing.")
        kernel, bias = found[layer.alias]
        layers[layer.name] = check_layer(layer, kernel, np.atleast_1d(bias))
    about = content.get("meta", content).get("normalization", {})
    if "averageImage" not in about:
        raise WeightsError("its mean, normalization.averageImage, is missing.")
    mean = np.asarray(about["averageImage"], float).reshape(-1, 3)
    if not np.isfinite(mean).all() or np.ptp(mean, axis=0).max() > 1e-3:
        raise WeightsError(
            "its mean is an image. VGG19 has one of each channel."
        )
    red, green, blue = map(float, mean[0])
    return layers, Input("RGB", (red, green, blue))


def _find_parts(layer: dict[str, Any]) -> tuple[np.ndarray, np.ndarray] | None:
    """Returns kernel and bias of a layer, in either version of the format."""
    if "filters" in layer:
        return layer["filters"], layer["biases"]
    parts = layer.get("weights", ())
    return (parts[0], parts[1]) if len(parts) == 2 else None


def _check_sizes(path: str) -> None:
    """Checks that arrays are no larger than their part of the file.

    SciPy allocates what a file says. Compressed parts may unpack to far more
    than their size.

    Raises:
        WeightsError: if a size does not fit, or the whole is too large.
    """
    left = MOST_BYTES
    with open(path, "rb") as file:
        file.seek(_HEADER_SIZE)
        while tag := file.read(8):
            kind, size = struct.unpack("<2I", tag)
            content = file.read(min(size, left))
            if kind == _COMPRESSED:
                content = zlib.decompressobj().decompress(content, left)
            else:
                content = tag + content
            left -= len(content)
            if left <= 0:
                raise WeightsError("it is too large for VGG19's weights.")
            _check_elements(memoryview(content), [MOST_ELEMENTS])


def _check_elements(data: memoryview, left: list[int]) -> tuple[int, ...]:
    """Checks all elements of some data; returns the second's numbers, dims.

    Args:
        data: elements, one after the other.
        left: number of elements that may follow, counted down.
    """
    place, number, dims = 0, 0, ()
    while place + 8 <= len(data):
        left[0] -= 1
        if left[0] < 0:
            raise WeightsError("it has too many elements for VGG19's weights.")
        kind, size = struct.unpack_from("<2I", data, place)
        begin = place + 8
        if kind >> 16:  # small: sizes and four bytes in the tag's place
            kind, size, begin = kind & 0xFFFF, kind >> 16, place + 4
        content = data[begin : begin + size]
        if number == 1 and kind == _INT32:
            dims = struct.unpack(f"<{len(content) // 4}i", content)
        if kind == _MATRIX:
            inner = _check_elements(content, left)
            # Each cell has a tag of eight bytes, each value at least one.
            is_cell = len(content) > 8 and content[8] in _CELL_CLASSES
            if math.prod(inner) * (8 if is_cell else 1) > len(content):
                raise WeightsError("an array in it exceeds its part of it.")
        place = max(begin + size + 7, place + 8) // 8 * 8
        number += 1
    return dims
