"""Reads numbers and names out of a file's bytes, inside a TensorFlow graph.

Bytes behind the end read as 0: no read is out of range.
"""

import tensorflow as tf


def at(data: tf.Tensor, position, count: int) -> tf.Tensor:
    """Returns bytes from a position on, uint8 `[count]`.

    Args:
        data: uint8 `[N]`.
        position: int64 scalar, not negative, of any size.
        count: how many.
    """
    start = tf.minimum(tf.cast(position, tf.int64), tf.size(data, tf.int64))
    part = data[start : start + count]
    part = tf.pad(part, [[0, count - tf.size(part)]])
    return tf.ensure_shape(part, [count])


def starts(data: tf.Tensor, position, name: bytes) -> tf.Tensor:
    """True if a name stands at a position."""
    expected = tf.constant(list(name), tf.uint8)
    return tf.reduce_all(at(data, position, len(name)) == expected)


def number(
    data: tf.Tensor, position, count: int, big_endian=False
) -> tf.Tensor:
    """Returns an unsigned number of 1 to 4 bytes, int64."""
    digits = tf.cast(at(data, position, count), tf.int64)
    digits = tf.where(big_endian, digits[::-1], digits)
    places = tf.constant([256**place for place in range(count)], tf.int64)
    return tf.reduce_sum(digits * places)
