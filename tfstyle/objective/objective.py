"""The objective function: the weighted sum of all losses, and its gradient.

The signature is `value_and_gradient(image) -> (LossTerms, gradient)`. This
module implements it for the whole frame in one pass.
"""

import dataclasses
from collections.abc import Callable
from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from tfstyle.images.frame import Frame
from tfstyle.network.extractor import Extractor
from tfstyle.objective.options import ObjectiveOptions
from tfstyle.objective.targets import Targets
from tfstyle.objective.terms import LossTerms
from tfstyle.objective.terms import sum_layers
from tfstyle.objective.terms import terms_of_sums
from tfstyle.objective.xla_trial import XlaTrial
from tfstyle.system import gpus

SCALED_GRADIENT = 1.0
"""Largest scaled gradient with respect to a feature.

About 4000 times below the overflow of float16.
"""

ValueAndGradient = Callable[[tf.Tensor], tuple[LossTerms, tf.Tensor]]

ExtraLoss = Callable[[tf.Tensor, dict[str, tf.Tensor]], tf.Tensor]
"""User-defined loss, already weighted.

A function from the picture, float32 `[1, H, W, 3]`, and its features by Keras
layer name to a float32 scalar, made of differentiable TensorFlow operations.
The features cover the whole frame, including its border.
"""
ExtraLosses = Mapping[str, ExtraLoss]
"""User-defined losses by name; they are recorded as `extra/<name>`."""


@dataclasses.dataclass(frozen=True)
class PictureLoss:
    """User-defined loss of the picture without its border.

    Equal instances share a graph.

    Attributes:
        loss: function of the picture and its features.
        frame: position of the picture within the image.
    """

    loss: ExtraLoss
    frame: Frame

    def __call__(
        self, image: tf.Tensor, features: dict[str, tf.Tensor]
    ) -> tf.Tensor:
        """Returns the loss of an image, float32 scalar."""
        return self.loss(self.frame.crop(image), features)


def make_value_and_gradient(
    extractor: Extractor,
    targets: Targets,
    options: ObjectiveOptions,
    extra_losses: ExtraLosses | None = None,
) -> ValueAndGradient:
    """Makes the objective function of the whole frame, in one graph.

    Args:
        extractor: feature extractor with at least the layers in `targets`.
        targets: result of `compute_targets`.
        options: weights and scale of the losses.
        extra_losses: user-defined losses, added to the total.

    Returns:
        A function from the image, float32 `[1, H, W, 3]`, to its `LossTerms`
        and the gradient of the total, float32 `[1, H, W, 3]`. Functions made
        for one extractor with equal options and shapes share their graph.
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
    """Returns a graph of image and targets, using XLA as the options request.

    With `jit_compile` auto, a GPU tries XLA while the graph runs.
    """

    def compute(image, features, targets):
        sums = sum_layers(features, targets)
        terms = terms_of_sums(image, sums, targets, options)
        total, raw = terms.total, dict(terms.raw)
        for name, function in extra:
            raw[f"extra/{name}"] = loss = function(image, features)
            total += loss
        return LossTerms(total, raw, terms.weighted)

    def make(with_xla):
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

    if options.jit_compile == "auto" and gpus.has_gpu():
        return extractor.caches.trials.get(extra, XlaTrial).choose(make)
    return make(options.jit_compile == "true")


def _evaluate_scaled(
    extractor: Extractor,
    image: tf.Tensor,
    targets: Targets,
    compute: Callable[..., LossTerms],
) -> tuple[LossTerms, tf.Tensor]:
    """Evaluates with gradient scaling, so that float16 stays within range.

    The gradient with respect to the features is computed in float32 and scaled
    by a power of two to about SCALED_GRADIENT before the backward pass.
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
