"""Multi-output models: an image in, the features of several layers out."""

import dataclasses
import functools
import hashlib
from collections.abc import Iterable

import keras
import tensorflow as tf

from tfstyle.config.config import Config
from tfstyle.network import vgg19
from tfstyle.network.weights import load_weights
from tfstyle.objective.gram import GramSum
from tfstyle.objective.gram import region_sums
from tfstyle.system.recent import Recent
from tfstyle.system.tensorflow_setup import resolve_for_machine
from tfstyle.system.tensorflow_setup import return_freed_memory

MAX_GRAPHS = 12
"""Functions compiled for one network that are kept, each for one shape."""
MAX_STYLES = 64
"""Images whose Gram sums are kept; those of the paper's layers are 2.4 MB."""


@dataclasses.dataclass(frozen=True)
class Extractor:
    """A feature model and what it was made of.

    Attributes:
        model: a Keras model from float32 `[B, H, W, 3]`, BGR without the mean,
            to `{layer name: [B, H_l, W_l, N_l]}`, rectified.
        origin: where the weights came from, for people.
        sha256: of the weights' values.
        precision: the Keras dtype policy of the model.
    """

    model: keras.Model
    origin: str
    sha256: str
    precision: str = "float32"

    def __call__(self, image: tf.Tensor) -> dict[str, tf.Tensor]:
        """Returns the features of an image by Keras layer name.

        Args:
            image: float32 `[B, H, W, 3]`, BGR without the mean.

        Returns:
            float32 `[B, H_l, W_l, N_l]`, whatever the precision.
        """
        run = self.graphs.get(("features", image.shape), self._make_run)
        return run(image)

    def features(
        self, image: tf.Tensor, names: Iterable[str]
    ) -> dict[str, tf.Tensor]:
        """Returns some layers' features of a whole image."""
        features = self(image)
        return {name: features[name] for name in names}

    def gram_sums(
        self,
        image: tf.Tensor,
        names: Iterable[str],
        masks: dict[str, list[tf.Tensor]],
    ) -> dict[str, list[GramSum]]:
        """Returns some layers' Gram sums of a whole image, one a mask.

        What was read lately is remembered: one style may be that of many
        pictures.

        Args:
            image: float32 `[1, H, W, 3]`, BGR without the mean.
            names: of layers.
            masks: float32 `[1, H_l, W_l, 1]` by layer; none: one sum of all.
        """

        def read():
            found = self.features(image, names)
            return {n: region_sums(f, masks.get(n)) for n, f in found.items()}

        if not tf.executing_eagerly():
            return read()
        return dict(self._styles.get(_digest(image, names, masks), read))

    @functools.cached_property
    def graphs(self) -> Recent:
        """Functions compiled for this network, which go with it."""
        return Recent(MAX_GRAPHS)

    @functools.cached_property
    def _styles(self) -> Recent:
        return Recent(MAX_STYLES)

    def _make_run(self):
        # A graph frees what comes between the features; eager Keras keeps it.
        return tf.function(
            lambda image: self.scale_features(
                self.model(self.scale_image(image), training=False)
            )
        )

    def scale_image(self, image: tf.Tensor) -> tf.Tensor:
        """Returns the image as the model takes it."""
        if self.precision == "mixed_float16":
            return image / vgg19.FLOAT16_DIVISOR
        return image

    def scale_features(
        self, features: dict[str, tf.Tensor]
    ) -> dict[str, tf.Tensor]:
        """Returns what the model gives as true features in float32."""
        features = {n: tf.cast(f, tf.float32) for n, f in features.items()}
        if self.precision == "mixed_float16":
            divisor = vgg19.FLOAT16_DIVISOR
            features = {n: f * divisor for n, f in features.items()}
        return features

    @functools.cached_property
    def segments(self) -> list[keras.Model]:
        """The model cut behind its poolings.

        Each takes what the one before gives under its last layer's name, and
        gives that and the features of its own.
        """
        layers = self.model.layers
        ends = [layer for layer in layers if layer.name.endswith("_pool")]
        if layers[-1] not in ends:
            ends.append(layers[-1])
        names = set(self.model.output_names)
        segments, start, first = [], self.model.inputs[0], 0
        for end in ends:
            last = layers.index(end)
            own = layers[first : last + 1]
            outputs = {x.name: x.output for x in own if x.name in names}
            outputs[end.name] = end.output
            segments.append(keras.Model(start, outputs, name=end.name))
            start, first = end.output, last + 1
        return segments


def make_extractor(config: Config) -> Extractor:
    """Makes the extractor of a run's content and style layers.

    Raises:
        ConfigError: if the config asks for what the machine has not.
        WeightsError: if the weights cannot be had.
    """
    config = resolve_for_machine(config)
    weights = load_weights(
        config.weights, config.seed, rescale_filters=config.rescale_filters
    )
    network = vgg19.make_vgg19(
        weights.layers,
        config.pooling,
        config.convolution,
        config.precision,
        config.padding,
    )
    model = make_feature_model(
        network, (*config.content_layers, *config.style_layers)
    )
    extractor = Extractor(
        model, weights.origin, weights.sha256, config.precision
    )
    del weights, network
    return_freed_memory()
    return extractor


def _digest(
    image: tf.Tensor,
    names: Iterable[str],
    masks: dict[str, list[tf.Tensor]],
) -> bytes:
    """Returns a hash of an image and of what is asked for it."""
    asked = {name: len(masks.get(name, ())) for name in names}
    digest = hashlib.sha256(repr(asked).encode())
    for tensor in [image, *(mask for n in asked for mask in masks.get(n, ()))]:
        digest.update(repr(tensor.shape).encode())
        digest.update(tensor.numpy().data)
    return digest.digest()


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
