"""Gradients in bfloat16 against float32, and outputs that are float32's."""

import numpy as np
import pytest
import tensorflow as tf

from tests import references
from tests.targets import make_extractor
from tests.targets import relative_error
from tfstyle.images.preprocessing import preprocess
from tfstyle.network import bfloat16
from tfstyle.network import vgg19
from tfstyle.network import winograd
from tfstyle.network.bfloat16 import Bfloat16Conv2D
from tfstyle.network.layers import CONVOLUTIONS
from tfstyle.network.options import NetworkOptions
from tfstyle.system import processors

# L2, of one layer; a bfloat16 has 8 bits, each operand is rounded to them.
DIRECT = 4e-3  # measured 2.9e-3
WINOGRAD = 1.5e-2  # measured 1.2e-2; its maps raise the error
FLOAT32 = 1e-5  # Winograd's algorithm and direct convolutions
NETWORK = 1e-2  # through five blocks; measured 3.0e-3

sums_in_float32 = pytest.mark.skipif(
    "avx512f" not in processors._read_instruction_sets(),
    reason="without AVX-512 TensorFlow's own kernels sum in bfloat16",
)


def make_layer(generator, channels, filters):
    layer = Bfloat16Conv2D(filters, 3, padding="same", activation="relu")
    layer.build((None, None, None, channels))
    scale = (9 * channels) ** -0.5
    layer.set_weights(
        [
            generator.normal(0, scale, (3, 3, channels, filters)),
            generator.normal(0, 0.1, filters),
        ]
    )
    layer.trainable = False
    return layer


def draw(generator, *shape):
    return tf.constant(generator.normal(0, 1, shape), tf.float32)


def evaluate(function, image, upstream):
    """Returns outputs and gradient of a function's graph."""

    @tf.function(autograph=False)
    def compute(image, upstream):
        with tf.GradientTape() as tape:
            tape.watch(image)
            outputs = function(image)
        return outputs, tape.gradient(outputs, image, upstream)

    return compute(image, upstream)


def evaluate_both(layer, image, upstream):
    """Returns outputs and gradient of a layer, and those of float32.

    The rectifiers of both are the layer's.
    """
    outputs, gradient = evaluate(layer, image, upstream)

    def linear(image):
        products = tf.nn.conv2d(image, layer.kernel, 1, "SAME")
        return products + layer.bias

    expected, _ = evaluate(linear, image, upstream)
    is_on = tf.cast(outputs > 0, tf.float32)
    _, expected_gradient = evaluate(linear, image, is_on * upstream)
    return (outputs, gradient), (tf.nn.relu(expected), expected_gradient)


@sums_in_float32
@pytest.mark.parametrize(
    ("channels", "filters", "side", "is_direct"),
    [
        (64, 64, 9, True),
        (64, 128, 8, True),
        (128, 128, 40, True),
        (128, 256, 20, True),
        (256, 256, 12, True),  # too small
        (256, 256, 64, False),
        (256, 512, 32, False),
        (512, 512, 16, False),
    ],
)
def test_layer_agrees_with_float32(
    generator, channels, filters, side, is_direct
):
    layer = make_layer(generator, channels, filters)
    image = draw(generator, 1, side, side, channels)
    upstream = draw(generator, 1, side, side, filters)
    table = bfloat16.FEWEST_POSITIONS
    assert winograd.is_faster(image.shape, filters, table) != is_direct
    found, expected = evaluate_both(layer, image, upstream)
    outputs, gradient = found
    assert relative_error(outputs, expected[0]) < FLOAT32
    bound = DIRECT if is_direct else WINOGRAD
    assert gradient.dtype == tf.float32
    assert 1e-3 < relative_error(gradient, expected[1]) < bound


@pytest.mark.parametrize(("channels", "side"), [(64, 20), (256, 64)])
def test_layer_gives_the_same_bits_every_time(generator, channels, side):
    layer = make_layer(generator, channels, channels)
    image = draw(generator, 1, side, side, channels)
    upstream = draw(generator, 1, side, side, channels)
    first, again = (evaluate(layer, image, upstream) for _ in range(2))
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a, b)


@sums_in_float32
def test_layer_takes_batches_and_unknown_sizes(generator):
    layer = make_layer(generator, 512, 512)
    batch = draw(generator, 2, 16, 16, 512)
    upstream = draw(generator, 2, 16, 16, 512)
    found, expected = evaluate_both(layer, batch, upstream)

    @tf.function(autograph=False)
    def compute(image):
        with tf.GradientTape() as tape:
            tape.watch(image)
            outputs = layer(image)
        return outputs, tape.gradient(outputs, image, upstream)

    unknown = compute.get_concrete_function(
        tf.TensorSpec([None, None, None, 512])
    )
    for outputs, gradient in (found, unknown(batch)):
        assert relative_error(outputs, expected[0]) < FLOAT32
        assert relative_error(gradient, expected[1]) < DIRECT


def test_first_layer_stays_in_float32(generator):
    layer = make_layer(generator, 3, 64)
    image = draw(generator, 1, 8, 8, 3)
    upstream = draw(generator, 1, 8, 8, 64)
    found, expected = evaluate_both(layer, image, upstream)
    for actual, wanted in zip(found, expected, strict=True):
        assert relative_error(actual, wanted) < 1e-6


def test_table_names_layers_of_the_network():
    shapes = {(layer.channels_in, layer.channels) for layer in CONVOLUTIONS}
    assert shapes > bfloat16.FEWEST_POSITIONS.keys()


def test_network_is_float32_between_convolutions(random_weights):
    network = vgg19.make_vgg19(
        random_weights.layers,
        NetworkOptions(
            convolution="winograd",
            precision="mixed_bfloat16",
            padding="replicate",
        ),
    )
    kinds = [type(x) for x in network.layers if "conv" in x.name]
    assert kinds == [vgg19.FirstConv2D] + [Bfloat16Conv2D] * 15
    assert {x.dtype_policy.name for x in network.layers} == {"float32"}
    assert {x.output.dtype for x in network.layers} == {"float32"}


@pytest.mark.slow
@pytest.mark.weights
def test_features_and_gradient_agree_with_float32(real_weights, samples):
    image = tf.constant(preprocess(samples[0][:128, :160]))

    def evaluate_network(precision):
        extractor = make_extractor(
            real_weights,
            references.LAYERS,
            convolution="winograd",
            precision=precision,
        )
        with tf.GradientTape() as tape:
            tape.watch(image)
            features = extractor.model(image)
            value = tf.add_n([tf.reduce_mean(f**2) for f in features.values()])
        return features, tape.gradient(value, image)

    features, gradient = evaluate_network("mixed_bfloat16")
    expected_features, expected_gradient = evaluate_network("float32")
    for name, expected in expected_features.items():
        np.testing.assert_array_equal(features[name], expected)
    assert relative_error(gradient, expected_gradient) < NETWORK
