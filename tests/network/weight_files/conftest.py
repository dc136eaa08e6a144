"""Fixtures: a network of two layers, so that files are small."""

import numpy as np
import pytest

from tfstyle.network.layers import CONVOLUTIONS
from tfstyle.network.weight_files import arrays
from tfstyle.network.weight_files import caffe_files
from tfstyle.network.weight_files import matlab_files

TWO = CONVOLUTIONS[:2]


@pytest.fixture
def layers(monkeypatch):
    """Leaves VGG19 its first two layers; returns random ones, in Keras' order.

    They are those of no known network.
    """
    for module in (arrays, caffe_files, matlab_files):
        monkeypatch.setattr(module, "CONVOLUTIONS", TWO)
    generator = np.random.default_rng(3)
    return {
        layer.name: (
            generator.standard_normal(layer.kernel_shape, np.float32),
            generator.standard_normal(layer.channels, np.float32),
        )
        for layer in TWO
    }


@pytest.fixture
def tensors(layers):
    """Returns the layers as torch has them, `[C_out, C_in, 3, 3]`, by name."""
    found = {}
    for number, (kernel, bias) in enumerate(layers.values()):
        found[f"features.{2 * number}.weight"] = np.ascontiguousarray(
            kernel.transpose(3, 2, 0, 1)
        )
        found[f"features.{2 * number}.bias"] = bias
    found["classifier.0.weight"] = np.ones((4, 8), np.float32)
    return found
