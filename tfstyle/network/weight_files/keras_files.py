"""Reads and writes Keras' files of VGG19's weights.

Three formats are supported, each with or without the dense layers:
`.weights.h5`, whose layers are numbered; the older `.h5`, of weights or a whole
model, whose layers are named; and `.keras`, an archive with a `.weights.h5`.
"""

import math
import zipfile
from typing import IO

import numpy as np

from tfstyle.errors import WeightsError
from tfstyle.network.layers import CONVOLUTIONS
from tfstyle.network.layers import Layer
from tfstyle.network.weight_files.arrays import LayerWeights
from tfstyle.network.weight_files.arrays import check_values
from tfstyle.network.weight_files.arrays import wrong_shape

MEMBER = "model.weights.h5"
"""File of the weights in a `.keras` archive."""
_BACKBONE = "layers/vgg_backbone/layers"
"""Group of VGG19 in KerasHub's classifier."""


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


def read_h5(path: str | IO[bytes]) -> dict[str, LayerWeights]:
    """Reads weights from an h5 file of any of Keras' formats.

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
                f"{_BACKBONE}/{_h5_name(index)}/vars",
                layer.name,  # older .h5
                f"model_weights/{layer.name}",  # a whole model's .h5
            )
            name = next((name for name in names if name in file), None)
            if name is None:
                raise WeightsError(f"layer {layer.name} is missing.")
            _refuse_links(file, name, layer)
            layers[layer.name] = _read_layer(file[name], layer)
    return layers


def read_archive(archive: zipfile.ZipFile) -> dict[str, LayerWeights]:
    """Reads weights from a `.keras` archive, of which only they are read.

    Raises:
        WeightsError: as of `read_h5`, or if they are compressed.
    """
    member = archive.getinfo(MEMBER)
    # Compressed members may unpack to far more than their size.
    if member.compress_type != zipfile.ZIP_STORED:
        raise WeightsError(f"{MEMBER!r} in it is compressed.")
    with archive.open(member) as file:
        return read_h5(file)


def _refuse_links(file, path: str, layer: Layer) -> None:
    """Checks that no part of a path links to another file."""
    import h5py

    parts = path.split("/")
    for end in range(1, len(parts) + 1):
        link = file.get("/".join(parts[:end]), getlink=True)
        if not isinstance(link, h5py.HardLink):
            raise WeightsError(f"layer {layer.name} links to another file.")


def _read_layer(group, layer: Layer) -> LayerWeights:
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
            raise WeightsError(wrong_shape(layer, item.dtype, item.shape))
        if item.shape in arrays:
            raise WeightsError(f"layer {layer.name} has two kernels or biases.")
        arrays[item.shape] = check_values(layer, item[()])

    group.visititems(visit)  # follows no links
    if len(arrays) < len(shapes):
        raise WeightsError(f"layer {layer.name} has no kernel and bias.")
    return arrays[kernel], arrays[bias]
