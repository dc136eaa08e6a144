"""The input of a network, found from its first layer and folded into it."""

import numpy as np
import pytest

from tests.refusals import refuses
from tfstyle.errors import WeightsError
from tfstyle.network.weight_files import inputs
from tfstyle.network.weight_files.inputs import INPUTS
from tfstyle.network.weight_files.inputs import convert

FIRST = "block1_conv1"


@pytest.mark.weights
@pytest.mark.parametrize("asked", ["auto", "caffe"])
@pytest.mark.parametrize("stated", [None, INPUTS["caffe"]])
@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("axes", [(0, 1), (1, 0)])
def test_caffe_s_network_is_recognised_in_any_order(
    real_weights, asked, stated, order, axes
):
    layers = real_weights.layers
    turned = {n: (k.transpose(*axes, 2, 3), b) for n, (k, b) in layers.items()}
    kernel, bias = turned[FIRST]
    turned[FIRST] = kernel[:, :, ::order], bias
    found, offset, network = convert(turned, stated, asked)
    assert (network, offset) == ("Caffe's VGG19", (0, 0, 0))
    for name, arrays in layers.items():
        for array, other in zip(found[name], arrays, strict=True):
            np.testing.assert_array_equal(array, other)


@pytest.mark.weights
def test_rescaled_and_rounded_copies_are_recognised(real_weights):
    kernel, bias = real_weights.layers[FIRST]
    means = np.geomspace(0.1, 1000, 64, dtype=np.float32)
    for copy in (kernel / means, kernel.astype(np.float16)):
        changed = real_weights.layers | {FIRST: (copy, bias)}
        assert convert(changed, None)[2].startswith("Caffe's VGG19")
    changed = real_weights.layers | {FIRST: (kernel / means, bias)}
    assert convert(changed, None)[2] == "Caffe's VGG19, filters rescaled"
    larger = real_weights.layers | {FIRST: (kernel * 255, bias)}
    with refuses("", "--weights_input", kind=WeightsError):
        convert(larger, None)  # for another input


@pytest.fixture
def torchvision(layers):
    """Returns layers with the filter that torchvision's network is known by."""
    kernel, bias = layers[FIRST]
    kernel[..., 0] = inputs._TORCHVISION_FILTER.transpose(1, 2, 0)
    return layers | {FIRST: (kernel, bias)}


@pytest.mark.parametrize("stated", [None, INPUTS["caffe"]])
def test_torchvision_s_input_is_folded_into_kernel_and_offset(
    torchvision, stated
):
    found, offset, network = convert(torchvision, stated)
    assert network == "torchvision's VGG19"
    generator = np.random.default_rng(0)
    rgb = generator.uniform(0, 255, (3, 3, 3))
    normal = (rgb / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    ours = rgb[..., ::-1] - [103.939, 116.779, 123.68] + offset
    np.testing.assert_allclose(
        np.einsum("hwc,hwcn->n", ours, found[FIRST][0]),
        np.einsum("hwc,hwcn->n", normal, torchvision[FIRST][0]),
        rtol=1e-5,
        atol=1e-5,
    )
    # Zero in the network's own input is this of ours.
    pad = -np.array(offset) + [103.939, 116.779, 123.68]
    np.testing.assert_allclose(pad[::-1] / 255, [0.485, 0.456, 0.406])
    assert found["block1_conv2"] is torchvision["block1_conv2"]
    kernel, bias = torchvision[FIRST]
    folded = torchvision | {FIRST: (kernel / np.float32(0.224), bias)}
    with refuses("", "--weights_input", kind=WeightsError):
        convert(folded, None)  # deviation folded into the kernel already


def test_unknown_networks_take_what_is_stated_or_asked_for(layers, torchvision):
    generator = np.random.default_rng(7)
    kernel = generator.standard_normal((3, 3, 3, 64), np.float32)
    layers = layers | {FIRST: (kernel, layers[FIRST][1])}
    with refuses("", "neither Caffe's nor torchvision's", kind=WeightsError):
        convert(layers, None)
    found, offset, network = convert(layers, INPUTS["caffe"])
    np.testing.assert_array_equal(found[FIRST][0], kernel)
    assert (offset, network) == ((0, 0, 0), "a VGG19 with BGR input, 0..255")
    asked = convert(layers, INPUTS["caffe"], "torchvision")
    assert asked[2] == "a VGG19 with torchvision's input"
    assert asked[1] == convert(torchvision, None)[1]
    with refuses("", "torchvision's VGG19", "=caffe", kind=WeightsError):
        convert(torchvision, INPUTS["caffe"], "caffe")
