"""VGG19 with other pooling and convolutions, cloned from Keras Applications."""

import contextlib
import functools

import keras
import tensorflow as tf

from tfstyle.network import layers as vgg19_layers
from tfstyle.network import pooling as rms_pooling
from tfstyle.network.bfloat16 import Bfloat16Conv2D
from tfstyle.network.options import NetworkOptions
from tfstyle.network.weight_files.arrays import LayerWeights
from tfstyle.network.winograd import WinogradConv2D
from tfstyle.system.gradients import custom_gradient

FLOAT16_DIVISOR = 16.0
"""Divisor of inputs and biases that keeps activations below float16's 65504.

A power of two is exact. Convolution, ReLU and pooling are homogeneous if the
biases are scaled, too. Photographs and paintings reach activations of 6300,
blocks of random colours 19000.
"""


FIRST = vgg19_layers.CONVOLUTIONS[0].name


AROUND = [[0, 0], [1, 1], [1, 1], [0, 0]]
"""Padding by one position on each side of `[B, H, W, C]`."""


@custom_gradient
def _repeat_edges(image: tf.Tensor) -> tf.Tensor:
    """Pads by the outermost pixels, `[B, H, W, C]` to `[B, H+2, W+2, C]`.

    XLA compiles TensorFlow's own gradient anew for every image, if the padding
    is in a loaded SavedModel.
    """

    def gradient(upstream):
        return tf.raw_ops.MirrorPadGrad(
            input=upstream, paddings=AROUND, mode="SYMMETRIC"
        )

    return tf.pad(image, AROUND, "SYMMETRIC"), gradient


@keras.saving.register_keras_serializable("tfstyle")
class FirstConv2D(keras.layers.Conv2D):
    """3x3 `Conv2D` of an input with an offset, with edge padding or zeros.

    Edge padding repeats the outermost pixels. Zero is grey in VGG19's input
    space: with zero padding the first layer
    detects an edge around the image, and the optimisation produces a fringe of
    different contrast.

    Notes: textures of gravel from noise, 120 px, mean of five seeds: standard
    deviation of the outermost two pixels relative to the inside, by side, 0.88,
    0.84, 0.94, 0.89 with zeros, 1.02, 1.05, 1.01, 1.01 with edge padding. With
    edge padding in all convolutions it is too high: 1.15, 1.22, 1.19, 1.13.

    Args:
        offset: addend of each channel, before padding.
        edge: `replicate` or `zero`.
        **settings: settings of `Conv2D`; its padding is `valid` with
            `replicate`, else `same`.
    """

    def __init__(self, *, offset, edge, **settings):
        super().__init__(**settings)
        self.offset = offset
        self.edge = edge

    def call(self, inputs):
        """Convolves `[B, H, W, C]`, keeping height and width."""
        if any(self.offset):
            inputs += tf.constant(self.offset, inputs.dtype)
        if self.edge == "replicate":
            inputs = _repeat_edges(inputs)
        return super().call(inputs)

    def get_config(self):
        """Returns the settings."""
        own = {"offset": self.offset, "edge": self.edge}
        return super().get_config() | own

    def compute_output_shape(self, input_shape):
        """Returns the input's shape with the number of filters as channels."""
        return (*input_shape[:-1], self.filters)


def make_vgg19(
    layer_weights: dict[str, LayerWeights],
    options: NetworkOptions,
    offset: tuple[float, float, float] = (0.0, 0.0, 0.0),
) -> keras.Model:
    """Makes the convolutional part of VGG19, frozen.

    `keras.applications.VGG19` is cloned; with average pooling every
    MaxPooling2D becomes an AveragePooling2D of the same name, with `rms` a
    `RootMeanSquarePooling2D`. With `max` the outputs equal those of the
    original application, bit for bit. With Winograd convolution every Conv2D
    becomes a `WinogradConv2D`, or with `mixed_bfloat16` precision a
    `Bfloat16Conv2D`, whose outputs are computed in float32 and only gradients
    in bfloat16.

    Args:
        layer_weights: kernel and bias of the sixteen convolutions by name.
        options: options of the network.
        offset: addend of the input of each channel, BGR.

    Returns:
        A model from float32 `[B, H, W, 3]`, BGR without the mean, to the
        output of `block5_pool`, in the policy's compute dtype, or float32 with
        Winograd convolution.

    Raises:
        RuntimeError: if Keras does not run on TensorFlow.
    """
    if keras.config.backend() != "tensorflow":
        raise RuntimeError(
            "Keras must run on the TensorFlow backend. Received:"
            f" {keras.config.backend()!r}. Set KERAS_BACKEND=tensorflow."
        )

    precision = options.precision
    divisor = FLOAT16_DIVISOR if precision == "mixed_float16" else 1
    make_pooling = {
        "average": keras.layers.AveragePooling2D,
        "max": keras.layers.MaxPooling2D,
        "rms": functools.partial(
            rms_pooling.RootMeanSquarePooling2D,
            epsilon=rms_pooling.EPSILON / divisor**2,
        ),
    }[options.pooling]
    is_winograd = options.convolution == "winograd"
    policy = "float32" if is_winograd else precision
    fast_layer = WinogradConv2D if precision == "float32" else Bfloat16Conv2D

    def clone(layer):
        settings = layer.get_config() | {"dtype": policy}
        if isinstance(layer, keras.layers.MaxPooling2D):
            return make_pooling(**settings)
        is_special = options.padding == "replicate" or any(offset)
        if is_special and layer.name == FIRST:
            settings["edge"] = options.padding
            if options.padding == "replicate":
                settings["padding"] = "valid"
            settings["offset"] = [x / divisor for x in offset]
            return FirstConv2D.from_config(settings)
        if is_winograd and isinstance(layer, keras.layers.Conv2D):
            return fast_layer.from_config(settings)
        return type(layer).from_config(settings)

    with _plain_defaults():
        application = keras.applications.VGG19(
            include_top=False, weights=None, input_shape=(None, None, 3)
        )
        network = keras.models.clone_model(application, clone_function=clone)
    for layer in vgg19_layers.CONVOLUTIONS:
        kernel, bias = layer_weights[layer.name]
        network.get_layer(layer.name).set_weights([kernel, bias / divisor])
    network.trainable = False
    return network


@contextlib.contextmanager
def _plain_defaults():
    """Overrides the layout and precision of the user's keras.json."""
    layout = keras.config.image_data_format()
    policy = keras.config.dtype_policy()
    keras.config.set_image_data_format("channels_last")
    keras.config.set_dtype_policy("float32")
    try:
        yield
    finally:
        keras.config.set_image_data_format(layout)
        keras.config.set_dtype_policy(policy)
