"""Gram sums: style statistics, unnormalised so that they can be added up.

A Gram sum and its count can be added over tiles and replicas; only
`GramSum.normalized` divides, once, by the total count.
"""

from typing import NamedTuple

import tensorflow as tf

from tfstyle.system.gradients import custom_gradient


class GramSum(NamedTuple):
    """Sum over positions of the products of feature maps.

    Attributes:
        matrix: float32 `[C, C]`, `sum_k T_k^2 F_k F_k^T`, in squared
            activations.
        count: float32 scalar, `sum_k T_k^2`; without a mask M, the number of
            positions.
    """

    matrix: tf.Tensor
    count: tf.Tensor

    def normalized(self) -> tf.Tensor:
        """Returns float32 `[C, C]`, the Gram matrix divided by its count."""
        return self.matrix / self.count


Part = tuple[tf.Tensor, tf.Tensor]
"""Slice of a layer's positions: `begin` and `size` of `tf.slice`."""


def gram_sum(
    features: tf.Tensor,
    mask: tf.Tensor | None = None,
    part: Part | None = None,
) -> GramSum:
    """Computes the Gram sum of one layer's features, G_ij = sum_k F_ik F_jk.

    Args:
        features: float32 `[1, H, W, C]`, rectified activations.
        mask: float32 `[1, h, w, 1]`, T of a region, 0..1, or None for no mask.
        part: slice of h*w positions, or None for all H*W.

    Returns:
        A `GramSum` over the h*w positions.

    References:
        Gatys, Ecker, Bethge, 2015, eq. 3; with a mask the guided Gram matrix
        of Gatys et al., Controlling Perceptual Factors in Neural Style
        Transfer, 2017, section 4.
    """
    if mask is None:
        size = tf.shape(features) if part is None else part[1]
        count = tf.cast(size[1] * size[2], features.dtype)
    else:
        count = tf.reduce_sum(tf.square(mask))
    return GramSum(_gram_matrix(features, mask, part), count)


def region_sums(
    features: tf.Tensor,
    masks: list[tf.Tensor] | None,
    part: Part | None = None,
) -> list[GramSum]:
    """Computes one Gram sum per mask; without masks, one of all positions."""
    return [gram_sum(features, mask, part) for mask in masks or [None]]


def gram_matrices(features: tf.Tensor) -> tf.Tensor:
    """Computes the Gram matrices of a batch, each divided by its H*W.

    Args:
        features: float32 `[B, H, W, C]`, rectified activations.

    Returns:
        float32 `[B, C, C]`, in squared activations.
    """
    shape = tf.shape(features)
    positions = shape[1] * shape[2]
    rows = tf.reshape(features, [shape[0], positions, features.shape[-1]])
    products = tf.matmul(rows, rows, transpose_a=True)
    return products / tf.cast(positions, features.dtype)


def _gram_matrix(
    features: tf.Tensor, mask: tf.Tensor | None, part: Part | None
) -> tf.Tensor:
    """Returns `F^T F`, with a one-product gradient that keeps no copy of F.

    The matrix is symmetric in its two factors, so d/dF = F (D + D^T);
    automatic differentiation would multiply F by D and by D^T separately.
    """
    channels = features.shape[-1]

    def cut(features):
        if part is not None:
            features = tf.slice(features, *part)
        if mask is not None:
            features *= mask
        return tf.reshape(features, [-1, channels])  # [h*w, C]

    @custom_gradient
    def compute(features):
        def gradient(upstream):
            # Recomputed here to save memory: rows are as large as features.
            with tf.control_dependencies([upstream]):
                rows = cut(features)
            by_rows = tf.matmul(rows, upstream + tf.transpose(upstream))
            whole = tf.shape(features)
            begin, size = part or (tf.zeros_like(whole), whole)
            by_part = tf.reshape(by_rows, size)
            if mask is not None:
                by_part *= mask
            if part is None:
                return by_part
            return tf.pad(by_part, tf.stack([begin, whole - begin - size], 1))

        rows = cut(features)
        columns = tf.transpose(rows)  # [C, h*w]: a plain product is fastest
        return tf.matmul(columns, rows), gradient

    return compute(features)
