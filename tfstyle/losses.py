"""The losses: pure functions of features, Gram matrices and pixels.

The paper writes the gradients of its losses as zero where the activation is
negative. That is the rectifier's own gradient: nothing is masked here.
"""

import tensorflow as tf

from tfstyle.preprocessing import IMAGENET_MEAN_BGR

GREY_LEVELS = 255.0
"""From black to white: the unit of the relative total variation."""


def content_loss(
    features: tf.Tensor, target: tf.Tensor, reduction: str = "sum"
) -> tf.Tensor:
    """Computes the content loss of one layer, L_c = 1/2 sum((F - P)**2).

    Args:
        features: float32 `[1, H, W, C]`, activations of the image.
        target: float32 `[1, H, W, C]`, activations of the content image.
        reduction: `sum`, or `mean`, which divides by H*W*C.

    Returns:
        float32 scalar, in (activation)**2, not yet weighted. dL/dF = F - P.

    References:
        Gatys, Ecker, Bethge, 2015, eq. 1.

    Note: the paper sums; `mean` is ours and does not depend on resolution.
    """
    loss = tf.nn.l2_loss(features - target)
    if reduction == "mean":
        loss /= tf.cast(tf.size(features), loss.dtype)
    return loss


def style_loss(gram: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
    """Computes the style loss of one layer, E_l = sum((G - A)**2) / (4 N**2).

    Args:
        gram: float32 `[C, C]`, Gram matrix of the image divided by its own M.
        target: float32 `[C, C]`, Gram matrix of the style image, likewise.

    Returns:
        float32 scalar, in (squared activation)**2, not yet weighted.
        dE/dF = (G - A) F / (N**2 M).

    References:
        Gatys, Ecker, Bethge, 2015, eq. 4.

    Note: the paper divides both by the image's M; we let the sizes differ.
    """
    channels = gram.shape[-1]
    return tf.reduce_sum(tf.square(gram - target)) / (4.0 * channels**2)


def relative_style_loss(gram: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
    """Computes the relative style loss, E_l = sum((G - A)**2) / sum(A**2).

    0 is a perfect match, 1 is what a layer without any activation has.

    Args:
        gram: float32 `[C, C]`, Gram matrix of the image divided by its own M.
        target: float32 `[C, C]`, Gram matrix of the style image, likewise.

    Returns:
        float32 scalar, a share without unit, not yet weighted.

    Note: not in the paper, whose losses differ by orders of magnitude between
    layers: one layer decides, the others are hardly seen.
    """
    difference = tf.reduce_sum(tf.square(gram - target))
    return difference / tf.reduce_sum(tf.square(target))


def total_variation_loss(image: tf.Tensor) -> tf.Tensor:
    """Computes the sum of squared differences of neighbouring pixels.

    L_tv = sum (x[i+1,j] - x[i,j])**2 + sum (x[i,j+1] - x[i,j])**2.

    Args:
        image: float32 `[1, H, W, 3]`.

    Returns:
        float32 scalar, in (grey level)**2, a sum over pixels and channels.

    Note: not in the paper; after Mahendran and Vedaldi, 2015.
    """
    down = image[:, 1:] - image[:, :-1]
    right = image[:, :, 1:] - image[:, :, :-1]
    return tf.reduce_sum(tf.square(down)) + tf.reduce_sum(tf.square(right))


def range_loss(image: tf.Tensor) -> tf.Tensor:
    """Computes the sum of squares of what lies below black and above white.

    The image is clipped when it is written. Without this loss the Gram matrices
    are matched by colours that no file can hold, and are not any more behind
    the clipping.

    Args:
        image: float32 `[1, H, W, 3]`, BGR without the mean.

    Returns:
        float32 scalar, in (grey level)**2, a sum over pixels and channels.

    Note: not in the paper.
    """
    levels = image + tf.constant(IMAGENET_MEAN_BGR, image.dtype)
    excess = levels - tf.clip_by_value(levels, 0.0, GREY_LEVELS)
    return tf.reduce_sum(tf.square(excess))
