"""Multi-output models: an image in, the features of several layers out."""

import dataclasses
from collections.abc import Iterable

import keras
import tensorflow as tf

from tfstyle import vgg
from tfstyle.config import Config
from tfstyle.weights import load_weights


@dataclasses.dataclass(frozen=True)
class Extractor:
    """A feature model and what it was made of.

    Attributes:
        model: a Keras model from float32 `[B, H, W, 3]`, BGR without the mean,
            to `{layer name: float32 [B, H_l, W_l, N_l]}`, rectified.
        origin: where the weights came from, for people.
        sha256: of the weights' values.
    """

    model: keras.Model
    origin: str
    sha256: str

    def __call__(self, image: tf.Tensor) -> dict[str, tf.Tensor]:
        """Returns the features of an image by Keras layer name."""
        return self.model(image, training=False)


def make_extractor(config: Config) -> Extractor:
    """Makes the extractor of a run's content and style layers.

    Raises:
        WeightsError: if the weights cannot be had.
    """
    weights = load_weights(config.weights, config.seed)
    network = vgg.make_vgg19(weights.layers, config.pooling)
    model = make_feature_model(
        network, (*config.content_layers, *config.style_layers)
    )
    return Extractor(model, weights.origin, weights.sha256)


def make_feature_model(
    network: keras.Model, layers: Iterable[str]
) -> keras.Model:
    """Cuts a network after the deepest of some layers and returns them all.

    Args:
        network: what `vgg.make_vgg19` made.
        layers: Keras layer names; a name may come twice.
    """
    outputs = {name: network.get_layer(name).output for name in layers}
    return keras.Model(network.inputs[0], outputs, name="features")
