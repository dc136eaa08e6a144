"""Where the optimisation starts."""

import types

import numpy as np
import pytest

from tfstyle.config.config import Config
from tfstyle.images.frame import Frame
from tfstyle.images.image_set import ImageSet
from tfstyle.images.picture import Picture
from tfstyle.images.preprocessing import preprocess
from tfstyle.images.resize import resize
from tfstyle.training.initial_image import NOISE_DEVIATION
from tfstyle.training.initial_image import make_initial_image


def make(init, seed=0, content=None, style=None, size=(48, 64)):
    pyramid = types.SimpleNamespace(
        frames=[Frame(*size)],
        content=lambda level: content,
        styles=lambda level: iter([Picture(style)]),
    )
    config = Config(init=init, seed=seed)
    return make_initial_image(ImageSet(), pyramid, config, 0)


def test_noise_has_mean_zero_and_the_documented_deviation():
    noise = make("noise", size=(200, 300))
    assert noise.shape == (1, 200, 300, 3)
    assert noise.dtype == np.float32
    assert noise.mean() == pytest.approx(0, abs=0.01 * NOISE_DEVIATION)
    assert noise.std() == pytest.approx(NOISE_DEVIATION, rel=0.01)


def test_noise_depends_on_the_seed_alone():
    np.testing.assert_array_equal(make("noise", 5), make("noise", 5))
    assert not np.array_equal(make("noise", 5), make("noise", 6))


def test_pictures_are_preprocessed(samples):
    content = resize(samples[0], 48, 64)
    for found, expected in (
        (make("gray"), np.zeros((1, 48, 64, 3))),
        (make("content", content=content), preprocess(content)),
        (
            make("style", style=samples[1]),
            preprocess(resize(samples[1], 48, 64)),
        ),
    ):
        np.testing.assert_array_equal(found, expected)
