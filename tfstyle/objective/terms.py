"""Loss terms of an image: by layer, weighted, and their total."""

import types
from collections.abc import Callable
from collections.abc import Mapping
from typing import NamedTuple

import tensorflow as tf

from tfstyle.network.layers import BY_NAME
from tfstyle.network.layers import num_positions
from tfstyle.objective import losses
from tfstyle.objective.gram import GramSum
from tfstyle.objective.gram import Part
from tfstyle.objective.gram import region_sums
from tfstyle.objective.options import ObjectiveOptions
from tfstyle.objective.targets import Targets

PIXEL_LOSSES = {
    "relative": {
        "total_variation": losses.relative_total_variation_loss,
        "chroma": losses.relative_chroma_loss,
        "range": losses.relative_range_loss,
        "temporal": losses.relative_temporal_loss,
    },
    "absolute": {
        "total_variation": losses.total_variation_loss,
        "chroma": losses.chroma_loss,
        "range": losses.range_loss,
        "temporal": losses.temporal_loss,
    },
}
"""Losses of the image's pixels, by `loss_scale`."""


class LossTerms(NamedTuple):
    """The losses of one image, float32 scalars.

    Attributes:
        total: weighted sum, which is minimised; NaN if the gradient of the
            evaluation is not finite.
        raw: `content/<layer>`, `style/<layer>`, `total_variation`, `chroma`
            and `range`, before any weight.
        weighted: `weighted/content`, `weighted/style`,
            `weighted/total_variation`, `weighted/chroma` and `weighted/range`,
            which add up to the total.
    """

    total: tf.Tensor
    raw: dict[str, tf.Tensor]
    weighted: dict[str, tf.Tensor]

    def to_floats(self) -> dict[str, float]:
        """Returns the losses by name, `total` first; waits for the device."""
        terms = {"total": self.total, **self.raw, **self.weighted}
        values = tf.stack(list(terms.values())).numpy()  # read once
        return dict(zip(terms, map(float, values), strict=True))

    def checked(self, gradient: tf.Tensor) -> "LossTerms":
        """Returns the terms with a total of NaN if the gradient is not finite.

        A finite total then implies a finite gradient.
        """
        is_right = tf.reduce_all(tf.math.is_finite(gradient))
        is_right |= ~tf.math.is_finite(self.total)
        # A constant NaN would fail `tf.debugging.enable_check_numerics`.
        nothing = tf.sqrt(tf.cast(is_right, self.total.dtype) - 1)
        return self._replace(total=self.total + nothing)


class LayerSums(NamedTuple):
    """Sums over the positions of an image, additive over tiles and replicas.

    Attributes:
        content: half the sum of squared differences to the target, by layer.
        style: one Gram sum per region, by layer.
    """

    content: dict[str, tf.Tensor]
    style: dict[str, list[GramSum]]


def compute_terms(
    image: tf.Tensor,
    features: dict[str, tf.Tensor],
    targets: Targets,
    options: ObjectiveOptions,
) -> LossTerms:
    """Computes every loss of an image and their weighted sum.

    `alpha sum_l v_l L_c,l + beta sum_l w_l E_l + gamma L_tv + kappa L_c +
    rho L_range`.

    Args:
        image: float32 `[1, H, W, 3]`.
        features: `{layer: float32 [1, H_l, W_l, N_l]}` of the image.
        targets: features and Gram matrices to match.
        options: weights and scale of the losses.

    References:
        Gatys, Ecker, Bethge, 2015, eq. 5 and 7.
    """
    return terms_of_sums(image, sum_layers(features, targets), targets, options)


