"""Direct convolution, by the faster of oneDNN's two kinds of kernels.

With stride 1 the forward pass equals the gradient, by the input, of a
convolution with the turned kernel. On processors with AVX2 and no AVX-512
TensorFlow's forward pass copies all patches and multiplies them, the gradient
does not.

Notes: from 256 to 256 channels at 128x128, on 2 cores of an AMD EPYC with AVX2
and TensorFlow 2.21, forward passes took 501 ms, those by the gradient 140 ms;
from 64 to 64 channels at 512x512, 238 and 169 ms.
"""

import tensorflow as tf

from tfstyle.system.gradients import custom_gradient


def turn_kernel(kernel: tf.Tensor) -> tf.Tensor:
    """Turns a kernel `[3, 3, C, K]` by 180 degrees, to `[3, 3, K, C]`."""
    return tf.transpose(tf.reverse(kernel, [0, 1]), [0, 1, 3, 2])


@custom_gradient
def convolve(
    image: tf.Tensor,
    kernel: tf.Tensor,
    turned_kernel: tf.Tensor,
    bias: tf.Tensor,
) -> tf.Tensor:
    """Computes `relu(conv2d(image, kernel, "SAME") + bias)`.

    Only the gradient with respect to the image is defined.

    Args:
        image: float32 `[B, H, W, C]`.
        kernel: float32 `[3, 3, C, K]`.
        turned_kernel: float32 `[3, 3, K, C]`, from `turn_kernel`.
        bias: float32 `[K]`.

    Returns:
        float32 `[B, H, W, K]`.
    """
    outputs = _convolve(image, turned_kernel)
    outputs = tf.nn.relu(tf.nn.bias_add(outputs, bias))

    def gradient(upstream):
        upstream = tf.raw_ops.ReluGrad(gradients=upstream, features=outputs)
        return _convolve(upstream, kernel), None, None, None

    return outputs, gradient


def _convolve(image: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """Convolves with the turned kernel `[3, 3, K, C]`: `[B, H, W, K]`."""
    shape = tf.concat([tf.shape(image)[:3], tf.shape(kernel)[2:3]], axis=0)
    return tf.raw_ops.Conv2DBackpropInput(
        input_sizes=shape,
        filter=kernel,
        out_backprop=image,
        strides=[1, 1, 1, 1],
        padding="SAME",
    )
