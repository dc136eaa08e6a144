"""The objective function: the weighted sum of all losses, and its gradient.

`value_and_gradient(image) -> (LossTerms, gradient)` is one signature. The
whole frame at once, as here, is one way to implement it.
"""

import dataclasses
import functools
from collections.abc import Callable
from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from tfstyle.images.frame import Frame
from tfstyle.network.extractor import Extractor
from tfstyle.objective.options import ObjectiveOptions
from tfstyle.objective.targets import Targets
from tfstyle.objective.terms import LossTerms
from tfstyle.objective.terms import compute_terms
from tfstyle.objective.xla_trial import XlaTrial
from tfstyle.system import gpus

SCALED_GRADIENT = 1.0
"""Largest gradient by a feature, as scaled; in float16 4000 below overflow."""

ValueAndGradient = Callable[[tf.Tensor], tuple[LossTerms, tf.Tensor]]

ExtraLoss = Callable[[tf.Tensor, dict[str, tf.Tensor]], tf.Tensor]
"""A loss of one's own, already weighted.

From the picture, float32 `[1, H, W, 3]`, and its features by Keras layer name
to a float32 scalar, by TensorFlow's differentiable operations. Features are of
the whole frame: they see its border, too.
"""
ExtraLosses = Mapping[str, ExtraLoss]
"""By name, under which they are recorded as `extra/<name>`."""


@dataclasses.dataclass(frozen=True)
class PictureLoss:
    """A loss of one's own that gets the picture without its border.

    Equal ones share a graph.

    Attributes:
        loss: of the picture.
        frame: where it lies within the image.
    """

    loss: ExtraLoss
    frame: Frame

    def __call__(
        self, image: tf.Tensor, features: dict[str, tf.Tensor]
    ) -> tf.Tensor:
        """Returns the loss of an image."""
        return self.loss(self.frame.crop(image), features)


def make_value_and_gradient(
    extractor: Extractor,
    targets: Targets,
    options: ObjectiveOptions,
    extra_losses: ExtraLosses | None = None,
) -> ValueAndGradient:
    """Makes the objective function of the whole frame, in one graph.

    Args:
        extractor: of at least the layers in `targets`.
        targets: made by `compute_targets`.
        options: weights and scale of the losses.
        extra_losses: added to the total.

    Returns:
        A function from float32 `[1, H, W, 3]` to the image's `LossTerms` and
        the gradient of the total, float32 `[1, H, W, 3]`. Its graph is shared
        with all that is made for the extractor, the same weights and shapes.
    """
    shapes = tuple(target.shape for target in tf.nest.flatten(targets))
    extra = tuple((extra_losses or {}).items())

    def evaluate(image):
        compiled = extractor.caches.graphs.get(
            (options, image.shape, shapes, extra),
            lambda: _compile(extractor, options, extra),
        )
        return compiled(image, targets)

    return evaluate


def _compile(
    extractor: Extractor,
    options: ObjectiveOptions,
    extra: tuple[tuple[str, ExtraLoss], ...],
):
    """Returns the function of image and targets that is compiled by shape."""
    make = functools.partial(_make_graph, extractor, options, extra)
    if options.jit_compile == "auto" and gpus.has_gpu():
        return extractor.caches.trials.get(extra, XlaTrial).choose(make)
    return make(options.jit_compile == "true")


def _make_graph(
    extractor: Extractor,
    options: ObjectiveOptions,
    extra: tuple[tuple[str, ExtraLoss], ...],
    with_xla: bool,
):
    """Returns the function of image and targets that is compiled by shape."""

    def compute(image, features, targets):
        terms = compute_terms(image, features, targets, options)
        return _add_extra(terms, image, features, extra)

    @tf.function(autograph=False, jit_compile=with_xla)
    def evaluate(image, targets):
        if extractor.options.precision == "mixed_float16":
            terms, gradient = _evaluate_scaled(
                extractor, image, targets, compute
            )
        else:
            with tf.GradientTape() as tape:
                tape.watch(image)
                terms = compute(image, extractor(image), targets)
            gradient = tape.gradient(terms.total, image)
        return terms.checked(gradient), gradient

    return evaluate


def _evaluate_scaled(
    extractor: Extractor,
    image: tf.Tensor,
    targets: Targets,
    compute: Callable[..., LossTerms],
) -> tuple[LossTerms, tf.Tensor]:
    """Evaluates with a gradient that neither overflows nor vanishes.

    The gradient by the features is taken in float32 and brought to about
    SCALED_GRADIENT by a power of two before it goes through the network.
    """
    with tf.GradientTape() as through_network:
        through_network.watch(image)
        features = extractor(image)
    with tf.GradientTape() as tape:
        tape.watch((image, features))
        terms = compute(image, features, targets)
    grad_image, grad_features = tape.gradient(
        terms.total,
        (image, features),
        unconnected_gradients=tf.UnconnectedGradients.ZERO,
    )
    largest = tf.reduce_max(
        [tf.reduce_max(tf.abs(g)) for g in grad_features.values()]
    )
    largest = tf.maximum(largest, np.finfo(np.float32).tiny)
    exponent = tf.floor(tf.math.log(SCALED_GRADIENT / largest) / np.log(2))
    scale = tf.pow(2.0, tf.clip_by_value(exponent, -100, 100))
    gradient = through_network.gradient(
        features,
        image,
        output_gradients={n: g * scale for n, g in grad_features.items()},
    )
    return terms, grad_image + gradient / scale


def _add_extra(
    terms: LossTerms,
    image: tf.Tensor,
    features: dict[str, tf.Tensor],
    extra: tuple[tuple[str, ExtraLoss], ...],
) -> LossTerms:
    """Adds losses of one's own to the terms and their total."""
    total, raw = terms.total, dict(terms.raw)
    for name, function in extra:
        raw[f"extra/{name}"] = loss = function(image, features)
        total += loss
    return LossTerms(total, raw, terms.weighted)
