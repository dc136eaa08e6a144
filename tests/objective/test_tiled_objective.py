"""Tiles equal the whole frame: every term and the gradient."""

import dataclasses
import functools

import numpy as np
import pytest
import tensorflow as tf

from tests.targets import compute_targets
from tests.targets import make_extractor
from tests.targets import make_objective
from tests.targets import relative_error
from tfstyle.config.config import Config
from tfstyle.network import winograd
from tfstyle.network.layers import LAYERS
from tfstyle.objective.evaluators import WholeFrameEvaluator
from tfstyle.objective.objective import make_value_and_gradient
from tfstyle.objective.options import ObjectiveOptions
from tfstyle.objective.tiled_objective import TiledEvaluator
from tfstyle.objective.tiles import cut_frame

EQUAL = 1e-5  # relative, L2: float32 sums in another order; measured 7e-7
STYLE_LAYERS = Config().style_layers


@pytest.fixture(scope="module")
def make_evaluator(random_weights):
    """Returns a function from a pooling to an extractor of every layer."""
    names = [layer.name for layer in LAYERS]
    return functools.cache(
        lambda pooling: make_extractor(random_weights, names, pooling=pooling)
    )


def draw_image(generator, size):
    return tf.constant(generator.normal(0, 50, (1, *size, 3)), tf.float32)


def draw_bytes(generator, *shape):
    return generator.integers(0, 256, shape, np.uint8)


def check_objective(objective, image, terms, gradient):
    """Checks the terms and the gradient that an objective gives."""
    for _ in range(2):  # the second must find nothing of the first
        found_terms, found_gradient = objective(image)
        assert relative_error(found_gradient, gradient) < EQUAL
        assert list(found_terms.raw) == list(terms.raw)
        assert list(found_terms.weighted) == list(terms.weighted)
        assert found_terms.to_floats() == pytest.approx(
            terms.to_floats(), rel=EQUAL
        )


def check_tiles(extractor, config, size, tile_size, generator, *, masks=0):
    """Holds that targets, terms and gradient are those of the whole frame."""
    config = dataclasses.replace(config, tile_size=tile_size).resolved()
    content, image, *styles = (
        draw_image(generator, each)
        for each in (size, size, (67, 130), (97, 51))
    )
    regions = {
        "content_masks": draw_bytes(generator, masks, 40, 50),
        "style_masks": draw_bytes(generator, masks, 30, 60),
        "image_size": size,
    }
    whole = compute_targets(
        WholeFrameEvaluator(extractor), content, styles, config, **regions
    )
    evaluator = TiledEvaluator(extractor, tile_size)
    tiled = compute_targets(evaluator, content, styles, config, **regions)
    for name, target in whole.content.items():
        assert relative_error(tiled.content[name], target) < EQUAL
    for name, grams in whole.style.items():
        for gram, expected in zip(tiled.style[name], grams, strict=True):
            assert relative_error(gram, expected) < EQUAL
    if config.temporal_weight:
        weights = draw_bytes(generator, 1, *size, 1) / np.float32(255)
        temporal = {
            "target": draw_image(generator, size),
            "weights": tf.constant(weights),
        }
        whole, tiled = (x._replace(temporal=temporal) for x in (whole, tiled))
    options = ObjectiveOptions.of(config)
    terms, gradient = make_value_and_gradient(extractor, whole, options)(image)
    assert ("temporal" in terms.raw) == bool(config.temporal_weight)
    objective = evaluator.make_objective(tiled, options, size)
    check_objective(objective, image, terms, gradient)


@pytest.mark.parametrize(
    ("size", "tile_size", "pooling"),
    [
        ((50, 211), 128, "rms"),
        pytest.param((50, 211), 128, "average", marks=pytest.mark.soak),
        pytest.param((97, 163), 48, "max", marks=pytest.mark.soak),
        pytest.param((160, 96), 64, "average", marks=pytest.mark.soak),
        pytest.param((97, 163), 48, "rms", marks=pytest.mark.slow),
        pytest.param((65, 33), 16, "rms", marks=pytest.mark.slow),
        pytest.param((65, 33), 16, "max", marks=pytest.mark.slow),
    ],
)
def test_tiles_equal_the_whole_frame(
    make_evaluator, generator, pooling, size, tile_size
):
    config = Config(
        pooling=pooling,
        convolution="direct",
        content_weight=1.0,
        tv_weight=0.5,
    )
    check_tiles(make_evaluator(pooling), config, size, tile_size, generator)


