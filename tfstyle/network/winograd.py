"""A convolution with a quarter of the multiplications, for the CPU.

Winograd's F(4x4, 3x3) cuts a frame into patches of 6x6 positions, overlapping
by two, one for each block of 4x4 outputs. A linear map takes a patch, and
another the kernel, to 36 numbers, where convolving is multiplying; a third
takes the products to the block. Over the channels that is 36 matrix products,
and the maps are matrix products too: nothing has to be compiled.

References:
    Lavin and Gray, Fast Algorithms for Convolutional Neural Networks, 2016.
"""

import functools
from collections.abc import Callable
from collections.abc import Mapping

import keras
import numpy as np
import tensorflow as tf
from numpy.polynomial import polynomial

from tfstyle.system.gradients import custom_gradient

BLOCK = 4  # outputs a side
PATCH = BLOCK + 2  # inputs a side
POINTS = (2**0.5, -(2**0.5), 0.5**0.5, -(0.5**0.5))
"""Where polynomials are evaluated, besides 0 and infinity.

The set holds every point's inverse, so that one transformed kernel serves the
gradient too; and it errs a fifth of what the usual 1, -1, 2, -2 do.
"""
INVERSES = [5, 3, 4, 1, 2, 0]
"""The place of every point's inverse in 0, POINTS, infinity."""
FEWEST_POSITIONS = {
    (64, 64): 128**2,
    (64, 128): 64**2,
    (128, 128): 32**2,
    (128, 256): 16**2,
    (256, 256): 16**2,
    (256, 512): 16**2,
    (512, 512): 16**2,
}
"""By input and output channels, the positions from which on it is faster.

Measured by `tools/benchmark.py --winograd_table` on 2 cores of an AMD EPYC
with AVX-512; 64 channels gain 1.1 times, 512 channels up to 2.7 times.
"""
STRIP_BLOCKS = 1024
"""Blocks in work at once: bounds the memory and keeps it in the caches."""
MAX_STRIPS = 32


class WinogradConv2D(keras.layers.Conv2D):
    """A rectified 3x3 `Conv2D`, by Winograd's algorithm where it is faster.

    For frozen kernels: it is differentiable by its input only, and weights
    set after the first call have no effect. Frames of unknown size, batches
    of several and shapes that are not in FEWEST_POSITIONS are convolved
    directly.
    """

    _transformed_kernel = None

    def call(self, inputs):
        """Returns the rectified convolution of `[B, H, W, C]`."""
        if not is_faster(inputs.shape, self.filters, FEWEST_POSITIONS):
            return super().call(inputs)
        if self._transformed_kernel is None:
            with tf.init_scope():
                self._transformed_kernel = transform_kernel(self.kernel)
        bias = tf.convert_to_tensor(self.bias)
        return convolve(inputs, self._transformed_kernel, bias)


def is_faster(
    shape: tf.TensorShape,
    filters: int,
    fewest_positions: Mapping[tuple[int, int], int],
) -> bool:
    """Returns whether Winograd's algorithm can be used, and is faster.

    Args:
        shape: of the image, `[B, H, W, C]`.
        filters: of the layer.
        fewest_positions: a table such as FEWEST_POSITIONS.
    """
    batch, height, width, channels = shape
    fewest = fewest_positions.get((channels, filters))
    if batch != 1 or None in (height, width, fewest):
        return False
    return height * width >= fewest


def transform_kernel(kernel: tf.Tensor) -> tf.Tensor:
    """Maps a kernel, float32 `[3, 3, C, K]`, to float32 `[36, C, K]`."""
    kernel = tf.convert_to_tensor(kernel)
    *_, channels, filters = kernel.shape
    rows = tf.reshape(kernel, [9, channels * filters])
    return tf.reshape(
        tf.matmul(_both_ways(_KERNEL_MAP), rows), [-1, channels, filters]
    )


@custom_gradient
def convolve(image: tf.Tensor, transformed_kernel: tf.Tensor, bias: tf.Tensor):
    """Convolves with zeros around, adds a bias and rectifies.

    It is differentiable by the image only.

    Args:
        image: float32 `[1, H, W, C]`, of a known size.
        transformed_kernel: float32 `[36, C, K]`.
        bias: float32 `[K]`.

    Returns:
        float32 `[1, H, W, K]`, `relu(conv2d(image, kernel, "SAME") + bias)`.
    """
    outputs = _convolve(
        image.shape,
        transformed_kernel,
        (_PATCH_MAP, _BLOCK_MAP),
        cut=lambda rows: image[0, rows],
        finish=lambda strip: tf.nn.relu(tf.nn.bias_add(strip, bias)),
    )

    def gradient(upstream):
        return (
            compute_gradient(upstream, outputs, transformed_kernel),
            None,
            None,
        )

    return outputs, gradient


def compute_gradient(
    upstream: tf.Tensor, outputs: tf.Tensor, transformed_kernel: tf.Tensor
) -> tf.Tensor:
    """Computes the gradient of `convolve` by the image.

    Args:
        upstream: float32 `[1, H, W, K]`, gradient by the outputs.
        outputs: float32 `[1, H, W, K]`, of `convolve`.
        transformed_kernel: `[36, C, K]`; matrix products are computed in its
            dtype, float32 or bfloat16, all else in float32.

    Returns:
        float32 `[1, H, W, C]`.
    """
    # The kernel turned by 180 degrees, its channels exchanged.
    return _convolve(
        outputs.shape,
        transformed_kernel,
        (_PATCH_MAP[INVERSES], _BLOCK_MAP[:, INVERSES]),
        cut=lambda rows: tf.raw_ops.ReluGrad(
            gradients=upstream[0, rows], features=outputs[0, rows]
        ),
        finish=tf.identity,
        transpose_kernel=True,
    )


