"""Losses: pure functions of features, Gram matrices and pixels.

The paper writes the gradients of its losses as zero where the activation is
negative. That is the gradient of the ReLU, so nothing is masked here.
"""

import numpy as np
import tensorflow as tf

from tfstyle.images.color_transfer import RGB_TO_YIQ
from tfstyle.images.preprocessing import IMAGENET_MEAN_BGR

GREY_LEVELS = 255.0
"""Difference of white and black: the unit of the relative pixel losses."""
LUMINANCE_BGR = RGB_TO_YIQ[0, ::-1].astype("float32")
"""Weights of blue, green and red in luminance, Y of Rec. 601."""
_axes, _lengths, _ = np.linalg.svd(np.eye(3) - LUMINANCE_BGR[:, np.newaxis])
CHROMA_BGR = (_axes * _lengths)[:, :2].astype("float32")
"""Matrix from blue, green and red to two chroma coordinates, `[3, 2]`.

The chroma is the image without its luminance; rotating it so that its third
coordinate is zero preserves its squared norm.
"""
SMALL_GRADIENT = 2.5
"""Smoothing of the relative total variation at 0, grey levels per pixel."""


def content_loss(features: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
    """Computes the content loss of one layer, L_c = 1/2 sum((F - P)**2).

    Args:
        features: float32 `[1, H, W, C]`, activations of the image.
        target: float32 `[1, H, W, C]`, activations of the content image.

    Returns:
        float32 scalar, in (activation)**2, not yet weighted. dL/dF = F - P.

    References:
        Gatys, Ecker, Bethge, 2015, eq. 1.
    """
    return tf.nn.l2_loss(features - target)


def style_loss(gram: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
    """Computes the style loss of one layer, E_l = sum((G - A)**2) / (4 N**2).

    Args:
        gram: float32 `[C, C]`, Gram matrix of the image divided by its own M.
        target: float32 `[C, C]`, Gram matrix of the style image divided by its
            own M.

    Returns:
        float32 scalar, in (squared activation)**2, not yet weighted.
        dE/dF = (G - A) F / (N**2 M).

    References:
        Gatys, Ecker, Bethge, 2015, eq. 4.

    Note: the paper divides both by the image's M; here the sizes may differ.
    """
    channels = gram.shape[-1]
    return tf.reduce_sum(tf.square(gram - target)) / (4.0 * channels**2)


def relative_style_loss(gram: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
    """Computes the relative style loss, E_l = sum((G - A)**2) / sum(A**2).

    0 is a perfect match, 1 the loss of a layer without any activation.

    Args:
        gram: float32 `[C, C]`, Gram matrix of the image divided by its own M.
        target: float32 `[C, C]`, Gram matrix of the style image divided by its
            own M.

    Returns:
        float32 scalar, dimensionless, not yet weighted.

    Note: not in the paper, whose losses differ by orders of magnitude between
    layers, so that one layer dominates.
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
    down, right = _differences(image)
    return tf.reduce_sum(tf.square(down)) + tf.reduce_sum(tf.square(right))


def relative_total_variation_loss(image: tf.Tensor) -> tf.Tensor:
    """Computes the mean norm of the image's gradient; 1 is black to white.

    L_tv = mean (sqrt(v**2 + h**2 + s**2) - s) / 255. v**2 is the mean over
    channels of the squared difference to a vertical neighbour of a pixel, h**2
    to a horizontal one, s is SMALL_GRADIENT; the mean is over all pixels and
    their four pairs of such neighbours.

    Of two images whose gradients have the same energy it prefers the one with
    few, strong edges: strokes. The squared total variation is the same for
    both. Without this loss, dense ripples three to four pixels wide appear
    where content and style conflict.

    Args:
        image: float32 `[1, H, W, 3]`.

    Returns:
        float32 scalar, dimensionless, not yet weighted. Pixels at the edge
        have fewer neighbours; a missing one counts as equal.

    References:
        Rudin, Osher, Fatemi, Nonlinear total variation based noise removal
        algorithms, 1992.

    Note: not in the paper. A townscape in the style of The Starry Night at
    512 px, average pooling: at a weight of 0.25 hardly any ripples were left on
    walls and sky, at relative errors of .002 .001 .005 .029 .031 from conv1_1
    to conv5_1. With a mean of squares instead, at 0.3, they were everywhere, at
    .001 .001 .004 .028 .029. With `rms` pooling 0.08 is enough, except for fine
    cracks in the paint (Turner's Shipwreck in the style of The Scream), which
    0.15 removes; 0.25 cuts the areas between strokes into facets.
    """
    down, right = (
        tf.reduce_mean(tf.square(differences), axis=-1)
        for differences in _differences(image)
    )
    sides = [(0, 1), (1, 0)]  # side of the missing neighbour
    lengths = [
        tf.sqrt(
            tf.pad(down, [(0, 0), vertical, (0, 0)])
            + tf.pad(right, [(0, 0), (0, 0), horizontal])
            + SMALL_GRADIENT**2
        )
        for vertical in sides
        for horizontal in sides
    ]
    mean_length = tf.reduce_mean(tf.stack(lengths))
    return (mean_length - SMALL_GRADIENT) / GREY_LEVELS


def chroma_loss(image: tf.Tensor) -> tf.Tensor:
    """Computes the sum of squared chroma differences of neighbouring pixels.

    L_c = sum (c[i+1,j] - c[i,j])**2 + sum (c[i,j+1] - c[i,j])**2, where the
    chroma c is the image without its luminance, Y of Rec. 601.

    Args:
        image: float32 `[1, H, W, 3]`, BGR, with or without the mean.

    Returns:
        float32 scalar, in (grey level)**2, a sum over pixels and channels.

    Note: not in the paper.
    """
    return tf.add_n(_sum_chroma_differences(image))


def relative_chroma_loss(image: tf.Tensor) -> tf.Tensor:
    """Computes the mean squared chroma difference of neighbouring pixels.

    `chroma_loss` with means over pixels and channels, one for each direction,
    in units of the squared distance from black to white. In a painting colours
    vary between strokes, not between pixels; without this loss, dots in
    complementary colours appear where content and style conflict.

    Args:
        image: float32 `[1, H, W, 3]`, BGR, with or without the mean.

    Returns:
        float32 scalar, dimensionless, not yet weighted.

    Note: not in the paper.
    """
    down, right = _sum_chroma_differences(image)
    _, height, width, channels = image.shape
    down /= max(1, (height - 1) * width * channels)
    right /= max(1, height * (width - 1) * channels)
    return (down + right) / GREY_LEVELS**2


def _sum_chroma_differences(image: tf.Tensor) -> list[tf.Tensor]:
    """Returns vertical and horizontal sums of squared chroma differences.

    Uses convolutions: differences of slices take several times as long.
    """
    pair = np.stack([-CHROMA_BGR, CHROMA_BGR])
    return [
        tf.reduce_sum(tf.square(tf.nn.conv2d(image, kernel, 1, "VALID")))
        if size > 1
        else tf.zeros([])
        for size, kernel in (
            (image.shape[1], pair[:, np.newaxis]),
            (image.shape[2], pair[np.newaxis]),
        )
    ]


def _differences(image: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns neighbour differences, `[1, H-1, W, 3]` and `[1, H, W-1, 3]`."""
    down = image[:, 1:] - image[:, :-1]
    right = image[:, :, 1:] - image[:, :, :-1]
    return down, right


def range_loss(image: tf.Tensor) -> tf.Tensor:
    """Computes the sum of squares of the excess below black and above white.

    The image is clipped when it is written. Without this loss, out-of-range
    colours match the Gram matrices, and clipping destroys the match.

    Args:
        image: float32 `[1, H, W, 3]`, BGR without the mean.

    Returns:
        float32 scalar, in (grey level)**2, a sum over pixels and channels.

    Note: not in the paper.
    """
    levels = image + tf.constant(IMAGENET_MEAN_BGR, image.dtype)
    excess = levels - tf.clip_by_value(levels, 0.0, GREY_LEVELS)
    return tf.reduce_sum(tf.square(excess))


def relative_range_loss(image: tf.Tensor) -> tf.Tensor:
    """Computes the mean square of the excess below black and above white.

    Args:
        image: float32 `[1, H, W, 3]`, BGR without the mean.

    Returns:
        float32 scalar, dimensionless: the mean of `range_loss` over pixels and
        channels, in units of the squared distance from black to white.
    """
    return range_loss(image) / (image.shape.num_elements() * GREY_LEVELS**2)


def temporal_loss(
    image: tf.Tensor, target: tf.Tensor, weights: tf.Tensor
) -> tf.Tensor:
    """Computes the temporal loss, L_t = 1/D sum(c (x - w)**2).

    Args:
        image: float32 `[1, H, W, 3]`, BGR without the mean.
        target: float32 `[1, H, W, 3]`, w, the painting of the previous frame
            moved by the optical flow.
        weights: float32 `[1, H, W, 1]`, c, 0..1, trust in the optical flow.

    Returns:
        float32 scalar, in (grey level)**2, not yet weighted; D is the number
        of pixels times that of channels.

    References:
        Ruder, Dosovitskiy, Brox, Artistic style transfer for videos, 2016,
        eq. 6.
    """
    return tf.reduce_mean(weights * tf.square(image - target))


def relative_temporal_loss(
    image: tf.Tensor, target: tf.Tensor, weights: tf.Tensor
) -> tf.Tensor:
    """Computes `temporal_loss`; 1 is black where it should be white.

    Args:
        image: float32 `[1, H, W, 3]`, BGR without the mean.
        target: float32 `[1, H, W, 3]`, the previous painting, moved.
        weights: float32 `[1, H, W, 1]`, 0..1.

    Returns:
        float32 scalar, dimensionless, not yet weighted.
    """
    return temporal_loss(image, target, weights) / GREY_LEVELS**2
