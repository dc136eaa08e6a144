"""Winograd convolution: a quarter of the multiplications, for the CPU.

Winograd's F(4x4, 3x3) cuts a frame into patches of 6x6 positions, overlapping
by two, one for each block of 4x4 outputs. One linear map transforms a patch,
another the kernel, to 36 numbers, which are multiplied elementwise; a third map
transforms the products to the block. Over the channels these are 36 matrix
products. The maps are applied to one axis after the other and are matrix
products too: no compiled code is needed.

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

from tfstyle.network import direct
from tfstyle.system import processors
from tfstyle.system.gradients import custom_gradient

BLOCK = 4  # outputs per side
PATCH = BLOCK + 2  # inputs per side
POINTS = (2**0.5, -(2**0.5), 0.5**0.5, -(0.5**0.5))
"""Interpolation points of the polynomials, besides 0 and infinity.

The set contains every point's inverse, so that one transformed kernel also
serves the gradient; its error is a fifth of that of the usual 1, -1, 2, -2.
"""
INVERSES = [5, 3, 4, 1, 2, 0]
"""Index of every point's inverse in (0, *POINTS, infinity)."""
FEWEST_POSITIONS = {
    (64, 128): 64**2,
    (128, 128): 32**2,
    (128, 256): 16**2,
    (256, 256): 16**2,
    (256, 512): 16**2,
    (512, 512): 16**2,
}
"""Minimum positions at which Winograd is faster, by input and output channels.

Notes: measured by `tools/benchmark.py --winograd_table` on 2 cores of an AMD
EPYC with AVX-512; the speedup is up to 2.7 for 512 channels. On 2 cores of an
AMD EPYC with AVX2 it is 0.9 to 1.3 from 64 to 128 channels, 1.1 to 1.6 for 128,
1.3 to 2.0 for 256, 1.4 to 2.1 for 512. From 64 to 64 channels it was 0.6 on an
EPYC with AVX-512, and is 0.8 to 0.9 with AVX2.
"""
STRIP_BLOCKS = 1024
"""Blocks processed at once, which bounds the memory and fits CPU caches."""
MAX_STRIPS = 32


class WinogradConv2D(keras.layers.Conv2D):
    """3x3 `Conv2D` with ReLU, by Winograd's algorithm if that is faster.

    For frozen kernels: only the gradient with respect to the input is defined,
    and weights set after the first call have no effect. Frames of unknown size,
    batches larger than 1 and shapes not in FEWEST_POSITIONS are convolved
    directly.
    """

    _transformed_kernel = None
    _turned_kernel = None

    def call(self, inputs):
        """Returns the rectified convolution of `[B, H, W, C]`."""
        if not is_faster(inputs.shape, self.filters, FEWEST_POSITIONS):
            return self._convolve_directly(inputs)
        if self._transformed_kernel is None:
            with tf.init_scope():
                self._transformed_kernel = transform_kernel(self.kernel)
        bias = tf.convert_to_tensor(self.bias)
        return convolve(inputs, self._transformed_kernel, bias)

    def _convolve_directly(self, inputs):
        if not processors.is_gradient_faster():
            return super().call(inputs)
        if self._turned_kernel is None:
            with tf.init_scope():
                self._turned_kernel = direct.turn_kernel(self.kernel)
        kernel = tf.convert_to_tensor(self.kernel)
        bias = tf.convert_to_tensor(self.bias)
        return direct.convolve(inputs, kernel, self._turned_kernel, bias)


def is_faster(
    shape: tf.TensorShape,
    filters: int,
    fewest_positions: Mapping[tuple[int, int], int],
) -> bool:
    """True if Winograd's algorithm can be used and is faster.

    Args:
        shape: shape of the image, `[B, H, W, C]`.
        filters: number of filters of the layer.
        fewest_positions: table such as FEWEST_POSITIONS.
    """
    batch, height, width, channels = shape
    fewest = fewest_positions.get((channels, filters))
    if batch != 1 or None in (height, width, fewest):
        return False
    return height * width >= fewest


def transform_kernel(kernel: tf.Tensor) -> tf.Tensor:
    """Maps a kernel, float32 `[3, 3, C, K]`, to float32 `[36, C, K]`."""
    *_, channels, filters = kernel.shape
    return tf.reshape(
        _apply(_KERNEL_MAP, tf.convert_to_tensor(kernel)),
        [-1, channels, filters],
    )


