"""What several runs of one network share: the same bits, made once."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from tests.targets import compute_targets
from tfstyle.config.run_config import RunConfig
from tfstyle.images.image_set import ImageSet
from tfstyle.network.extractor import MAX_GRAPHS
from tfstyle.objective.evaluators import WholeFrameEvaluator
from tfstyle.objective.objective import make_value_and_gradient
from tfstyle.objective.options import ObjectiveOptions
from tfstyle.training.extractor import make_extractor
from tfstyle.training.stylize import stylize

SMALL = RunConfig(
    weights="random",
    pooling="rms",
    image_size=32,
    content_layers=("conv2_2",),
    style_layers=("conv1_1", "conv2_1"),
    init="noise",
    num_steps=2,
)


@pytest.fixture(scope="module")
def extractor():
    """Returns one that serves all tests, as it may serve many runs."""
    return make_extractor(SMALL)


@pytest.fixture
def reads(monkeypatch):
    """Returns the shapes of images whose features were read, as it fills."""
    shapes = []
    read = WholeFrameEvaluator.features

    def features(self, image, names):
        shapes.append(tuple(image.shape[1:3]))
        return read(self, image, names)

    monkeypatch.setattr(WholeFrameEvaluator, "features", features)
    return shapes


def count_traces(extractor):
    graphs = extractor.caches.graphs._kept.values()
    return sum(graph.experimental_get_tracing_count() for graph in graphs)


def paint(samples, extractor, config=SMALL, **masks):
    content, style = samples
    images = ImageSet.of_arrays(content, [style], **masks)
    result = stylize(images, config, extractor=extractor)
    return result.image.tobytes(), result.losses


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"optimizer": "adam"},
        {"num_levels": 2, "image_size": 48},
        {"tv_weight": 0.1, "style_blend_weights": (2.0,)},
    ],
)
def test_second_run_compiles_and_reads_nothing_anew(samples, reads, changes):
    config = dataclasses.replace(SMALL, **changes)
    extractor = make_extractor(config)
    first = paint(samples, extractor, config)
    traces, num_reads = count_traces(extractor), len(reads)
    assert paint(samples, extractor, config) == first
    assert count_traces(extractor) == traces
    # Of a content features and energy, of a style its Gram sums: only the
    # features are read again.
    of_contents = num_reads // 3
    assert len(reads) - num_reads == of_contents
    assert paint(samples, make_extractor(config), config) == first


@pytest.mark.parametrize(
    "changes",
    [
        {"seed": 5},
        {"num_steps": 1},
        {"init": "content"},
        {"preserve_colors": "match"},
    ],
)
def test_choices_outside_the_graph_compile_nothing(samples, extractor, changes):
    first = paint(samples, extractor)
    traces = count_traces(extractor)
    config = dataclasses.replace(SMALL, **changes)
    other = paint(samples, extractor, config)
    assert other != first
    assert count_traces(extractor) == traces
    fresh = make_extractor(SMALL)
    assert paint(samples, fresh, config) == other


@pytest.mark.parametrize(
    "changes",
    [
        {"content_weight": 1.0},
        {"style_layer_weights": (1.0, 3.0)},
        {"loss_scale": "absolute"},
        {"tv_weight": 1.0},
    ],
)
def test_choices_of_the_graph_get_their_own(samples, extractor, changes):
    first = paint(samples, extractor)
    config = dataclasses.replace(SMALL, **changes)
    other = paint(samples, extractor, config)
    assert other != first
    assert paint(samples, make_extractor(SMALL), config) == other
    assert paint(samples, extractor) == first


def test_masks_are_part_of_what_was_read(samples, extractor):
    def mask(right):
        left, right = np.full((24, 16), 255 - right), np.full((24, 16), right)
        return np.hstack([left, right]).astype(np.uint8)

    def masked(extractor, right):
        masks = {"content_masks": [mask(0)], "style_masks": [mask(right)]}
        return paint(samples, extractor, **masks)

    first, second = masked(extractor, 255), masked(extractor, 100)
    assert first != second
    assert masked(extractor, 255) == first
    assert masked(make_extractor(SMALL), 100) == second


@pytest.mark.slow
def test_kept_graphs_are_bounded_and_one_that_went_is_made_again(extractor):
    def evaluate(size):
        image = tf.fill([1, size, size, 3], 7.0)
        config = SMALL.resolved()
        targets = compute_targets(
            WholeFrameEvaluator(extractor), None, [image / 2], config
        )
        options = ObjectiveOptions.of(config)
        terms, gradient = make_value_and_gradient(extractor, targets, options)(
            image
        )
        return float(terms.total), gradient.numpy().tobytes()

    first = evaluate(16)
    for size in range(17, 17 + MAX_GRAPHS):
        evaluate(size)
        assert len(extractor.caches.graphs) <= MAX_GRAPHS
    assert evaluate(16) == first
