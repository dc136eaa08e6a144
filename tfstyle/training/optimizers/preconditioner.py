"""A preconditioner for pictures: large forms move first, fine grain last.

L-BFGS begins with a multiple of the identity as its inverse Hessian. For
pixels a better guess is at hand: in natural pictures amplitudes fall as one
over the frequency, so that steps along low frequencies should be longer.

A townscape in The Starry Night at 320 px, content and style losses alone, 175
evaluations: the total was 0.0654 without and 0.0650 with it; without it the
river got a sun, too. With the square of the frequency, 50 evaluations at 256
px, the total was 9 percent higher.
"""

import numpy as np
import tensorflow as tf

LOWEST = 0.01
"""Frequency, cycles a pixel, below which all weigh alike."""


def filter_frequencies(image: tf.Tensor, gains: tf.Tensor) -> tf.Tensor:
    """Divides an image's spectrum by its frequencies: symmetric, positive.

    Args:
        image: float32 `[1, H, W, C]`.
        gains: float32 `[H, W // 2 + 1]`, made by `make_gains`.

    Returns:
        float32 `[1, H, W, C]`.
    """
    planes = tf.transpose(image, [0, 3, 1, 2])  # [1, C, H, W]
    spectrum = tf.signal.rfft2d(planes) * tf.cast(gains, tf.complex64)
    filtered = tf.signal.irfft2d(spectrum, tf.shape(planes)[2:])
    return tf.transpose(filtered, [0, 2, 3, 1])


def make_gains(height: int, width: int) -> tf.Tensor:
    """Returns the factor of each frequency, 1 on average.

    Returns:
        float32 `[H, W // 2 + 1]`.
    """
    rows = np.fft.fftfreq(height)[:, np.newaxis]
    columns = np.fft.rfftfreq(width)
    gains = 1 / np.maximum(np.hypot(rows, columns), LOWEST)
    return tf.constant(gains / gains.mean(), tf.float32)
