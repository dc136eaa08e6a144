"""VGG19 with its pooling rebuilt, edited from Keras' own application."""

import contextlib

import keras

from tfstyle import vgg19_layers
from tfstyle.weight_files import LayerWeights
from tfstyle.winograd import WinogradConv2D

FLOAT16_DIVISOR = 16.0
"""What keeps activations far below float16's 65504; a power of two is exact.

Convolution, rectifier and pooling scale along with their input, if the biases
do. Photographs and paintings reach 6300, blocks of random colours 19000.
"""


def make_vgg19(
    layer_weights: dict[str, LayerWeights],
    pooling: str = "average",
    convolution: str = "direct",
    precision: str = "float32",
) -> keras.Model:
    """Makes the convolutional part of VGG19, frozen.

    `keras.applications.VGG19` is cloned; with `pooling="average"` every
    MaxPooling2D becomes an AveragePooling2D of the same name. With `max` the
    outputs equal those of the untouched application, bit for bit. With
    `convolution="winograd"` every Conv2D becomes a `WinogradConv2D`.

    Args:
        layer_weights: kernel and bias of the sixteen convolutions by name.
        pooling: `average`, as in the paper, or `max`, as VGG19 was trained.
        convolution: `direct`, or `winograd`, for single images on the CPU.
        precision: a Keras dtype policy. With `mixed_float16` the biases are
            divided by FLOAT16_DIVISOR, and so the image must be.

    Returns:
        A model from float32 `[B, H, W, 3]`, BGR without the mean, to the
        output of `block5_pool`, in the policy's compute dtype.

    Raises:
        RuntimeError: if Keras does not run on TensorFlow.
    """
    if keras.config.backend() != "tensorflow":
        raise RuntimeError(
            "Keras must run on the TensorFlow backend. Received:"
            f" {keras.config.backend()!r}. Set KERAS_BACKEND=tensorflow."
        )

    def clone(layer):
        settings = layer.get_config() | {"dtype": precision}
        if pooling == "average" and isinstance(
            layer, keras.layers.MaxPooling2D
        ):
            return keras.layers.AveragePooling2D.from_config(settings)
        if convolution == "winograd" and isinstance(layer, keras.layers.Conv2D):
            return WinogradConv2D.from_config(settings)
        return type(layer).from_config(settings)

    with _plain_defaults():
        application = keras.applications.VGG19(
            include_top=False, weights=None, input_shape=(None, None, 3)
        )
        network = keras.models.clone_model(application, clone_function=clone)
    for layer in vgg19_layers.CONVOLUTIONS:
        kernel, bias = layer_weights[layer.name]
        if precision == "mixed_float16":
            bias = bias / FLOAT16_DIVISOR
        network.get_layer(layer.name).set_weights([kernel, bias])
    network.trainable = False
    return network


@contextlib.contextmanager
def _plain_defaults():
    """Shields the network from a keras.json of another layout or precision."""
    layout, policy = (
        keras.config.image_data_format(),
        keras.config.dtype_policy(),
    )
    keras.config.set_image_data_format("channels_last")
    keras.config.set_dtype_policy("float32")
    try:
        yield
    finally:
        keras.config.set_image_data_format(layout)
        keras.config.set_dtype_policy(policy)
