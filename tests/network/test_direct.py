"""Direct convolution as a gradient, against TensorFlow's own."""

import functools

import pytest
import tensorflow as tf

from tests.network.test_winograd import FLOAT32
from tests.network.test_winograd import directly
from tests.network.test_winograd import make_layer
from tests.targets import relative_error
from tfstyle.network import direct
from tfstyle.network import winograd
from tfstyle.system import processors


def evaluate(convolve, image, upstream):
    with tf.GradientTape() as tape:
        tape.watch(image)
        outputs = convolve(image)
    return outputs, tape.gradient(outputs, image, upstream)


@pytest.mark.parametrize("in_graph", [False, True])
@pytest.mark.parametrize("size", [(1, 1, 1), (2, 2, 9), (3, 13, 18)])
def test_convolve_equals_the_forward_pass(generator, size, in_graph):
    kernel, bias = make_layer(generator, 5, 7)
    turned = direct.turn_kernel(kernel)
    image = tf.constant(generator.normal(0, 1, (*size, 5)), tf.float32)
    upstream = tf.constant(generator.normal(0, 1, (*size, 7)), tf.float32)

    def convolve(image):
        return direct.convolve(image, kernel, turned, bias)

    found = evaluate(
        tf.function(convolve) if in_graph else convolve, image, upstream
    )
    expected = evaluate(
        lambda image: directly(image, kernel, bias), image, upstream
    )
    for one, other in zip(found, expected, strict=True):
        assert relative_error(one, other) < FLOAT32


def test_layer_computes_the_same_either_way(generator, monkeypatch):
    layer = winograd.WinogradConv2D(4, 3, padding="same", activation="relu")
    layer.build((None, None, None, 6))
    layer.bias.assign(generator.normal(0, 1, 4))
    image = tf.constant(generator.normal(0, 1, (2, 9, 8, 6)), tf.float32)
    upstream = tf.constant(generator.normal(0, 1, (2, 9, 8, 4)), tf.float32)
    pairs = []
    for answer in (False, True):
        monkeypatch.setattr(
            processors, "is_gradient_faster", functools.partial(bool, answer)
        )
        pairs.append(evaluate(layer, image, upstream))
    assert layer._turned_kernel is not None
    for one, other in zip(*pairs, strict=True):
        assert relative_error(one, other) < FLOAT32
