"""Loss terms of an image: by layer, weighted, and their total."""

import types
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

    `alpha sum_l v_l L_c,l + beta sum_l w_l E_l + gamma L_tv + kappa L_c +
    rho L_range`.

    Args:
        image: float32 `[1, H, W, 3]`, the whole image.
        sums: sums over all positions of the image.
        targets: targets; only Gram matrices, content energies and those of the
            temporal loss are used.
        options: weights and scale of the losses.

    References:
        Gatys, Ecker, Bethge, 2015, eq. 5 and 7.
    """
    size = image.shape[1:3]
    raw, weighted = {}, {}
    for term, by_layer, weight, layer_weights in (
        (
            "content",
            _content_losses(sums, targets, size, options),
            options.content_weight,
            options.content_layer_weights,
        ),
        (
            "style",
            _style_losses(sums, targets, size, options),
            options.style_weight,
            options.style_layer_weights,
        ),
    ):
        if by_layer:
            raw |= {f"{term}/{name}": loss for name, loss in by_layer.items()}
            # One sum over a vector: TensorFlow may reorder sums of scalars
            # differently in each graph.
            weighted[f"weighted/{term}"] = weight * tf.reduce_sum(
                tf.stack(list(by_layer.values()))
                * tf.constant(layer_weights, tf.float32)
            )
    temporal = targets.temporal
    for term, weight, others in (
        ("total_variation", options.tv_weight, {}),
        ("chroma", options.chroma_weight, {}),
        ("range", options.range_weight, {}),
        ("temporal", options.temporal_weight if temporal else 0, temporal),
    ):
        if weight:
            compute = PIXEL_LOSSES[options.loss_scale][term]
            raw[term] = compute(image, **others)
            weighted[f"weighted/{term}"] = weight * raw[term]
    total = tf.reduce_sum(tf.stack(list(weighted.values())))
    return LossTerms(total, raw, weighted)


def _content_losses(
    sums: LayerSums,
    targets: Targets,
    size: tuple[int, int],
    options: ObjectiveOptions,
) -> dict[str, tf.Tensor]:
    """Computes the content losses, not yet weighted, in the options' order."""
    losses_by_layer = {}
    for name in options.content_layers if sums.content else ():
        loss = sums.content[name]
        if options.loss_scale == "relative":
            loss *= 2 / targets.content_energy[name]
        elif options.content_reduction == "mean":
            loss /= num_positions(name, size) * BY_NAME[name].channels
        losses_by_layer[name] = loss
    return losses_by_layer


def _style_losses(
    sums: LayerSums,
    targets: Targets,
    size: tuple[int, int],
    options: ObjectiveOptions,
) -> dict[str, tf.Tensor]:
    """Computes the style losses, not yet weighted, in the options' order.

    `E_l = sum_r s_r E(G_r / count_r, A_r / count_Ar)`, where s_r is the share
    of the region, the mean of T_r^2; 1 for the whole frame.
    """
    is_relative = options.loss_scale == "relative"
    compare = losses.relative_style_loss if is_relative else losses.style_loss
    losses_by_layer = {}
    for name in options.style_layers if sums.style else ():
        parts = []
        for region, target in zip(
            sums.style[name], targets.style[name], strict=True
        ):
            share = region.count / num_positions(name, size)
            parts.append(share * compare(region.normalized(), target))
        losses_by_layer[name] = tf.reduce_sum(tf.stack(parts))
    return losses_by_layer
