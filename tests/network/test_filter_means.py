"""The network with rescaled filters: the same one, each feature divided."""

import numpy as np
import pytest
import tensorflow as tf

from tests.targets import make_extractor
from tfstyle.images.preprocessing import preprocess
from tfstyle.network import filter_means
from tfstyle.network.layers import CONVOLUTIONS
from tfstyle.network.weights import Weights
from tfstyle.network.weights import load_weights

ROUNDING = 1e-4  # sixteen float32 convolutions of other sizes of numbers
NAMES = [layer.name for layer in CONVOLUTIONS]


def features_of(layers, pixels, pooling):
    weights = Weights(layers, "", "")
    extractor = make_extractor(weights, NAMES, pooling=pooling)
    return extractor(tf.constant(preprocess(pixels)))


@pytest.mark.weights
@pytest.mark.parametrize("pooling", ["average", "max"])
def test_rescaled_features_are_the_untouched_ones_divided(
    real_weights, samples, pooling
):
    pixels = samples[0][:96, :128]
    untouched = features_of(real_weights.layers, pixels, pooling)
    rescaled = filter_means.rescale(real_weights.layers)
    found = features_of(rescaled, pixels, pooling)
    for name, means in filter_means.read_filter_means().items():
        recovered = found[name] * means
        difference = tf.norm(recovered - untouched[name])
        assert difference < ROUNDING * tf.norm(untouched[name])


@pytest.mark.slow
@pytest.mark.weights
def test_mean_activations_of_a_picture_are_about_one(real_weights, samples):
    rescaled = filter_means.rescale(real_weights.layers)
    found = features_of(rescaled, samples[0], "average")
    for name in NAMES[:13]:
        means = np.mean(found[name], axis=(0, 1, 2))
        assert 0.4 < np.median(means) < 2.5


def test_means_are_positive_and_of_every_filter():
    means = filter_means.read_filter_means()
    assert list(means) == NAMES
    for layer in CONVOLUTIONS:
        assert means[layer.name].shape == (layer.channels,)
        assert means[layer.name].dtype == np.float32
        assert (means[layer.name] > 0).all()


def test_rescaled_weights_have_a_hash_of_their_own(random_weights):
    rescaled = load_weights("random", rescale_filters=True)
    assert rescaled.sha256 != random_weights.sha256
    assert rescaled.origin == f"{random_weights.origin}, filters rescaled"
