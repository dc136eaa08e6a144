"""Adam against the formulas of Kingma and Ba (2015)."""

from typing import NamedTuple

import numpy as np
import pytest
import tensorflow as tf

from tfstyle.training.optimizers.adam import Adam
from tfstyle.training.state import State


class Terms(NamedTuple):
    total: tf.Tensor


def make_adam(start, learning_rate=2.0):
    def value_and_gradient(image):
        return Terms(tf.reduce_sum(tf.square(image)) / 2), image

    image = tf.Variable(start, dtype=tf.float32)
    return image, Adam(image, value_and_gradient, learning_rate)


def test_adam_equals_the_paper_s_formulas():
    start = np.array([30.0, -4.0, 0.5])
    image, optimizer = make_adam(start)
    optimizer.start()
    x, m, v = start.copy(), 0.0, 0.0
    unit = np.sqrt(np.mean(start**2))  # of the first gradient
    for step in range(1, 6):
        optimizer.update_step()
        gradient = x.copy()
        m = 0.9 * m + 0.1 * gradient
        v = 0.999 * v + 0.001 * gradient**2
        m_hat, v_hat = m / (1 - 0.9**step), v / (1 - 0.999**step)
        # Keras adds epsilon before v's correction.
        epsilon = 1e-7 * unit / np.sqrt(1 - 0.999**step)
        x = x - 2.0 * m_hat / (np.sqrt(v_hat) + epsilon)
        np.testing.assert_allclose(image, x, atol=1e-4)  # float32 powers


def test_update_step_returns_the_terms_of_the_new_image():
    image, optimizer = make_adam([30.0, -4.0])
    assert float(optimizer.start().total) == (900 + 16) / 2
    for _ in range(3):
        terms = optimizer.update_step()
        expected = np.sum(np.square(image.numpy())) / 2
        np.testing.assert_allclose(terms.total, expected, rtol=1e-6)
    assert optimizer.evaluations == 4
    assert not optimizer.is_converged


def test_adam_takes_a_whole_number_as_learning_rate():
    image, optimizer = make_adam([30.0], learning_rate=2)
    optimizer.start()
    optimizer.update_step()
    np.testing.assert_allclose(image.numpy(), [28.0], rtol=1e-5)


@pytest.mark.parametrize("names", ["iteration momentum velocity", "0 2 3"])
def test_restored_adam_goes_on_as_the_one_that_was_left_alone(names):
    """Earlier releases named its variables by Keras' positions."""
    straight, first = make_adam([30.0, -4.0])
    first.start()
    first.update_step()
    state, image = first.state(), straight.numpy()
    assert list(state.arrays) == ["iteration", "momentum", "velocity"]
    arrays = [array.numpy() for array in state.arrays.values()]
    stored = State(state.numbers, dict(zip(names.split(), arrays, strict=True)))
    first.update_step()
    resumed, second = make_adam(image)
    second.start()
    second.restore(stored)
    second.update_step()
    np.testing.assert_array_equal(resumed.numpy(), straight.numpy())
