"""Tiles equal the whole frame: every term and the gradient."""

import dataclasses
import functools

import numpy as np
import pytest
import tensorflow as tf

from tests import references
from tests.targets import compute_targets
from tests.targets import make_extractor
from tests.targets import make_objective
from tests.targets import relative_error
from tfstyle.config.config import Config
from tfstyle.images.image_set import ImageSet
from tfstyle.images.preprocessing import preprocess
from tfstyle.network import winograd
from tfstyle.network.layers import LAYERS
from tfstyle.objective.evaluators import WholeFrameEvaluator
from tfstyle.objective.objective import make_value_and_gradient
from tfstyle.objective.options import ObjectiveOptions
from tfstyle.objective.tiled_objective import TiledEvaluator
from tfstyle.objective.tiles import cut_frame
from tfstyle.training import extractor as training_extractor
from tfstyle.training.stylize import stylize

EQUAL = 1e-5  # relative, L2: float32 sums in another order; measured 7e-7
STYLE_LAYERS = Config().style_layers


@pytest.fixture(scope="module")
def make_evaluator(random_weights):
    """Returns a function from a pooling to an extractor of every layer."""
    names = [layer.name for layer in LAYERS]
    return functools.cache(
        lambda pooling: make_extractor(random_weights, names, pooling=pooling)
    )


def make_mask(height, width, generator):
    return (generator.random((height, width)) * 255).astype(np.uint8)


def check_objective(objective, image, terms, gradient):
    """Checks the terms and the gradient that an objective gives."""
    for _ in range(2):  # the second must find nothing of the first
        found_terms, found_gradient = objective(image)
        assert relative_error(found_gradient, gradient) < EQUAL
        assert relative_error(found_terms.total, terms.total) < EQUAL
        for found, expected in (
            (found_terms.raw, terms.raw),
            (found_terms.weighted, terms.weighted),
        ):
            assert list(found) == list(expected)
            for name, value in expected.items():
                assert relative_error(found[name], value) < EQUAL


def make_temporal(generator, size):
    """Returns targets of the temporal loss."""
    target = generator.normal(0, 50, (1, *size, 3))
    weights = generator.uniform(0, 1, (1, *size, 1))
    return {
        "target": tf.constant(target, tf.float32),
        "weights": tf.constant(weights, tf.float32),
    }


def check_tiles(extractor, config, size, tile_size, generator, *, masks=0):
    """Holds that targets, terms and gradient are those of the whole frame."""
    config = dataclasses.replace(config, tile_size=tile_size).resolved()
    content, image = (
        tf.constant(generator.normal(0, 50, (1, *size, 3)), tf.float32)
        for _ in range(2)
    )
    style_sizes = [(67, 130), (97, 51)]
    styles = [
        tf.constant(generator.normal(0, 50, (1, *s, 3)), tf.float32)
        for s in style_sizes
    ]
    regions = {
        "content_masks": [make_mask(40, 50, generator) for _ in range(masks)],
        "style_masks": [make_mask(30, 60, generator) for _ in range(masks)],
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
        temporal = make_temporal(generator, size)
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


@pytest.mark.slow
def test_tiles_equal_the_whole_frame_with_regions(make_evaluator, generator):
    config = Config(convolution="direct", content_weight=1.0)
    check_tiles(
        make_evaluator("rms"), config, (97, 163), 64, generator, masks=2
    )


@pytest.mark.slow
def test_tiles_equal_the_whole_frame_with_means_and_deep_layers(
    make_evaluator, generator
):
    config = Config(
        convolution="direct",
        content_layers=("conv2_2", "pool5"),
        style_layers=("pool1", "conv5_4"),
        loss_scale="absolute",
        content_reduction="mean",
        content_weight=1e3,
        style_blend_weights=(3, 1),
    )
    check_tiles(make_evaluator("max"), config, (99, 230), 80, generator)


@pytest.mark.slow
@pytest.mark.parametrize("leave_out", ["content_weight", "style_weight"])
def test_tiles_equal_the_whole_frame_without_a_term(
    make_evaluator, generator, leave_out
):
    config = Config(convolution="direct", **{leave_out: 0.0})
    check_tiles(make_evaluator("rms"), config, (97, 80), 48, generator)


def test_tiles_equal_the_whole_frame_of_a_film(make_evaluator, generator):
    config = Config(convolution="direct", temporal_weight=5.0)
    check_tiles(make_evaluator("rms"), config, (97, 80), 48, generator)


@pytest.mark.soak
def test_steps_of_tiles_end_where_those_of_the_whole_frame_end(samples):
    config = Config(
        weights="random",
        convolution="direct",
        image_size=96,
        loss_scale="absolute",
        init="noise",
        optimizer="adam",
        num_steps=10,
        num_levels=2,
    )
    extractor = training_extractor.make_extractor(config)
    content, style = samples
    whole, tiled = (
        stylize(
            ImageSet.of_arrays(content, [style]),
            dataclasses.replace(config, tile_size=tile_size),
            extractor=extractor,
        )
        for tile_size in (0, 48)
    )
    difference = whole.pixels.astype(int) - tiled.pixels
    assert abs(difference).max() <= 1
    for name, loss in whole.losses.items():
        assert tiled.losses[name] == pytest.approx(loss, rel=1e-3)


def make_tiled_objective(extractor, generator, size, **fields):
    """Makes an objective of tiles of 64 px, and an image."""
    config = Config(**fields).resolved()
    content, style, image = (
        tf.constant(generator.normal(0, 50, (1, *size, 3)), tf.float32)
        for _ in range(3)
    )

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


def test_gradient_equals_the_oracle(make_evaluator, random_weights, samples):
    """The same bound as for the whole frame: a few rectifiers switch."""
    config = Config(
        convolution="direct",
        tile_size=32,
        loss_scale="absolute",
        content_weight=0.0,
        style_layers=("conv1_1", "conv3_1"),
    ).resolved()
    pixels = samples[0][100:157, 200:283]
    image, style = (
        tf.constant(preprocess(p)) for p in (pixels, samples[1][:64, :80])
    )
    evaluator = TiledEvaluator(make_evaluator("average"), 32)
    objective = make_objective(
        evaluator, None, [style], config, pixels.shape[:2]
    )
    _, found = objective(image)
    known = references.forward(
        style[0].numpy(), random_weights.layers, "block3_conv1"
    )
    _, _, expected = references.value_and_gradient(
        image[0].numpy(),
        random_weights.layers,
        content_targets={},
        style_targets={
            name: (0.5, references.gram(known[name]))
            for name in config.style_layers
        },
        content_weight=0.0,
        style_weight=1.0,
    )
    assert relative_error(found[0], expected) < 2e-3
