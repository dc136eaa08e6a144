"""Frequency preconditioner for images: longer steps along low frequencies.

L-BFGS usually starts from a multiple of the identity as inverse Hessian. For
pixels there is a better initial guess: amplitudes in natural images are
inversely proportional to frequency, so low frequencies need longer steps.

Notes: a townscape in the style of The Starry Night at 320 px, content and style
losses only, 175 evaluations: the total was 0.0654 without and 0.0650 with it;
without it a sun appeared in the river, too. With the square of the frequency,
50 evaluations at 256 px, the total was 9 percent higher.
"""

import numpy as np
import tensorflow as tf

LOWEST = 0.01
"""Frequency, cycles per pixel, below which the gain is constant."""


def filter_frequencies(image: tf.Tensor, gains: tf.Tensor) -> tf.Tensor:
    """Multiplies an image's spectrum by gains: symmetric, positive definite.

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
    """Computes the gain of each frequency, 1 on average.

    Returns:
        float32 `[H, W // 2 + 1]`.
    """
    rows = np.fft.fftfreq(height)[:, np.newaxis]
    columns = np.fft.rfftfreq(width)
    gains = 1 / np.maximum(np.hypot(rows, columns), LOWEST)
    return tf.constant(gains / gains.mean(), tf.float32)