def _convolve(
    shape: tf.TensorShape,
    transformed_kernel: tf.Tensor,
    maps: tuple[np.ndarray, np.ndarray],
    cut: Callable[[slice], tf.Tensor],
    finish: Callable[[tf.Tensor], tf.Tensor],
    *,
    transpose_kernel: bool = False,
) -> tf.Tensor:
    """Convolves strip by strip of whole rows of blocks.

    Args:
        shape: of the image, `[1, H, W, C]`.
        transformed_kernel: float32 or bfloat16 `[36, C, K]`.
        maps: of patches and of blocks, in one dimension.
        cut: returns rows of the image, `[rows, W, C]`.
        finish: is applied to a strip of outputs, `[rows, W, K]`.
        transpose_kernel: it is `[36, K, C]`.
    """
    _, height, width, channels = shape
    filters = transformed_kernel.shape[1 if transpose_kernel else 2]
    block_rows, block_columns = -(-height // BLOCK), -(-width // BLOCK)
    right = BLOCK * block_columns - width + 1
    patch_map, block_map = (_both_ways(one_way) for one_way in maps)
    stride = max(
        -(-STRIP_BLOCKS // block_columns), -(-block_rows // MAX_STRIPS)
    )
    # Constants of the graph, shared by strips of as many rows.
    patch_indices = functools.cache(
        lambda rows: tf.constant(_patch_indices(rows, block_columns))
    )
    output_indices = functools.cache(
        lambda num_rows: tf.constant(_output_indices(num_rows, width))
    )
    strips = []
    for first in range(0, block_rows, stride):
        rows = min(stride, block_rows - first)
        top, bottom = BLOCK * first - 1, BLOCK * (first + rows) + 1
        # One after another, or all would be in memory together.
        with tf.control_dependencies(strips[-1:]):
            strip = cut(slice(max(top, 0), min(bottom, height)))
        above, below = max(-top, 0), max(bottom - height, 0)
        strip = tf.pad(strip, [[above, below], [1, right], [0, 0]])
        numbers = tf.gather(
            tf.reshape(strip, [-1, channels]), patch_indices(rows)
        )  # [36 * rows * block_columns, channels]
        numbers = tf.matmul(patch_map, tf.reshape(numbers, [PATCH**2, -1]))
        numbers = tf.cast(numbers, transformed_kernel.dtype)
        products = tf.matmul(
            tf.reshape(numbers, [PATCH**2, -1, channels]),
            transformed_kernel,
            transpose_b=transpose_kernel,
        )
        products = tf.cast(products, tf.float32)
        blocks = tf.matmul(block_map, tf.reshape(products, [PATCH**2, -1]))
        num_rows = min(BLOCK * rows, height - BLOCK * first)
        outputs = tf.gather(
            tf.reshape(blocks, [-1, filters]), output_indices(num_rows)
        )
        strips.append(finish(tf.reshape(outputs, [-1, width, filters])))
    return tf.concat(strips, axis=0)[None]


def _patch_indices(block_rows: int, block_columns: int) -> np.ndarray:
    """Returns where in a padded strip every number of every patch is.

    Returns:
        int32 `[36 * block_rows * block_columns]`, the place within the patch
        outermost.
    """
    inside = np.arange(PATCH, dtype=np.int32)[:, None]
    rows = inside + BLOCK * np.arange(block_rows, dtype=np.int32)
    columns = inside + BLOCK * np.arange(block_columns, dtype=np.int32)
    width = BLOCK * block_columns + 2
    return (rows[:, None, :, None] * width + columns[:, None, :]).ravel()


def _output_indices(height: int, width: int) -> np.ndarray:
    """Returns where in `[16, block_rows, block_columns]` every output is."""
    rows = np.arange(height, dtype=np.int32)[:, None]
    columns = np.arange(width, dtype=np.int32)
    block_rows, block_columns = -(-height // BLOCK), -(-width // BLOCK)
    inside = rows % BLOCK * BLOCK + columns % BLOCK
    block = rows // BLOCK * block_columns + columns // BLOCK
    return (inside * (block_rows * block_columns) + block).ravel()


def _make_maps() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns the three maps in one dimension.

    Four outputs of a kernel g over a patch d are
    `block_map ((kernel_map g) * (patch_map d))`.

    Returns:
        patch_map `[6, 6]`, kernel_map `[6, 3]` and block_map `[4, 6]`.
    """
    patch_map = np.zeros([PATCH, PATCH])
    kernel_map = np.zeros([PATCH, 3])
    block_map = np.zeros([BLOCK, PATCH])
    patch_map[0, :-1] = patch_map[-1, 1:] = polynomial.polyfromroots(POINTS)
    kernel_map[0, 0] = kernel_map[-1, -1] = 1
    block_map[0, 0] = block_map[-1, -1] = 1
    for row, point in enumerate(POINTS, start=1):
        others = [other for other in (0, *POINTS) if other != point]
        factors = polynomial.polyfromroots(others)
        patch_map[row, :-1] = factors / polynomial.polyval(point, factors)
        # Turned by 180 degrees, 1/p, 1, p is the row of the inverse point.
        patch_map[row] *= point
        kernel_map[row] = 1 / point, 1, point
        block_map[:, row] = point ** np.arange(BLOCK)
    return patch_map, kernel_map, block_map


def _both_ways(one_way: np.ndarray) -> tf.Tensor:
    """Returns a map of rows applied to the rows and columns of a square."""
    return tf.constant(np.kron(one_way, one_way), tf.float32)


_PATCH_MAP, _KERNEL_MAP, _BLOCK_MAP = _make_maps()
