"""Extractors, targets and objectives of networks whose weights are given."""

import numpy as np

from tfstyle.network import vgg19
from tfstyle.network.extractor import Extractor
from tfstyle.network.extractor import make_feature_model
from tfstyle.network.options import NetworkOptions
from tfstyle.objective import targets
from tfstyle.objective.evaluators import WholeFrameEvaluator
from tfstyle.objective.options import ObjectiveOptions
from tfstyle.objective.targets import Style


def relative_error(actual, expected):
    """Returns the L2 norm of a difference, relative to the expected value."""
    actual, expected = np.asarray(actual), np.asarray(expected)
    return np.linalg.norm(actual - expected) / np.linalg.norm(expected)


def make_extractor(weights, layers, **options):
    """Makes an extractor; options are those of `NetworkOptions`."""
    options = NetworkOptions(tuple(layers), **options)
    network = vgg19.make_vgg19(weights.layers, options)
    model = make_feature_model(network, layers)
    return Extractor(model, "", weights.sha256, options)


def compute_targets(
    evaluator, content, styles, config, style_masks=(), **options
):
    """Computes targets; every style has its mask, if there are masks."""
    masks = style_masks if len(style_masks) else [None] * len(styles)
    pairs = [Style(*pair) for pair in zip(styles, masks, strict=True)]
    return targets.compute_targets(
        evaluator, content, pairs, config, num_styles=len(styles), **options
    )


def make_objective(evaluator, content, styles, config, size=None, **options):
    """Makes the objective function of an evaluator and its own targets."""
    found = compute_targets(evaluator, content, styles, config, **options)
    return evaluator.make_objective(found, ObjectiveOptions.of(config), size)


def make_whole_objective(extractor, *arguments, **options):
    """Makes the objective function of the whole frame."""
    evaluator = WholeFrameEvaluator(extractor)
    return make_objective(evaluator, *arguments, **options)
