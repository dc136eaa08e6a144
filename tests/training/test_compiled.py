"""Compiled functions: one graph, whatever the size."""

import numpy as np
import tensorflow as tf

from tfstyle.training.compiled import compiled


def test_one_graph_serves_images_of_every_size(generator):
    traced = []

    @compiled
    def move(image, step, direction=None):
        traced.append(image.shape)
        return image + step * (1.0 if direction is None else direction)

    step = tf.constant(2.0)
    for size in ((1, 4, 5, 3), (1, 7, 2, 3)):
        image, direction = generator.normal(size=(2, *size)).astype("f4")
        found = move(tf.constant(image), step, tf.constant(direction))
        np.testing.assert_array_equal(found, image + 2 * direction)
    assert [shape.as_list() for shape in traced] == [[None] * 4]
    np.testing.assert_array_equal(move(tf.ones([3]), step), [3, 3, 3])
    np.testing.assert_array_equal(move(tf.ones([2]), step), [3, 3])
    assert len(traced) == 2


def test_products_are_those_of_float32():
    settings = tf.config.experimental
    before = settings.tensor_float_32_execution_enabled()
    settings.enable_tensor_float_32_execution(True)

    @compiled
    def is_tf32(image):
        asked = settings.tensor_float_32_execution_enabled
        return tf.numpy_function(asked, [], tf.bool), image

    try:
        for size in (2, 3):
            assert not is_tf32(tf.zeros([size]))[0]
        assert settings.tensor_float_32_execution_enabled()
    finally:
        settings.enable_tensor_float_32_execution(before)
