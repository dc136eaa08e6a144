"""Gradients in bfloat16, for processors with faster bfloat16 products.

The losses are small differences between features and targets, so rounding the
forward pass to bfloat16 matters: near the end of a run half of the gradient was
noise. The forward pass therefore stays in float32, and only the backward pass
uses bfloat16.
"""

import tensorflow as tf

from tfstyle.network import winograd
from tfstyle.system.gradients import custom_gradient

FEWEST_POSITIONS = {
    (256, 256): 64**2,
    (256, 512): 32**2,
    (512, 512): 16**2,
}
"""Minimum positions at which Winograd is faster, by input and output channels.

With fewer positions or channels direct convolutions are faster.

Notes: Winograd and direct, with forward and gradient both in bfloat16, took 77
and 93 ms for 256 channels at 128x128, 32 and 47 ms from 256 to 512 at 64x64, 18
and 25 ms for 512 at 32x32, on 2 cores of an AMD EPYC with AVX-512 and bfloat16.
Smaller sizes were not measured: the limits are a quarter of these positions.
"""
CHANNELS = 64
"""Minimum input channels for bfloat16; the first layer stays in float32."""


class Bfloat16Conv2D(winograd.WinogradConv2D):
    """`WinogradConv2D` whose gradient is computed in bfloat16.

    The gradient's dtype is float32. Its relative difference (L2) to a gradient
    computed in float32 is 3e-3, with Winograd's algorithm 1.2e-2. Without
    AVX-512 it is up to 1.6e-2, as TensorFlow then sums in bfloat16.
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
    """Returns a layer's outputs, with a gradient by direct convolution.

    Args:
        image: input of the layer, float32 `[B, H, W, C]`.
        outputs: output of the layer, float32 `[B, H, W, K]`, rectified.
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
        image: input of the layer, float32 `[1, H, W, C]`, of static shape.
        outputs: output of the layer, float32 `[1, H, W, K]`, rectified.
        transformed_kernel: bfloat16 `[36, C, K]`.
    """
    del image  # an argument only so that it gets the gradient

    def gradient(upstream):
        grad_image = winograd.compute_gradient(
            upstream, outputs, transformed_kernel
        )
        return grad_image, None, None

    return tf.identity(outputs), gradient
