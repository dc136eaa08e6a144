"""Convolutions in bfloat16, for processors that multiply it faster.

Activations stay in float32, as do the losses made from them: each layer casts
what it multiplies, and casts the result back.
"""

import tensorflow as tf

from tfstyle.network.winograd import WinogradConv2D

FEWEST_POSITIONS = {
    (256, 256): 64**2,
    (256, 512): 32**2,
    (512, 512): 16**2,
}
"""By input and output channels, from where Winograd's algorithm is faster.

Below, and with fewer channels, direct convolutions are. With both in bfloat16,
forward and gradient, 2 cores of an AMD EPYC with AVX-512 and bfloat16 took for
256 channels at 128x128 77 and 93 ms, from 256 to 512 at 64x64 32 and 47, for
512 at 32x32 18 and 25. What is smaller was not measured: the table has it from
a quarter of these positions on.
"""
CHANNELS = 64
"""Fewest input channels; the first layer stays in float32."""


class Bfloat16Conv2D(WinogradConv2D):
    """A rectified 3x3 `Conv2D` from float32 to float32, in bfloat16.

    Direct, or by Winograd's algorithm with its matrix products in bfloat16. It
    differs from float32 by 3e-3, by Winograd's algorithm by 1.2e-2 (L2).
    """

    product_dtype = "bfloat16"

    def _convolve_directly(self, inputs: tf.Tensor) -> tf.Tensor:
        if inputs.shape[-1] < CHANNELS:
            return super()._convolve_directly(inputs)
        outputs = tf.nn.conv2d(
            tf.cast(inputs, tf.bfloat16),
            tf.cast(self.kernel, tf.bfloat16),
            strides=1,
            padding="SAME",
        )
        outputs = tf.cast(outputs, tf.float32)
        return tf.nn.relu(tf.nn.bias_add(outputs, self.bias))

    def _fewest_positions(self, channels: int) -> int | None:
        return FEWEST_POSITIONS.get((channels, self.filters))