@pytest.mark.parametrize(
    ("fields", "size", "tile_size", "masks"),
    [
        ({"temporal_weight": 5.0}, (97, 80), 48, 0),
        *(
            pytest.param(*parameters, marks=pytest.mark.slow)
            for parameters in (
                ({"content_weight": 1.0}, (97, 163), 64, 2),
                ({"content_weight": 0.0}, (97, 80), 48, 0),
                ({"style_weight": 0.0}, (97, 80), 48, 0),
                (
                    {
                        "pooling": "max",
                        "content_layers": ("conv2_2", "pool5"),
                        "style_layers": ("pool1", "conv5_4"),
                        "loss_scale": "absolute",
                        "content_reduction": "mean",
                        "content_weight": 1e3,
                        "style_blend_weights": (3, 1),
                    },
                    (99, 230),
                    80,
                    0,
                ),
            )
        ),
    ],
)
def test_tiles_equal_the_whole_frame_for_every_term(
    make_evaluator, generator, fields, size, tile_size, masks
):
    config = Config(**({"pooling": "rms", "convolution": "direct"} | fields))
    extractor = make_evaluator(config.pooling)
    check_tiles(extractor, config, size, tile_size, generator, masks=masks)


def make_tiled_objective(extractor, generator, size, **fields):
    """Makes an objective of tiles of 64 px, and an image."""
    config = Config(**fields).resolved()
    content, style, image = (draw_image(generator, size) for _ in range(3))

    def make(evaluator):
        return make_objective(evaluator, content, [style], config, size)

    return make, image


@pytest.mark.slow
@pytest.mark.parametrize(
    "kept", [4, *(pytest.param(n, marks=pytest.mark.soak) for n in (1, 100))]
)
def test_what_is_kept_changes_no_bit(make_evaluator, generator, kept):
    extractor, size = make_evaluator("rms"), (97, 163)
    make, image = make_tiled_objective(extractor, generator, size)
    expected_terms, expected = make(TiledEvaluator(extractor, 64))(image)
    objective = make(TiledEvaluator(extractor, 64, kept))
    for _ in range(2):
        terms, gradient = objective(image)
        np.testing.assert_array_equal(gradient, expected)
        assert terms.to_floats() == expected_terms.to_floats()


@pytest.mark.soak
def test_tiles_take_winograd_s_convolution(
    random_weights, generator, monkeypatch
):
    """All tiles have views of one size, so one graph with it serves them."""
    pairs = dict.fromkeys(winograd.FEWEST_POSITIONS, 1)
    monkeypatch.setattr(winograd, "FEWEST_POSITIONS", pairs)
    shapes, convolve = [], winograd.convolve
    monkeypatch.setattr(
        winograd,
        "convolve",
        lambda image, *others: (
            shapes.append(tuple(image.shape)) or convolve(image, *others)
        ),
    )
    names = (*Config().content_layers, *STYLE_LAYERS)
    extractor = make_extractor(
        random_weights, names, pooling="rms", convolution="winograd"
    )
    size = (208, 320)
    make, image = make_tiled_objective(extractor, generator, size)
    terms, gradient = make(WholeFrameEvaluator(extractor))(image)
    shapes.clear()
    found_terms, found = make(TiledEvaluator(extractor, 64))(image)
    tile = cut_frame(size, 64, names, "rms")[0]
    height, width = tile[:, 3] - tile[:, 2]
    assert {shape for shape in shapes if shape[-1] == 64} == {
        (1, height, width, 64),
        (1, height // 2, width // 2, 64),
    }
    assert relative_error(found_terms.total, terms.total) < EQUAL
    assert relative_error(found, gradient) < 2e-3  # rectifiers may switch