@custom_gradient
def convolve(image: tf.Tensor, transformed_kernel: tf.Tensor, bias: tf.Tensor):
    """Computes `relu(conv2d(image, kernel, "SAME") + bias)`.

    Only the gradient with respect to the image is defined.

    Args:
        image: float32 `[1, H, W, C]`, of static shape.
        transformed_kernel: float32 `[36, C, K]`.
        bias: float32 `[K]`.

    Returns:
        float32 `[1, H, W, K]`.
    """
    outputs = _convolve(
        image.shape,
        transformed_kernel,
        (_PATCH_MAP, _BLOCK_MAP),
        cut=lambda rows: tf.squeeze(image, 0)[rows],
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
    """Computes the gradient of `convolve` with respect to the image.

    Args:
        upstream: float32 `[1, H, W, K]`, gradient with respect to the outputs.
        outputs: float32 `[1, H, W, K]`, outputs of `convolve`.
        transformed_kernel: float32 or bfloat16 `[36, C, K]`; matrix products
            are computed in its dtype, all else in float32.

    Returns:
        float32 `[1, H, W, C]`.
    """
    # The kernel rotated by 180 degrees, with channels and filters swapped.
    return _convolve(
        outputs.shape,
        transformed_kernel,
        (_PATCH_MAP[INVERSES], _BLOCK_MAP[:, INVERSES]),
        cut=lambda rows: tf.raw_ops.ReluGrad(
            gradients=tf.squeeze(upstream, 0)[rows],
            features=tf.squeeze(outputs, 0)[rows],
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
    """Convolves in strips of whole rows of blocks.

    Args:
        shape: shape of the image, `[1, H, W, C]`.
        transformed_kernel: float32 or bfloat16 `[36, C, K]`.
        maps: one-dimensional maps of patches and of blocks.
        cut: function that returns rows of the image, `[rows, W, C]`.
        finish: function applied to a strip of outputs, `[rows, W, K]`.
        transpose_kernel: True if the kernel is `[36, K, C]`.
    """
    _, height, width, channels = shape
    filters = transformed_kernel.shape[1 if transpose_kernel else 2]
    block_rows, block_columns = -(-height // BLOCK), -(-width // BLOCK)
    right = BLOCK * block_columns - width + 1
    patch_map, block_map = maps
    stride = max(
        -(-STRIP_BLOCKS // block_columns), -(-block_rows // MAX_STRIPS)
    )
    # Constants of the graph, shared by strips with equal numbers of rows.
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
        # Sequential, so that only one strip is in memory at a time.
        with tf.control_dependencies(strips[-1:]):
            strip = cut(slice(max(top, 0), min(bottom, height)))
        above, below = max(-top, 0), max(bottom - height, 0)
        strip = tf.pad(strip, [[above, below], [1, right], [0, 0]])
        numbers = tf.gather(
            tf.reshape(strip, [-1, channels]), patch_indices(rows)
        )  # [36 * rows * block_columns, channels]
        numbers = _apply(patch_map, numbers)
        numbers = tf.cast(numbers, transformed_kernel.dtype)
        products = tf.matmul(
            tf.reshape(numbers, [PATCH**2, -1, channels]),
            transformed_kernel,
            transpose_b=transpose_kernel,
        )
        products = tf.cast(products, tf.float32)
        blocks = _apply(block_map, products)
        num_rows = min(BLOCK * rows, height - BLOCK * first)
        outputs = tf.gather(
            tf.reshape(blocks, [-1, filters]), output_indices(num_rows)
        )
        strips.append(finish(tf.reshape(outputs, [-1, width, filters])))
    return tf.concat(strips, axis=0)[None]


def _apply(one_way: np.ndarray, squares: tf.Tensor) -> tf.Tensor:
    """Applies a one-dimensional map `[M, N]` to both axes of squares.

    Args:
        one_way: the map.
        squares: float32, of N*N times any number of numbers.

    Returns:
        float32 `[M, M, any number]`.
    """
    size, length = one_way.shape
    one_way = tf.constant(one_way, tf.float32)
    rows = tf.matmul(one_way, tf.reshape(squares, [length, -1]))
    return tf.matmul(one_way, tf.reshape(rows, [size, length, -1]))


def _patch_indices(block_rows: int, block_columns: int) -> np.ndarray:
    """Returns the index in a padded strip of every number of every patch.

    Returns:
        int32 `[36 * block_rows * block_columns]`; the position within the patch
        is the outermost axis.
    """
    inside = np.arange(PATCH, dtype=np.int32)[:, None]
    rows = inside + BLOCK * np.arange(block_rows, dtype=np.int32)
    columns = inside + BLOCK * np.arange(block_columns, dtype=np.int32)
    width = BLOCK * block_columns + 2
    return (rows[:, None, :, None] * width + columns[:, None, :]).ravel()


def _output_indices(height: int, width: int) -> np.ndarray:
    """Returns each output's index in `[16, block_rows, block_columns]`."""
    rows = np.arange(height, dtype=np.int32)[:, None]
    columns = np.arange(width, dtype=np.int32)
    block_rows, block_columns = -(-height // BLOCK), -(-width // BLOCK)
    inside = rows % BLOCK * BLOCK + columns % BLOCK
    block = rows // BLOCK * block_columns + columns // BLOCK
    return (inside * (block_rows * block_columns) + block).ravel()


def _make_maps() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Computes the three one-dimensional maps.

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
        # Reversed, (1/p, 1, p) is the row of the inverse point.
        patch_map[row] *= point
        kernel_map[row] = 1 / point, 1, point
        block_map[:, row] = point ** np.arange(BLOCK)
    return patch_map, kernel_map, block_map


_PATCH_MAP, _KERNEL_MAP, _BLOCK_MAP = _make_maps()
