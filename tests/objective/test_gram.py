"""Gram sums against hand arithmetic, float64 and automatic differentiation."""

import numpy as np
import pytest
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


@pytest.mark.parametrize("has_mask", [False, True])
@pytest.mark.parametrize(
    "part", [None, ((0, 1, 2, 0), (1, 4, 3, 4)), ((0, 0, 0, 0), (1, 6, 5, 4))]
)
def test_gram_sum_of_a_part_equals_automatic_differentiation(
    generator, part, has_mask
):
    features = tf.constant(generator.normal(size=(1, 6, 5, 4)), tf.float32)
    upstream = tf.constant(generator.normal(size=(4, 4)), tf.float32)
    size = (1, 6, 5, 4) if part is None else part[1]
    mask = None
    if has_mask:
        mask = tf.constant(generator.random((*size[:3], 1)), tf.float32)

    def plainly(features):
        if part is not None:
            features = tf.slice(features, *part)
        if has_mask:
            features *= mask
        rows = tf.reshape(features, [-1, 4])
        return tf.matmul(rows, rows, transpose_a=True)

    def compute(features):
        own = part and tuple(map(tf.constant, part))
        return gram_sum(features, mask, own)

    def differentiate(compute):
        with tf.GradientTape() as tape:
            tape.watch(features)
            matrix = compute(features)
        return matrix, tape.gradient(matrix, features, upstream)

    found = differentiate(lambda x: compute(x).matrix)
    for value, expected in zip(found, differentiate(plainly), strict=True):
        np.testing.assert_allclose(value, expected, rtol=REDUCTION, atol=1e-6)
    count = np.prod(size[:3]) if mask is None else np.sum(np.square(mask))
    np.testing.assert_allclose(compute(features).count, count, rtol=1e-6)
