"""Compiled steps of L-BFGS on the device, for arrays of the image's size."""

import tensorflow as tf

from tfstyle.training.compiled import compiled
from tfstyle.training.optimizers.preconditioner import filter_frequencies


def make_ring(image: tf.Variable, num_pairs: int) -> tf.Tensor:
    """Allocates the ring buffer of correction pairs, `[2 num_pairs, size]`.

    The first half holds position deltas s, the second preconditioned gradient
    deltas P y.
    """
    return tf.zeros([2 * num_pairs, tf.size(image)], image.dtype)


def write_rows(ring: tf.Tensor, rows: list[int], values) -> None:
    """Writes `values`, `[len(rows), size]`, to rows of the ring in place.

    The ring is not a variable: after a partial assignment TensorFlow copies a
    variable at every read.
    """
    tf.raw_ops.InplaceUpdate(x=ring, i=rows, v=values)


@compiled
def precondition(gradient, gains=None):
    """Returns P g; without frequency gains, P is the identity."""
    return gradient if gains is None else filter_frequencies(gradient, gains)


@compiled
def descend(preconditioned_gradient):
    """Returns -P g, normalised to a root mean square of 1."""
    mean_square = tf.reduce_mean(tf.square(preconditioned_gradient))
    return tf.math.divide_no_nan(-preconditioned_gradient, tf.sqrt(mean_square))


@compiled
def descend_by_pairs(preconditioned_gradient, scale, factors, ring):
    """Returns -H g = -(scale P g + factors ring)."""
    pairs = tf.matmul(factors[tf.newaxis], ring)
    return -(
        scale * preconditioned_gradient
        + tf.reshape(pairs, tf.shape(preconditioned_gradient))
    )


@compiled
def move(image, direction, step):
    """Returns the image after a step along a direction."""
    return image + step * direction


@compiled
def measure(
    old_gradient,
    gradient,
    old_preconditioned,
    direction,
    old_value,
    value,
    ring,
    gains=None,
):
    """Computes the numbers that the host needs, and P y and P g.

    Returns:
        A vector of f0, f, g0 d, g d, y d, y P y, g P y, the products of g with
        the rows of the ring and the products of y with these rows; then P y
        and, at no extra cost as P is linear, P g.
    """
    change = gradient - old_gradient
    preconditioned_change = change
    if gains is not None:
        preconditioned_change = filter_frequencies(change, gains)
    numbers = [
        old_value,
        value,
        _dot(old_gradient, direction),
        _dot(gradient, direction),
        _dot(change, direction),
        _dot(change, preconditioned_change),
        _dot(gradient, preconditioned_change),
    ]
    vectors = [tf.reshape(vector, [-1]) for vector in (gradient, change)]
    products = tf.matmul(vectors, ring, transpose_b=True)  # [2, rows]
    numbers = tf.concat([numbers, tf.reshape(products, [-1])], axis=0)
    preconditioned = old_preconditioned + preconditioned_change
    return numbers, preconditioned_change, preconditioned


@compiled
def make_pair(direction, step, preconditioned_change):
    """Returns the pair s = step d and P y, `[2, size]`."""
    return tf.stack(
        [
            tf.reshape(step * direction, [-1]),
            tf.reshape(preconditioned_change, [-1]),
        ]
    )


def _dot(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    return tf.reduce_sum(a * b)  # summed pairwise, unlike a matrix product
