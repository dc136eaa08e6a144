"""Gradients in bfloat16, for processors that multiply it faster.

The losses are made of small differences between features and their targets, in
which the rounding of a forward pass in bfloat16 stands out: near the end of a
run half of the gradient was noise. So the forward pass stays in float32, and
only the gradient goes back through the network in bfloat16.
"""

import tensorflow as tf

from tfstyle.network import winograd
from tfstyle.system.gradients import custom_gradient

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


class Bfloat16Conv2D(winograd.WinogradConv2D):
    """A `WinogradConv2D` with a gradient that is computed in bfloat16.

    The gradient is float32, and differs from that of float32 by 3e-3, by
    Winograd's algorithm by 1.2e-2 (L2).
    """

    _kernel_of_gradient = None

    def call(self, inputs):
        """Returns the rectified convolution of `[B, H, W, C]`."""
        outputs = super().call(inputs)
        if inputs.shape[-1] < CHANNELS:
            return outputs
        if not winograd.is_faster(inputs.shape, self.filters, FEWEST_POSITIONS):
            kernel = tf.cast(self.kernel, tf.bfloat16)
            return _with_direct_gradient(inputs, outputs, kernel)
        if self._kernel_of_gradient is None:
            with tf.init_scope():
                self._kernel_of_gradient = tf.cast(
                    winograd.transform_kernel(self.kernel), tf.bfloat16
                )
        return _with_gradient_by_winograd(
            inputs, outputs, self._kernel_of_gradient
        )


@custom_gradient
def _with_direct_gradient(
    image: tf.Tensor, outputs: tf.Tensor, kernel: tf.Tensor
):
    """Returns a layer's outputs, with a gradient by a direct convolution.

    Args:
        image: float32 `[B, H, W, C]`.
        outputs: float32 `[B, H, W, K]`, rectified.
        kernel: bfloat16 `[3, 3, C, K]`.
    """

    def gradient(upstream):
        upstream = tf.raw_ops.ReluGrad(gradients=upstream, features=outputs)
        grad_image = tf.raw_ops.Conv2DBackpropInput(
            input_sizes=tf.shape(image),
            filter=kernel,
            out_backprop=tf.cast(upstream, tf.bfloat16),
            strides=[1, 1, 1, 1],
            padding="SAME",
        )
        return tf.cast(grad_image, tf.float32), None, None

    return tf.identity(outputs), gradient


@custom_gradient
def _with_gradient_by_winograd(
    image: tf.Tensor, outputs: tf.Tensor, transformed_kernel: tf.Tensor
):
    """Returns a layer's outputs, with a gradient by Winograd's algorithm.

    Args:
        image: float32 `[1, H, W, C]`, of a known size.
        outputs: float32 `[1, H, W, K]`, rectified.
        transformed_kernel: bfloat16 `[36, C, K]`.
    """
    del image  # only its gradient is asked for

    def gradient(upstream):
        grad_image = winograd.compute_gradient(
            upstream, outputs, transformed_kernel
        )
        return grad_image, None, None

    return tf.identity(outputs), gradient
