"""VGG19 with its pooling rebuilt, edited from Keras' own application."""

import contextlib

import keras

from tfstyle import vgg19_layers
from tfstyle.weight_files import LayerWeights


def make_vgg19(
    layer_weights: dict[str, LayerWeights], pooling: str = "average"
) -> keras.Model:
    """Makes the convolutional part of VGG19, frozen.

    `keras.applications.VGG19` is cloned; with `pooling="average"` every
    MaxPooling2D becomes an AveragePooling2D of the same name. With `max` the
    outputs equal those of the untouched application, bit for bit.

    Args:
        layer_weights: kernel and bias of the sixteen convolutions by name.
        pooling: `average`, as in the paper, or `max`, as VGG19 was trained.

    Returns:
        A model from float32 `[B, H, W, 3]`, BGR without the mean, to the
        output of `block5_pool`.

    Raises:
        RuntimeError: if Keras does not run on TensorFlow.
    """
    if keras.config.backend() != "tensorflow":
        raise RuntimeError(
            "Keras must run on the TensorFlow backend. Received:"
            f" {keras.config.backend()!r}. Set KERAS_BACKEND=tensorflow."
        )

    def clone(layer):
        settings = layer.get_config()
        if pooling == "average" and isinstance(
            layer, keras.layers.MaxPooling2D
        ):
            return keras.layers.AveragePooling2D.from_config(settings)
        return type(layer).from_config(settings)

    with _plain_defaults():
        application = keras.applications.VGG19(
            include_top=False, weights=None, input_shape=(None, None, 3)
        )
        network = keras.models.clone_model(application, clone_function=clone)
    for layer in vgg19_layers.CONVOLUTIONS:
        network.get_layer(layer.name).set_weights(layer_weights[layer.name])
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
