"""Gram sums against hand arithmetic, float64 and automatic differentiation."""

import numpy as np
import tensorflow as tf

from tests import references
from tfstyle.objective.gram import GramSum
from tfstyle.objective.gram import gram_sum

REDUCTION = 1e-5  # float32 sums over H*W


def test_gram_sum_equals_hand_arithmetic():
    features = tf.constant([[[[1.0, 2.0], [3.0, 4.0]]]])  # two positions
    matrix, count = gram_sum(features)
    np.testing.assert_array_equal(matrix, [[1 + 9, 2 + 12], [14, 4 + 16]])
    assert float(count) == 2


def test_gram_sum_normalized_equals_float64(generator):
    features = generator.uniform(0, 100, (1, 13, 7, 24)).astype(np.float32)
    gram = gram_sum(tf.constant(features)).normalized()
    expected = references.gram(features[0].astype(np.float64))
    np.testing.assert_allclose(gram, expected, rtol=REDUCTION)


def test_gram_sum_adds_up_over_parts(generator):
    features = tf.constant(generator.normal(size=(1, 6, 5, 4)), tf.float32)
    parts = [gram_sum(features[:, :2]), gram_sum(features[:, 2:])]
    total = GramSum(*(sum(part) for part in zip(*parts, strict=True)))
    whole = gram_sum(features)
    np.testing.assert_allclose(
        total.normalized(), whole.normalized(), rtol=REDUCTION, atol=1e-6
    )
    assert float(total.count) == 30


def test_gram_sum_gradient_equals_automatic_differentiation(generator):
    features = tf.constant(generator.normal(size=(1, 6, 5, 4)), tf.float32)
    upstream = tf.constant(generator.normal(size=(4, 4)), tf.float32)

    def differentiate(compute):
        with tf.GradientTape() as tape:
            tape.watch(features)
            value = tf.reduce_sum(compute(features) * upstream)
        return tape.gradient(value, features)

    def plainly(features):
        rows = tf.reshape(features, [-1, 4])
        return tf.matmul(rows, rows, transpose_a=True)

    np.testing.assert_allclose(
        differentiate(lambda x: gram_sum(x).matrix),
        differentiate(plainly),
        rtol=REDUCTION,
        atol=1e-6,
    )
