"""Pooling by root mean square: values, gradient, edges, what it passes on."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests import references
from tests.targets import make_extractor
from tfstyle.network import pooling
from tfstyle.network import vgg19

FLOAT32 = 1e-6  # relative, of sixteen products
SIZES = [(8, 10), (9, 7), (2, 2), (3, 2)]


def make_layer(**settings):
    return pooling.RootMeanSquarePooling2D(
        pool_size=(2, 2), strides=(2, 2), **settings
    )


def differentiate(layer, x, upstream):
    """Returns a layer's outputs and gradient for `[H, W, C]`."""
    x = tf.constant(x[None], tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(x)
        outputs = layer(x)
    gradient = tape.gradient(
        outputs, x, output_gradients=tf.constant(upstream[None], tf.float32)
    )
    return outputs[0].numpy(), gradient[0].numpy()


def test_window_by_hand():
    x = np.array([[[1.0], [2.0]], [[3.0], [4.0]]], np.float32)
    found = make_layer()(x[None])
    # All are outermost: 2/3 of 3/8, which is 1/4, each way.
    expected = np.sqrt((1 + 4 + 9 + 16) / 16 + 1e-4)
    np.testing.assert_allclose(found, [[[[expected]]]], rtol=FLOAT32)


def test_window_weighs_one_three_three_one():
    x = np.zeros((1, 8, 8, 1), np.float32)
    x[0, 3, 3] = 8.0
    found = make_layer(epsilon=0.0)(x)[0, :, :, 0]
    # Position 3 is the fourth in window 1, after 2; the first in window 2.
    weights = np.sqrt([0, 3, 1, 0])
    np.testing.assert_allclose(
        found, np.outer(weights, weights), rtol=FLOAT32, atol=1e-6
    )


@pytest.mark.parametrize("size", SIZES)
def test_values_and_gradient_equal_float64(generator, size):
    x = np.maximum(generator.normal(0, 50, (*size, 3)), 0)
    upstream = generator.normal(size=(size[0] // 2, size[1] // 2, 3))
    outputs, gradient = differentiate(make_layer(), x, upstream)
    x = x.astype(np.float32).astype(np.float64)
    np.testing.assert_allclose(
        outputs, references.root_mean_square(x), rtol=FLOAT32
    )
    np.testing.assert_allclose(
        gradient,
        references.root_mean_square_gradient(upstream, x),
        rtol=1e-5,
        atol=1e-6,
    )


def test_gradient_of_zeros_is_zero():
    outputs, gradient = differentiate(
        make_layer(), np.zeros((8, 8, 2)), np.ones((4, 4, 2))
    )
    np.testing.assert_allclose(outputs, 1e-2, rtol=1e-6)
    np.testing.assert_array_equal(gradient, 0)


@pytest.mark.parametrize("period", [8 / 3, 3.3])
def test_gratings_that_half_as_many_positions_cannot_hold_fade(period):
    places = np.arange(64)
    grating = 1 + np.cos(2 * np.pi * places / period + 0.3)
    x = np.tile(grating.astype(np.float32), (64, 1))[None, :, :, None]
    found = make_layer()(x).numpy()[0, 16, 2:-2, 0]
    plain = keras.layers.AveragePooling2D((2, 2))
    squares = np.sqrt(plain(x**2))[0, 16, 2:-2, 0]
    assert found.std() < squares.std() / 2


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_squares_of_half_precision_do_not_overflow(dtype):
    x = tf.fill((1, 6, 6, 1), tf.constant(1000.0, dtype))
    found = make_layer(dtype=f"mixed_{dtype}")(x)
    assert found.dtype == dtype
    assert float(found[0, 1, 1, 0]) == 1000
    # At a corner, (2 + 3 + 1) / 8 each way.
    assert float(found[0, 0, 0, 0]) == pytest.approx(750, rel=2**-8)


def test_epsilon_follows_the_divisor_of_float16(random_weights):
    model = make_extractor(
        random_weights,
        ["block1_pool"],
        pooling="rms",
        precision="mixed_float16",
    ).model
    epsilon = model.get_layer("block1_pool").epsilon
    assert epsilon == pooling.EPSILON / vgg19.FLOAT16_DIVISOR**2


def test_unknown_sizes_give_the_same(generator):
    layer = make_layer()
    run = tf.function(
        layer,
        autograph=False,
        input_signature=[tf.TensorSpec([None, None, None, 3])],
    )
    for size in SIZES:
        x = generator.normal(0, 50, (2, *size, 3)).astype(np.float32)
        np.testing.assert_array_equal(run(x), layer(x))


@pytest.mark.slow
def test_xla_gives_the_same(generator):
    x = tf.constant(generator.normal(0, 50, (1, 9, 12, 3)), tf.float32)
    layer = make_layer()

    def run(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_sum(tf.square(layer(x)))
        return tape.gradient(loss, x)

    np.testing.assert_allclose(
        tf.function(run, jit_compile=True, autograph=False)(x),
        run(x),
        rtol=1e-5,
    )
