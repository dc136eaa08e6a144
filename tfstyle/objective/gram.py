"""Gram sums: the style statistics, unnormalised so that they add up.

A Gram sum and its count may be added over tiles and over replicas; only
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


def gram_sum(features: tf.Tensor, mask: tf.Tensor | None = None) -> GramSum:
    """Computes the Gram sum of one layer's features, G_ij = sum_k F_ik F_jk.

    Args:
        features: float32 `[1, H, W, C]`, rectified activations.
        mask: float32 `[1, H, W, 1]`, T of a region, 0..1, or None for all.

    Returns:
        A `GramSum` over the H*W positions.

    References:
        Gatys, Ecker, Bethge, 2015, eq. 3; with a mask the guided Gram matrix
        of Gatys et al., Controlling Perceptual Factors in Neural Style
        Transfer, 2017, section 4.
    """
    if mask is None:
        height, width = tf.shape(features)[1], tf.shape(features)[2]
        count = tf.cast(height * width, features.dtype)
    else:
        features *= mask
        count = tf.reduce_sum(tf.square(mask))
    rows = tf.reshape(features, [-1, features.shape[-1]])  # [H*W, C]
    return GramSum(_gram_matrix(rows), count)


def region_sums(
    features: tf.Tensor, masks: list[tf.Tensor] | None
) -> list[GramSum]:
    """Computes one Gram sum a mask; without masks, one of all positions."""
    return [gram_sum(features, mask) for mask in masks or [None]]


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


@custom_gradient
def _gram_matrix(rows: tf.Tensor):
    """Returns `rows^T rows`, with a gradient of one product instead of two.

    The matrix is symmetric in its two factors, so d/dF = F (D + D^T), where
    automatic differentiation would multiply F with D and with D^T apart.
    """
    columns = tf.transpose(rows)  # [C, H*W]: a plain product is the fastest

    def gradient(upstream):
        return tf.matmul(rows, upstream + tf.transpose(upstream))

    return tf.matmul(columns, rows), gradient
