"""The weighted sum of the losses and its gradient: the program's hinge.

`value_and_gradient(image) -> (LossTerms, gradient)` is one signature. The
whole frame at once, as here, is one way to implement it.
"""

from collections.abc import Callable
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tfstyle import losses
from tfstyle.config import Config
from tfstyle.config_checks import ConfigError
from tfstyle.features import Extractor
from tfstyle.gram import gram_sum
from tfstyle.masks import average_mask
from tfstyle.vgg19_layers import BY_NAME


class Targets(NamedTuple):
    """What an image is held against. An empty dict leaves its term out.

    Attributes:
        content: `{layer: float32 [1, H_l, W_l, N_l]}`, the content's features.
        style: `{layer: [float32 [N_l, N_l], ...]}`, for each region the
            style's Gram matrix, divided by its own count; without masks the
            whole frame is the one region.
        masks: `{layer: [float32 [1, H_l, W_l, 1], ...]}`, T of each region of
            the image, or an empty dict.
    """

    content: dict[str, tf.Tensor]
    style: dict[str, list[tf.Tensor]]
    masks: dict[str, list[tf.Tensor]]


class LossTerms(NamedTuple):
    """The losses of one image, float32 scalars.

    Attributes:
        total: the weighted sum, which is minimised.
        raw: `content/<layer>`, `style/<layer>` and `total_variation`, before
            any weight.
        weighted: `weighted/content`, `weighted/style` and
            `weighted/total_variation`, which add up to the total.
    """

    total: tf.Tensor
    raw: dict[str, tf.Tensor]
    weighted: dict[str, tf.Tensor]


SCALED_GRADIENT = 1.0
"""Largest gradient by a feature, as scaled; in float16 4000 below overflow."""

ValueAndGradient = Callable[[tf.Tensor], tuple[LossTerms, tf.Tensor]]


def compute_targets(
    extractor: Extractor,
    content: tf.Tensor | None,
    styles: Sequence[tf.Tensor],
    config: Config,
    *,
    content_masks: Sequence[np.ndarray] = (),
    style_masks: Sequence[np.ndarray] = (),
    image_size: tuple[int, int] = (0, 0),
) -> Targets:
    """Computes what a run's image is held against.

    Without masks several styles blend: `A_l = sum_s b_s A_ls / M_ls`. With
    masks, region r of the image is held against region r of style r.

    Args:
        extractor: of at least the content and style layers.
        content: float32 `[1, H, W, 3]`, BGR without the mean, or None.
        styles: the same, of any sizes; may be empty.
        config: gives layers and blend weights.
        content_masks: uint8 `[H, W]`, one a region, of any sizes.
        style_masks: the same.
        image_size: height and width of the image; needed with masks.

    Raises:
        ConfigError: if a mask is empty.
    """
    content_targets, style_targets, masks = {}, {}, {}
    if content is not None and config.content_weight:
        features = extractor(content)
        content_targets = {n: features[n] for n in config.content_layers}
    if not config.style_weight:
        return Targets(content_targets, {}, {})
    if len(content_masks):
        sizes = _feature_sizes(*image_size, config.style_layers)
        masks = _average_masks("content_masks", content_masks, sizes)
        style_targets = {name: [] for name in config.style_layers}
    blend = config.style_blend_weights or [1] * len(styles)
    for number, style in enumerate(styles):
        features = extractor(style)
        if len(style_masks):
            sizes = {n: features[n].shape[1:3] for n in config.style_layers}
            regions = _average_masks(
                "style_masks", [style_masks[number]], sizes
            )
            for name, (mask,) in regions.items():
                gram = gram_sum(features[name], mask).normalized()
                style_targets[name].append(gram)
            continue
        for name in config.style_layers:
            gram = gram_sum(features[name]).normalized()
            part = blend[number] / sum(blend) * gram
            if name in style_targets:
                part += style_targets[name][0]
            style_targets[name] = [part]
    if len(content_masks) == 1 and (content_masks[0] == 255).all():
        masks = {}  # one region that is the whole frame needs none
    return Targets(content_targets, style_targets, masks)


