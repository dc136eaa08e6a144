"""The paper's network: VGG19 rescaled so that every filter's mean is 1.

Gatys et al. rescaled VGG19 so that each filter's mean activation over images
and positions is 1; in the original network the means differ by orders of
magnitude, so a few filters dominate the Gram matrices. ReLU and pooling commute
with positive scaling and the next layer undoes it, so the features are the
original ones divided by each filter's mean.

References:
    Gatys, Ecker, Bethge, Texture Synthesis Using Convolutional Neural
    Networks, arXiv:1505.07376, section 2.
"""

import importlib.resources

import numpy as np

from tfstyle.network.layers import CONVOLUTIONS
from tfstyle.network.weight_files.arrays import LayerWeights

TABLE = "filter_means.npz"
"""File of the filter means, made by `tools/measure_filter_means.py`."""


def read_filter_means() -> dict[str, np.ndarray]:
    """Reads each filter's mean activation, float32 `[N_l]`, by layer name."""
    path = importlib.resources.files("tfstyle.network") / TABLE
    with path.open("rb") as file, np.load(file, allow_pickle=False) as table:
        return {layer.name: table[layer.name] for layer in CONVOLUTIONS}


def rescale(layers: dict[str, LayerWeights]) -> dict[str, LayerWeights]:
    """Rescales weights so that every filter has a mean activation of 1.

    `w' = w m_in / m_out`, `b' = b / m_out`, where m_in are the means of the
    previous layer's filters.

    Args:
        layers: kernel `[3, 3, C, N]` and bias `[N]` by Keras layer name.
    """
    rescaled, means_before = {}, np.ones(3, np.float32)
    for name, means in read_filter_means().items():
        kernel, bias = layers[name]
        scale = means_before[:, np.newaxis] / means
        rescaled[name] = kernel * scale, bias / means
        means_before = means
    return rescaled
