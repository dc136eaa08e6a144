"""Winograd's convolution against TensorFlow's own."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests import references
from tests.targets import make_extractor
from tests.targets import relative_error
from tfstyle.images.preprocessing import preprocess
from tfstyle.network import vgg19
from tfstyle.network import winograd
from tfstyle.network.options import NetworkOptions

FLOAT32 = 1e-5  # L2, one convolution; measured 2e-6
FEATURES = 2e-4  # five blocks of them
GRADIENT = 2e-3  # rectifiers at zero may switch


def make_layer(generator, channels, filters):
    kernel = generator.normal(0, 1, (3, 3, channels, filters))
    bias = generator.normal(0, 1, filters)
    return tf.constant(kernel, tf.float32), tf.constant(bias, tf.float32)


def directly(image, kernel, bias):
    return tf.nn.relu(tf.nn.conv2d(image, kernel, 1, "SAME") + bias)


def by_winograd(image, kernel, bias):
    transformed = winograd.transform_kernel(kernel)
    return winograd.convolve(image, transformed, bias)


@pytest.mark.parametrize("in_graph", [False, True])
@pytest.mark.parametrize(
    "size", [(1, 1), (2, 9), (4, 4), (5, 3), (13, 18), (33, 7)]
)
def test_convolve_equals_direct(generator, size, in_graph, monkeypatch):
    monkeypatch.setattr(winograd, "STRIP_BLOCKS", 6)  # strips of a few rows
    kernel, bias = make_layer(generator, 5, 7)
    image = tf.constant(generator.normal(0, 1, (1, *size, 5)), tf.float32)
    upstream = tf.constant(generator.normal(0, 1, (1, *size, 7)), tf.float32)

    def evaluate(convolve):
        with tf.GradientTape() as tape:
            tape.watch(image)
            outputs = convolve(image, kernel, bias)
        return outputs, tape.gradient(outputs, image, upstream)

    outputs, gradient = evaluate(
        tf.function(by_winograd) if in_graph else by_winograd
    )
    expected_outputs, expected_gradient = evaluate(directly)
    assert relative_error(outputs, expected_outputs) < FLOAT32
    assert relative_error(gradient, expected_gradient) < FLOAT32


def test_convolve_does_not_depend_on_strips(generator, monkeypatch):
    kernel, bias = make_layer(generator, 16, 16)
    image = tf.constant(generator.normal(0, 1, (1, 70, 30, 16)), tf.float32)
    whole = by_winograd(image, kernel, bias)
    monkeypatch.setattr(winograd, "STRIP_BLOCKS", 1)
    assert relative_error(by_winograd(image, kernel, bias), whole) < FLOAT32
    monkeypatch.setattr(winograd, "MAX_STRIPS", 3)
    assert relative_error(by_winograd(image, kernel, bias), whole) < FLOAT32


def test_turned_kernel_is_a_permutation_of_the_kernel(generator):
    kernel = generator.normal(0, 1, 3)
    numbers = winograd._KERNEL_MAP @ kernel
    turned = winograd._KERNEL_MAP @ kernel[::-1]
    np.testing.assert_allclose(turned, numbers[winograd.INVERSES], rtol=1e-12)


def test_maps_convolve_in_float64(generator):
    patch, kernel = generator.normal(0, 1, 6), generator.normal(0, 1, 3)
    numbers = winograd._PATCH_MAP @ patch
    outputs = winograd._BLOCK_MAP @ (winograd._KERNEL_MAP @ kernel * numbers)
    expected = np.correlate(patch, kernel, "valid")
    np.testing.assert_allclose(outputs, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("shape", "is_fast"),
    [
        ((1, 32, 32, 128), True),
        ((2, 32, 32, 128), False),
        ((1, None, 32, 128), False),
        ((None, 32, 32, 128), False),
        ((1, 32, 32, 3), False),
    ],
)
def test_layer_is_direct_where_winograd_cannot_be(shape, is_fast):
    layer = winograd.WinogradConv2D(128, 3, padding="same", activation="relu")
    layer.build((None, None, None, shape[-1]))
    graph = tf.function(lambda image: layer(image)).get_concrete_function(
        tf.TensorSpec(shape, tf.float32)
    )
    kinds = {operation.type for operation in graph.graph.get_operations()}
    is_direct = bool(kinds & {"Conv2D", "Conv2DBackpropInput"})
    assert is_direct != is_fast


def test_small_frames_are_direct(monkeypatch):
    monkeypatch.setitem(winograd.FEWEST_POSITIONS, (128, 128), 65)
    for width, is_fast in ((8, False), (9, True)):
        shape = tf.TensorShape((1, 8, width, 128))
        table = winograd.FEWEST_POSITIONS
        assert winograd.is_faster(shape, 128, table) == is_fast


def test_network_keeps_names_weights_and_configuration(random_weights):
    direct, fast = (
        vgg19.make_vgg19(
            random_weights.layers, NetworkOptions(convolution=convolution)
        )
        for convolution in ("direct", "winograd")
    )
    names = [[x.name for x in n.layers[1:]] for n in (fast, direct)]
    assert names[0] == names[1]
    assert [w.path for w in fast.weights] == [w.path for w in direct.weights]
    for a, b in zip(fast.weights, direct.weights, strict=True):
        np.testing.assert_array_equal(a, b)
    for network, kind in (
        (fast, winograd.WinogradConv2D),
        (direct, keras.layers.Conv2D),
    ):
        kinds = [type(x) for x in network.layers if "conv" in x.name]
        assert kinds == [kind] * 16


@pytest.mark.weights
def test_features_and_gradient_of_the_network_equal_direct(
    real_weights, samples
):
    image = tf.constant(preprocess(samples[0][:157, :203]))

    def evaluate(convolution):
        extractor = make_extractor(
            real_weights, references.LAYERS, convolution=convolution
        )
        with tf.GradientTape() as tape:
            tape.watch(image)
            features = extractor.model(image)
            value = tf.add_n([tf.nn.l2_loss(f) for f in features.values()])
        return features, tape.gradient(value, image)

    features, gradient = evaluate("winograd")
    expected_features, expected_gradient = evaluate("direct")
    for name, expected in expected_features.items():
        assert relative_error(features[name], expected) < FEATURES
    assert relative_error(gradient, expected_gradient) < GRADIENT