def _feature_sizes(
    height: int, width: int, names: Sequence[str]
) -> dict[str, tuple[int, int]]:
    """Returns the height and width of layers' features, in positions."""
    strides = {name: BY_NAME[name].stride for name in names}
    return {n: (height // s, width // s) for n, s in strides.items()}


def _average_masks(
    field: str,
    masks: Sequence[np.ndarray],
    sizes: dict[str, tuple[int, int]],
) -> dict[str, list[tf.Tensor]]:
    """Brings every mask to every layer's size."""
    averages = {}
    for name, size in sizes.items():
        averages[name] = [average_mask(mask, *size) for mask in masks]
        for number, average in enumerate(averages[name], start=1):
            if not average.any():
                raise ConfigError(
                    f"`{field}` must show a region each. Received: number"
                    f" {number} is empty at {name}. Paint it in white, larger."
                )
    return {n: [tf.constant(a) for a in v] for n, v in averages.items()}


def make_value_and_gradient(
    extractor: Extractor, targets: Targets, config: Config
) -> ValueAndGradient:
    """Makes the hinge that evaluates the whole frame in one graph.

    Args:
        extractor: of at least the layers in `targets`.
        targets: what `compute_targets` returned.
        config: a resolved one; gives the weights.

    Returns:
        A function from float32 `[1, H, W, 3]` to the image's `LossTerms` and
        the gradient of the total, float32 `[1, H, W, 3]`.
    """
    forward = _forward_in_segments if config.recompute else _forward

    @tf.function(jit_compile=config.jit_compile == "true")
    def evaluate(image, targets):
        if extractor.precision == "mixed_float16":
            return _evaluate_scaled(extractor, image, targets, config)
        with tf.GradientTape() as tape:
            tape.watch(image)
            terms = forward(extractor, image, targets, config)
        return terms, tape.gradient(terms.total, image)

    return lambda image: evaluate(image, targets)


def _forward(
    extractor: Extractor, image: tf.Tensor, targets: Targets, config: Config
) -> LossTerms:
    return compute_terms(image, extractor(image), targets, config)


def _forward_in_segments(
    extractor: Extractor, image: tf.Tensor, targets: Targets, config: Config
) -> LossTerms:
    """Computes the terms so that their gradient needs little memory.

    Of every segment only its input is kept; what is in it is made again
    when the gradient comes by.
    """
    raw = {}
    end = extractor.scale_image(image)
    for segment in extractor.segments:

        @tf.recompute_grad
        def run(image, segment=segment):
            features = segment(image, training=False)
            end = features[segment.name]
            features = extractor.scale_features(features)
            return end, _layer_losses(features, targets, config)

        end, losses_of_segment = run(end)
        raw.update(losses_of_segment)
    return _weigh(image, raw, config)


def _evaluate_scaled(
    extractor: Extractor, image: tf.Tensor, targets: Targets, config: Config
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
        terms = compute_terms(image, features, targets, config)
    by_image, by_features = tape.gradient(
        terms.total,
        (image, features),
        unconnected_gradients=tf.UnconnectedGradients.ZERO,
    )
    largest = tf.reduce_max(
        [tf.reduce_max(tf.abs(g)) for g in by_features.values()]
    )
    largest = tf.maximum(largest, np.finfo(np.float32).tiny)
    exponent = tf.floor(tf.math.log(SCALED_GRADIENT / largest) / np.log(2))
    scale = tf.pow(2.0, tf.clip_by_value(exponent, -100, 100))
    gradient = through_network.gradient(
        features,
        image,
        output_gradients={n: g * scale for n, g in by_features.items()},
    )
    return terms, by_image + gradient / scale


def compute_terms(
    image: tf.Tensor,
    features: dict[str, tf.Tensor],
    targets: Targets,
    config: Config,
) -> LossTerms:
    """Computes every loss of an image and their weighted sum.

    `alpha sum_l v_l L_c,l + beta sum_l w_l E_l + gamma L_tv`.

    Args:
        image: float32 `[1, H, W, 3]`.
        features: of the image, `{layer: float32 [1, H_l, W_l, N_l]}`.
        targets: what they are held against.
        config: a resolved one; gives the weights.

    References:
        Gatys, Ecker, Bethge, 2015, eq. 5 and 7.
    """
    return _weigh(image, _layer_losses(features, targets, config), config)


def _layer_losses(
    features: dict[str, tf.Tensor], targets: Targets, config: Config
) -> dict[str, tf.Tensor]:
    """Computes the losses, before any weight, of the layers that are given."""
    raw = {}
    for name, target in targets.content.items():
        if name in features:
            raw[f"content/{name}"] = losses.content_loss(
                features[name], target, config.content_reduction
            )
    for name, grams in targets.style.items():
        if name in features:
            raw[f"style/{name}"] = _style_loss(
                features[name], grams, targets.masks.get(name)
            )
    return raw


def _weigh(
    image: tf.Tensor, raw: dict[str, tf.Tensor], config: Config
) -> LossTerms:
    """Adds the total variation and the weighted sums to the layers' losses."""
    ordered, weighted = {}, {}
    for term, factor, layers, weights in (
        (
            "content",
            config.content_weight,
            config.content_layers,
            config.content_layer_weights,
        ),
        (
            "style",
            config.style_weight,
            config.style_layers,
            config.style_layer_weights,
        ),
    ):
        parts, factors = [], []
        for name, weight in zip(layers, weights, strict=True):
            key = f"{term}/{name}"
            if key in raw:
                ordered[key] = raw[key]
                parts.append(raw[key])
                factors.append(weight)
        if parts:
            # One sum over a vector: TensorFlow reorders scalars at will, and
            # not always alike.
            weighted[f"weighted/{term}"] = factor * tf.reduce_sum(
                tf.stack(parts) * tf.constant(factors, tf.float32)
            )
    if config.tv_weight:
        loss = losses.total_variation_loss(image)
        ordered["total_variation"] = loss
        weighted["weighted/total_variation"] = config.tv_weight * loss
    total = tf.reduce_sum(tf.stack(list(weighted.values())))
    return LossTerms(total, ordered, weighted)


def _style_loss(
    features: tf.Tensor,
    grams: list[tf.Tensor],
    masks: list[tf.Tensor] | None,
) -> tf.Tensor:
    """Sums the style loss of one layer over its regions.

    `E_l = sum_r s_r E(G_r / count_r, A_r / count_Ar)`, where s_r is the share
    of the region, the mean of T_r^2.
    """
    if masks is None:
        (target,) = grams
        return losses.style_loss(gram_sum(features).normalized(), target)
    positions = tf.cast(tf.reduce_prod(tf.shape(features)[1:3]), features.dtype)
    parts = []
    for target, mask in zip(grams, masks, strict=True):
        region = gram_sum(features, mask)
        share = region.count / positions
        parts.append(share * losses.style_loss(region.normalized(), target))
    return tf.reduce_sum(tf.stack(parts))
