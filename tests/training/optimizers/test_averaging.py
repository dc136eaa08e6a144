"""The average of iterates against its formula."""

import numpy as np
import tensorflow as tf

from tfstyle.training.optimizers.averaging import IterateAverage


def test_average_equals_the_weighted_mean(generator):
    iterates = generator.normal(size=(6, 2, 3))
    image = tf.Variable(np.zeros((2, 3)))
    average = IterateAverage(image, 0.8)
    for iterate in iterates:
        image.assign(iterate)
        average.update()
    weights = 0.8 ** np.arange(6)[::-1]
    expected = np.tensordot(weights / weights.sum(), iterates, 1)
    np.testing.assert_allclose(average.value(), expected, rtol=1e-12)


def test_average_of_nothing_is_the_image():
    image = tf.Variable([3.0, -1.0])
    np.testing.assert_array_equal(IterateAverage(image, 0.9).value(), image)


def test_average_of_one_iterate_is_that_iterate():
    image = tf.Variable([3.0, -1.0], dtype=tf.float64)
    average = IterateAverage(image, 0.99)
    average.update()
    np.testing.assert_allclose(average.value(), image, rtol=1e-12)
