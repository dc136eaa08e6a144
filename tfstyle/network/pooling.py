"""Pooling by root mean square, which does not alias."""

import keras
import numpy as np
import tensorflow as tf

from tfstyle.system.gradients import custom_gradient

WINDOW = np.array([1, 3, 3, 1], np.float32) / 8
"""Weights of a window along one axis: of [1, 1] / 2 convolved three times."""
EPSILON = 1e-4
"""Added to the mean of squares, in (activation)**2, as the root is infinitely
steep at 0."""


class RootMeanSquarePooling2D(keras.layers.AveragePooling2D):
    """Halves a frame by `sqrt(sum w x**2 + epsilon)`, w = [1 3 3 1]/8 each way.

    Windows of four by four positions overlap by two; beyond the edges the
    outermost positions are repeated. Windows of two by two positions pass
    frequencies that half as many positions cannot hold; the gradient returns
    them as a grid of 2 to 5 pixels, seen as hatching in skies and walls.

    Args:
        epsilon: of inputs that are divided by a number, EPSILON divided by the
            square of that number.
        **settings: of an AveragePooling2D of 2x2 windows.

    References:
        Henaff and Simoncelli, Geodesics of learned representations, 2016.
        Ding et al., Image quality assessment: unifying structure and texture
        similarity, 2020.

    Note: not in the paper, which pools by plain averages.
    """

    def __init__(self, *, epsilon: float = EPSILON, **settings):
        super().__init__(**settings)
        self.epsilon = epsilon

    def get_config(self):
        """Returns the settings as a dictionary."""
        return super().get_config() | {"epsilon": self.epsilon}

    def call(self, inputs):
        """Returns `[B, H//2, W//2, C]` of `[B, H, W, C]`, in the same dtype.

        An odd last row or column is dropped, as by other poolings.
        """
        features = tf.cast(inputs, tf.float32)  # float16's squares overflow
        if any(size is None or size % 2 for size in inputs.shape[1:3]):
            height, width = tf.unstack(tf.shape(inputs)[1:3] // 2 * 2)
            features = features[:, :height, :width]
        return tf.cast(pool(features, self.epsilon), inputs.dtype)


@custom_gradient
def pool(features: tf.Tensor, epsilon: tf.Tensor) -> tf.Tensor:
    """Computes the root mean square of overlapping windows.

    The gradient is written out: a window has the weights of bilinear
    interpolation to twice the size, repeated edges included, which takes a
    third of the time of the convolution's own gradient.

    Args:
        features: float32 `[B, H, W, C]`, H and W even.
        epsilon: float32 scalar, added to each mean of squares.

    Returns:
        float32 `[B, H/2, W/2, C]`.
    """
    # Zeros around with 4/3 of the outermost weigh them as if repeated:
    # (1 + 3) x = 3 (4/3 x).
    shape = tf.shape(features)
    edges = _weigh_edges(shape[1])[:, None] * _weigh_edges(shape[2])
    channels = features.shape[-1]
    window = np.outer(WINDOW, WINDOW)[:, :, None, None]
    mean = tf.nn.depthwise_conv2d(
        tf.square(features) * edges[:, :, None],
        tf.constant(np.repeat(window, channels, axis=2)),
        strides=[1, 2, 2, 1],
        padding=[[0, 0], [1, 1], [1, 1], [0, 0]],
    )
    root = tf.sqrt(mean + epsilon)

    def gradient(upstream):
        by_squares = tf.raw_ops.ResizeBilinear(
            images=upstream / (4 * root),
            size=shape[1:3],
            half_pixel_centers=True,
        )
        return features * by_squares, None

    return root, gradient


def _weigh_edges(size: tf.Tensor) -> tf.Tensor:
    """Returns `[size]` ones, with 4/3 at either end."""
    return tf.concat([[4 / 3], tf.ones([size - 2]), [4 / 3]], axis=0)
