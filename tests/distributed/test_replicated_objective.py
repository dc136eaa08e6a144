"""Replicas equal the whole frame: every term and the gradient."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from tests.objective.test_tiled_objective import EQUAL
from tests.objective.test_tiled_objective import check_objective
from tests.objective.test_tiled_objective import draw_bytes
from tests.objective.test_tiled_objective import draw_image
from tests.objective.test_tiled_objective import relative_error
from tests.targets import compute_targets
from tfstyle.config.config import Config
from tfstyle.distributed.replicated_objective import ReplicatedEvaluator
from tfstyle.distributed.strategy import mirror
from tfstyle.objective.evaluators import WholeFrameEvaluator
from tfstyle.objective.objective import make_value_and_gradient
from tfstyle.objective.options import ObjectiveOptions
from tfstyle.training.extractor import make_extractor

CONFIG = Config(
    weights="random",
    pooling="rms",
    convolution="direct",
    content_weight=1.0,
    tv_weight=0.5,
)


@pytest.fixture(scope="module")
def replicas():
    return mirror(["/cpu:0", "/cpu:1"])


@pytest.fixture(scope="module")
def extractor(replicas):
    with replicas.scope():
        return make_extractor(CONFIG)


def check_replicas(
    extractor, replicas, generator, size, *, tile_size=0, masks=0, **fields
):
    """Holds that terms and gradient are those of the whole frame."""
    config = dataclasses.replace(CONFIG, **fields).resolved()
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
    if config.temporal_weight:
        weights = draw_bytes(generator, 1, *size, 1) / np.float32(255)
        temporal = {
            "target": draw_image(generator, size),
            "weights": tf.constant(weights),
        }
        whole = whole._replace(temporal=temporal)
    options = ObjectiveOptions.of(config)
    terms, gradient = make_value_and_gradient(extractor, whole, options)(image)
    evaluator = ReplicatedEvaluator(extractor, replicas, tile_size)
    targets = compute_targets(evaluator, content, styles, config, **regions)
    targets = targets._replace(temporal=whole.temporal)
    for name, grams in whole.style.items():
        for gram, expected in zip(targets.style[name], grams, strict=True):
            assert relative_error(gram, expected) < EQUAL
    objective = evaluator.make_objective(targets, options, size)
    check_objective(objective, image, terms, gradient)


def slow(*values):
    return pytest.param(*values, marks=pytest.mark.slow)


def soak(*values):
    return pytest.param(*values, marks=pytest.mark.soak)


@pytest.mark.parametrize(
    ("size", "options"),
    [
        ((33, 65), {"temporal_weight": 5.0}),
        soak((160, 96), {}),
        slow((17, 20), {}),  # one position: a tile for one replica only
        soak((97, 163), {"masks": 2}),
        # Three tiles for two replicas: at the end one has nothing to do.
        slow((97, 163), {"masks": 2, "tile_size": 96}),
        soak((97, 80), {"content_weight": 0.0, "tv_weight": 0.0}),
        soak((97, 80), {"style_weight": 0.0}),
        slow(
            (97, 80),
            {
                "loss_scale": "absolute",
                "content_reduction": "mean",
                "content_weight": 1e3,
            },
        ),
        soak((97, 80), {"style_blend_weights": (3, 1)}),
    ],
)
def test_replicas_equal_the_whole_frame(
    extractor, replicas, generator, size, options
):
    check_replicas(extractor, replicas, generator, size, **options)


@pytest.mark.soak
def test_one_and_four_replicas_equal_the_whole_frame(generator):
    for number, tile_sizes in ((1, [0]), (4, [0, 64])):
        replicas = mirror([f"/cpu:{index}" for index in range(number)])
        with replicas.scope():
            extractor = make_extractor(CONFIG)
        for tile_size in tile_sizes:
            options = {"tile_size": tile_size, "masks": 2}
            check_replicas(extractor, replicas, generator, (97, 163), **options)


def test_every_replica_has_the_weights(extractor):
    kernel = extractor.model.get_layer("block1_conv1").kernel.value
    devices = [copy.device[-5:] for copy in kernel.values]
    assert devices == ["CPU:0", "CPU:1"]


def test_replicas_take_the_same_part_of_the_work(extractor, replicas):
    (assigned,) = ReplicatedEvaluator(extractor, replicas).assign_tiles(
        (128, 256)
    )
    tiles = [
        tile.numpy()[:, :2].tolist()
        for tile in replicas.strategy.experimental_local_results(assigned.tile)
    ]
    assert tiles == [[[0, 128], [0, 128]], [[0, 128], [128, 256]]]
    assert replicas.describe() == "2 replicas"
