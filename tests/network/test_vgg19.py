"""The network, edited from Keras' application."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests import references
from tfstyle.network import vgg19
from tfstyle.network.options import NetworkOptions

FLOAT32 = 1e-4  # sixteen convolutions of float32 against float64


@pytest.fixture(scope="module")
def image():
    generator = np.random.default_rng(0)
    pixels = generator.normal(0, 60, (1, 37, 50, 3))
    return tf.constant(pixels, tf.float32)


def make_network(weights, **options):
    return vgg19.make_vgg19(weights.layers, NetworkOptions(**options))


def outputs_of(network, image):
    layers = network.layers[1:]
    model = keras.Model(network.inputs[0], {x.name: x.output for x in layers})
    return {name: value.numpy() for name, value in model(image).items()}


def test_max_pooling_equals_keras_application_bit_for_bit(
    random_weights, image
):
    application = keras.applications.VGG19(
        include_top=False, weights=None, input_shape=(None, None, 3)
    )
    for name, arrays in random_weights.layers.items():
        application.get_layer(name).set_weights(arrays)
    network = make_network(random_weights, pooling="max")
    expected = outputs_of(application, image)
    actual = outputs_of(network, image)
    assert list(actual) == list(expected)
    for name, value in expected.items():
        np.testing.assert_array_equal(actual[name], value)


@pytest.mark.parametrize("pooling", ["average", "max", "rms"])
def test_every_layer_equals_float64(random_weights, image, pooling):
    network = make_network(random_weights, pooling=pooling)
    expected = references.forward(
        image[0].numpy(), random_weights.layers, "block5_pool", pooling
    )
    for name, value in outputs_of(network, image).items():
        error = np.linalg.norm(value[0] - expected[name])
        assert error < FLOAT32 * np.linalg.norm(expected[name])


@pytest.mark.parametrize("precision", ["float32", "mixed_float16"])
@pytest.mark.parametrize("padding", ["zero", "replicate"])
def test_offset_is_added_before_the_image_is_padded(
    random_weights, image, padding, precision
):
    options = NetworkOptions(padding=padding, precision=precision)
    offset = (-3.0, 5.0, 8.0)
    network = vgg19.make_vgg19(random_weights.layers, options, offset)
    divisor = vgg19.FLOAT16_DIVISOR if precision == "mixed_float16" else 1
    found = network.get_layer("block1_conv1")(image / divisor) * divisor
    mode = "constant" if padding == "zero" else "edge"
    around = [(0, 0), (1, 1), (1, 1), (0, 0)]
    shifted = np.pad(image.numpy() + np.float32(offset), around, mode)
    kernel, bias = random_weights.layers["block1_conv1"]
    expected = tf.nn.relu(tf.nn.conv2d(shifted, kernel, 1, "VALID") + bias)
    error = np.linalg.norm(np.float32(found) - expected)
    limit = 1e-6 if precision == "float32" else 2e-3
    assert error < limit * np.linalg.norm(expected)


@pytest.mark.parametrize("convolution", ["direct", "winograd"])
def test_replicate_repeats_the_outermost_pixels_for_the_first_layer(
    random_weights, image, convolution
):
    zero, replicate = (
        outputs_of(
            make_network(
                random_weights, convolution=convolution, padding=padding
            ),
            image,
        )
        for padding in ("zero", "replicate")
    )
    kernel, bias = random_weights.layers["block1_conv1"]
    padded = np.pad(image[0], ((1, 1), (1, 1), (0, 0)), mode="edge")
    whole = references.convolve(padded.astype(np.float64), kernel, bias)
    expected = np.maximum(whole[1:-1, 1:-1], 0)
    error = np.linalg.norm(replicate["block1_conv1"][0] - expected)
    assert error < FLOAT32 * np.linalg.norm(expected)
    assert list(replicate) == list(zero)
    for name, value in zero.items():
        assert replicate[name].shape == value.shape
    inside = slice(1, -1), slice(1, -1)
    np.testing.assert_allclose(
        replicate["block1_conv1"][0][inside],
        zero["block1_conv1"][0][inside],
        atol=FLOAT32 * np.abs(expected).max(),
    )


def test_pooling_is_swapped_in_a_frozen_network(random_weights):
    network = make_network(random_weights)
    assert not network.trainable_weights
    for block in range(1, 6):
        layer = network.get_layer(f"block{block}_pool")
        assert type(layer) is keras.layers.AveragePooling2D
        assert layer.pool_size == layer.strides == (2, 2)


def test_network_does_not_heed_keras_json(random_weights, image):
    expected = outputs_of(make_network(random_weights), image)
    keras.config.set_image_data_format("channels_first")
    keras.config.set_dtype_policy("mixed_float16")
    try:
        network = make_network(random_weights)
        assert keras.config.image_data_format() == "channels_first"
        assert keras.config.dtype_policy().name == "mixed_float16"
    finally:
        keras.config.set_image_data_format("channels_last")
        keras.config.set_dtype_policy("float32")
    for name, value in outputs_of(network, image).items():
        np.testing.assert_array_equal(value, expected[name])


def test_other_backend_is_refused(random_weights, monkeypatch):
    monkeypatch.setattr(keras.config, "backend", lambda: "jax")
    with pytest.raises(RuntimeError, match=r"TensorFlow backend.*'jax'"):
        make_network(random_weights)
