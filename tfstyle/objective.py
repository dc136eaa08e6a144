"""The weighted sum of the losses and its gradient: the program's hinge.

`value_and_gradient(image) -> (LossTerms, gradient)` is one signature. The
whole frame at once, as here, is one way to implement it.
"""

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from tfstyle import losses
from tfstyle.config import Config
from tfstyle.features import Extractor
from tfstyle.gram import gram_sum


class Targets(NamedTuple):
    """What an image is held against. An empty dict leaves its term out.

    Attributes:
        content: `{layer: float32 [1, H_l, W_l, N_l]}`, the content's features.
        style: `{layer: float32 [N_l, N_l]}`, the style's Gram matrices, each
            divided by its own M.
    """

    content: dict[str, tf.Tensor]
    style: dict[str, tf.Tensor]


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


ValueAndGradient = Callable[[tf.Tensor], tuple[LossTerms, tf.Tensor]]


def compute_targets(
    extractor: Extractor,
    content: tf.Tensor | None,
    styles: list[tf.Tensor],
    config: Config,
) -> Targets:
    """Computes what a run's image is held against.

    Several styles blend: `A_l = sum_s b_s A_ls / M_ls`.

    Args:
        extractor: of at least the content and style layers.
        content: float32 `[1, H, W, 3]`, BGR without the mean, or None.
        styles: the same, of any sizes; may be empty.
        config: gives layers and blend weights.
    """
    content_targets, style_targets = {}, {}
    if content is not None and config.content_weight:
        features = extractor(content)
        content_targets = {n: features[n] for n in config.content_layers}
    if styles and config.style_weight:
        blend = config.style_blend_weights or [1] * len(styles)
        for weight, style in zip(blend, styles, strict=True):
            features = extractor(style)
            for name in config.style_layers:
                gram = gram_sum(features[name]).normalized()
                part = weight / sum(blend) * gram
                known = style_targets.get(name)
                style_targets[name] = part if known is None else known + part
    return Targets(content_targets, style_targets)


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

    @tf.function
    def evaluate(image, targets):
        with tf.GradientTape() as tape:
            tape.watch(image)
            terms = compute_terms(image, extractor(image), targets, config)
        return terms, tape.gradient(terms.total, image)

    return lambda image: evaluate(image, targets)


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
    raw, weighted = {}, {}
    if targets.content:
        parts = []
        for name, weight in zip(
            config.content_layers, config.content_layer_weights, strict=True
        ):
            loss = losses.content_loss(
                features[name], targets.content[name], config.content_reduction
            )
            raw[f"content/{name}"] = loss
            parts.append(weight * loss)
        weighted["weighted/content"] = config.content_weight * tf.add_n(parts)
    if targets.style:
        parts = []
        for name, weight in zip(
            config.style_layers, config.style_layer_weights, strict=True
        ):
            gram = gram_sum(features[name]).normalized()
            loss = losses.style_loss(gram, targets.style[name])
            raw[f"style/{name}"] = loss
            parts.append(weight * loss)
        weighted["weighted/style"] = config.style_weight * tf.add_n(parts)
    if config.tv_weight:
        loss = losses.total_variation_loss(image)
        raw["total_variation"] = loss
        weighted["weighted/total_variation"] = config.tv_weight * loss
    return LossTerms(tf.add_n(list(weighted.values())), raw, weighted)
