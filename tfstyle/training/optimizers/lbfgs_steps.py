"""The compiled steps of L-BFGS, on the device: all that has an image's size."""

import tensorflow as tf

from tfstyle.training.compiled import compiled


@compiled
def make_pair(direction, gradient, old_gradient, step):
    """Returns a correction pair, flat: of the positions, of the gradients."""
    position_delta = tf.reshape(step * direction, [-1])
    return position_delta, tf.reshape(gradient - old_gradient, [-1])


@compiled
def apply_inverse_hessian(
    gradient,
    scale,
    position_deltas,
    gradient_deltas,
    inverse_curvatures,
    precondition,
):
    """Returns -H g by the two-loop recursion; the pairs come newest first."""
    vector = tf.reshape(gradient, [-1])
    factors = []
    pairs = list(
        zip(
            position_deltas,
            gradient_deltas,
            tf.unstack(inverse_curvatures),
            strict=True,
        )
    )
    for position_delta, gradient_delta, inverse_curvature in pairs:
        factors.append(inverse_curvature * _dot(position_delta, vector))
        vector -= factors[-1] * gradient_delta
    vector = scale * precondition(tf.reshape(vector, gradient.shape))
    vector = tf.reshape(vector, [-1])
    for position_delta, gradient_delta, inverse_curvature in reversed(pairs):
        factor = inverse_curvature * _dot(gradient_delta, vector)
        vector += (factors.pop() - factor) * position_delta
    return -tf.reshape(vector, tf.shape(gradient))


def _dot(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    return tf.reduce_sum(a * b)  # summed pairwise, unlike a matrix product


@compiled
def normalize(gradient, precondition):
    """Returns steepest descent, scaled to a root mean square of 1."""
    direction = -precondition(gradient)
    mean_square = tf.reduce_mean(tf.square(direction))
    return tf.math.divide_no_nan(direction, tf.sqrt(mean_square))


@compiled
def move(image, direction, step):
    """Returns the image a step further along a direction."""
    return image + step * direction


@compiled
def measure(old_gradient, gradient, direction, old_value, value, precondition):
    """Returns the numbers that the host needs: f0, f, g0 d, g d, y d, y P y."""
    change = gradient - old_gradient
    return tf.stack(
        [
            old_value,
            value,
            _dot(old_gradient, direction),
            _dot(gradient, direction),
            _dot(change, direction),
            _dot(change, precondition(change)),
        ]
    )
