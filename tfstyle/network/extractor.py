"""Feature extractors: models from an image to the features of layers."""

import dataclasses
from collections.abc import Iterable

import keras
import tensorflow as tf

from tfstyle.network import vgg19
from tfstyle.network.options import NetworkOptions
from tfstyle.network.weights import load_weights
from tfstyle.system.lru_cache import LRUCache
from tfstyle.system.tensorflow_setup import return_freed_memory

MAX_GRAPHS = 12
"""Maximum number of cached graphs per network, each for one shape."""
MAX_RESULTS = 64
"""Maximum number of cached results, such as a style's Gram sums of 2.4 MB."""


class Caches:
    """Compiled functions and results of one network, freed with it.

    Attributes:
        graphs: compiled functions, each for one shape.
        results: recent results of features, such as a style's Gram sums.
        trials: verdicts on XLA.
    """

    def __init__(self):
        self.graphs = LRUCache(MAX_GRAPHS)
        self.results = LRUCache(MAX_RESULTS)
        self.trials = LRUCache(MAX_GRAPHS)


@dataclasses.dataclass(frozen=True)
class Extractor:
    """Feature model with the origin of its weights.

    Attributes:
        model: Keras model from float32 `[B, H, W, 3]`, BGR without the mean, to
            `{layer name: [B, H_l, W_l, N_l]}`, rectified.
        origin: human-readable source of the weights.
        sha256: SHA-256 of the weights' values.
        options: options of the network.
        caches: cached functions and results of the network.
    """

    model: keras.Model
    origin: str
    sha256: str
    options: NetworkOptions
    caches: Caches = dataclasses.field(
        default_factory=Caches, init=False, repr=False, compare=False
    )

    def __call__(self, image: tf.Tensor) -> dict[str, tf.Tensor]:
        """Returns the features of an image by Keras layer name.

        Args:
            image: float32 `[B, H, W, 3]`, BGR without the mean.

        Returns:
            float32 `[B, H_l, W_l, N_l]` by layer, for every precision.
        """
        return self.scale_features(self.run_model(image))

    def run_model(self, image: tf.Tensor) -> dict[str, tf.Tensor]:
        """Returns the model's outputs for an image, not yet scaled."""
        if tf.inside_function():
            # TensorFlow never frees a function that is differentiated inside
            # another.
            return self._compute(image)
        run = self.caches.graphs.get(
            ("outputs", image.shape),
            lambda: tf.function(self._compute, autograph=False),
        )
        return run(image)

    def _compute(self, image: tf.Tensor) -> dict[str, tf.Tensor]:
        """Computes the outputs; in a graph, as eager Keras keeps all layers."""
        if self.options.precision == "mixed_float16":
            image = image / vgg19.FLOAT16_DIVISOR
        return self.model(image, training=False)

    def scale_features(
        self, features: dict[str, tf.Tensor]
    ) -> dict[str, tf.Tensor]:
        """Converts the model's outputs to float32 features."""
        features = {n: tf.cast(f, tf.float32) for n, f in features.items()}
        if self.options.precision == "mixed_float16":
            divisor = vgg19.FLOAT16_DIVISOR
            features = {n: f * divisor for n, f in features.items()}
        return features


def load_extractor(options: NetworkOptions) -> Extractor:
    """Loads VGG19's weights and makes a feature extractor.

    Args:
        options: options of the network.

    Raises:
        WeightsError: if the weights cannot be loaded.
    """
    loaded = load_weights(
        options.weights,
        options.seed,
        weights_input=options.weights_input,
        rescale_filters=options.rescale_filters,
    )
    network = vgg19.make_vgg19(loaded.layers, options, loaded.offset)
    model = make_feature_model(network, options.layers)
    extractor = Extractor(model, loaded.origin, loaded.sha256, options)
    del loaded, network
    return_freed_memory()
    return extractor


def make_feature_model(
    network: keras.Model, layers: Iterable[str]
) -> keras.Model:
    """Makes a model of the given layers, cut after the deepest.

    Args:
        network: network made by `vgg19.make_vgg19`.
        layers: Keras layer names; duplicates are allowed.
    """
    outputs = {name: network.get_layer(name).output for name in layers}
    return keras.Model(network.inputs[0], outputs, name="features")