def sum_layers(
    features: dict[str, tf.Tensor],
    targets: Targets,
    parts: Mapping[str, Part] = types.MappingProxyType({}),
) -> LayerSums:
    """Computes Gram sums and content losses of the layers in `features`.

    Args:
        features: `{layer: float32 [1, H_l, W_l, N_l]}`.
        targets: targets of the positions in use.
        parts: slices of the positions to use, by layer; other layers use all.
    """
    content = {}
    for name, target in targets.content.items():
        if name in features:
            taken = features[name]
            if name in parts:
                taken = tf.slice(taken, *parts[name])
            content[name] = losses.content_loss(taken, target)
    style = {
        name: region_sums(
            features[name], targets.masks.get(name), parts.get(name)
        )
        for name in targets.style
        if name in features
    }
    return LayerSums(content, style)


def terms_of_sums(
    image: tf.Tensor,
    sums: LayerSums,
    targets: Targets,
    options: ObjectiveOptions,
) -> LossTerms:
    """Computes every loss and their weighted sum from sums over the frame.

    Args:
        image: float32 `[1, H, W, 3]`, the whole image.
        sums: sums over all positions of the image.
        targets: targets; only Gram matrices and content energies are used.
        options: weights and scale of the losses.
    """
    raw = _layer_losses(sums, targets, image.shape[1:3], options)
    return _combine_losses(image, raw, targets.temporal, options)


def _layer_losses(
    sums: LayerSums,
    targets: Targets,
    size: tuple[int, int],
    options: ObjectiveOptions,
) -> dict[str, tf.Tensor]:
    """Computes the unweighted losses of the layers in `sums`."""
    raw, is_relative = {}, options.loss_scale == "relative"
    for name, loss in sums.content.items():
        if is_relative:
            loss *= 2 / targets.content_energy[name]
        elif options.content_reduction == "mean":
            loss /= num_positions(name, size) * BY_NAME[name].channels
        raw[f"content/{name}"] = loss
    compare = losses.relative_style_loss if is_relative else losses.style_loss
    for name, regions in sums.style.items():
        raw[f"style/{name}"] = _style_loss(
            compare, regions, targets.style[name], num_positions(name, size)
        )
    return raw


def _combine_losses(
    image: tf.Tensor,
    raw: dict[str, tf.Tensor],
    temporal: dict[str, tf.Tensor],
    options: ObjectiveOptions,
) -> LossTerms:
    """Adds the pixel losses and the weighted sums to the layers' losses."""
    ordered, weighted = {}, {}
    for term, factor, layers, weights in (
        (
            "content",
            options.content_weight,
            options.content_layers,
            options.content_layer_weights,
        ),
        (
            "style",
            options.style_weight,
            options.style_layers,
            options.style_layer_weights,
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
            # One sum over a vector: TensorFlow may reorder sums of scalars
            # differently in each graph.
            weighted[f"weighted/{term}"] = factor * tf.reduce_sum(
                tf.stack(parts) * tf.constant(factors, tf.float32)
            )
    pixel_losses = PIXEL_LOSSES[options.loss_scale]
    for term, weight in (
        ("total_variation", options.tv_weight),
        ("chroma", options.chroma_weight),
        ("range", options.range_weight),
        ("temporal", options.temporal_weight if temporal else 0),
    ):
        if weight:
            others = temporal if term == "temporal" else {}
            ordered[term] = pixel_losses[term](image, **others)
            weighted[f"weighted/{term}"] = weight * ordered[term]
    total = tf.reduce_sum(tf.stack(list(weighted.values())))
    return LossTerms(total, ordered, weighted)


def _style_loss(
    compare: Callable[[tf.Tensor, tf.Tensor], tf.Tensor],
    regions: list[GramSum],
    grams: list[tf.Tensor],
    num_positions: int,
) -> tf.Tensor:
    """Sums the style loss of one layer over its regions.

    `E_l = sum_r s_r E(G_r / count_r, A_r / count_Ar)`, where s_r is the share
    of the region, the mean of T_r^2; 1 for the whole frame.
    """
    parts = []
    for region, target in zip(regions, grams, strict=True):
        share = region.count / num_positions
        parts.append(share * compare(region.normalized(), target))
    return tf.reduce_sum(tf.stack(parts))
