"""Losses against hand arithmetic and the paper's closed-form gradients."""

import numpy as np
import pytest
import tensorflow as tf

from tests import references
from tfstyle.objective import losses
from tfstyle.objective.gram import gram_sum

REDUCTION = 1e-5  # float32 sums over H*W


def gradient_of(function, x):
    x = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        value = function(x)
    return value, tape.gradient(value, x)


def test_content_loss_equals_hand_arithmetic():
    features = tf.constant([[[[1.0, 2.0]], [[3.0, 5.0]]]])
    target = tf.constant([[[[0.0, 2.0]], [[1.0, 1.0]]]])
    # 1/2 (1 + 0 + 4 + 16)
    assert float(losses.content_loss(features, target)) == 10.5


def test_content_loss_gradient_is_the_difference(generator):
    features = generator.normal(size=(1, 4, 3, 5)).astype(np.float32)
    target = generator.normal(size=(1, 4, 3, 5)).astype(np.float32)
    _, gradient = gradient_of(
        lambda x: losses.content_loss(x, tf.constant(target)), features
    )
    np.testing.assert_array_equal(gradient, features - target)


def test_style_loss_equals_hand_arithmetic():
    gram = tf.constant([[1.0, 2.0], [2.0, 5.0]])
    target = tf.constant([[0.0, 2.0], [2.0, 1.0]])
    # (1 + 0 + 0 + 16) / (4 * 2**2)
    assert float(losses.style_loss(gram, target)) == 17 / 16


def test_style_loss_gradient_is_the_paper_s(generator):
    features = generator.uniform(0, 2, (1, 5, 4, 3)).astype(np.float32)
    target = references.gram(generator.uniform(0, 2, (7, 2, 3)))

    def compute(x):
        gram = gram_sum(x).normalized()
        return losses.style_loss(gram, tf.constant(target, tf.float32))

    loss, gradient = gradient_of(compute, features)
    rows = features[0].reshape(20, 3).astype(np.float64)
    difference = rows.T @ rows / 20 - target
    expected = rows @ difference / (3**2 * 20)  # (G - A) F / (N**2 M)
    np.testing.assert_allclose(
        tf.reshape(gradient, [20, 3]), expected, rtol=1e-4, atol=1e-7
    )
    expected = (difference**2).sum() / (4 * 3**2)
    np.testing.assert_allclose(loss, expected, rtol=REDUCTION)


def test_style_loss_of_one_size_is_the_paper_s_formula(generator):
    """With equal M, E is the paper's 1 / (4 N^2 M^2) sum (G - A)^2."""
    image = generator.uniform(0, 2, (20, 3))
    style = generator.uniform(0, 2, (20, 3))
    difference = image.T @ image - style.T @ style
    expected = (difference**2).sum() / (4 * 3**2 * 20**2)
    loss = losses.style_loss(
        tf.constant(references.gram(image[None])),
        tf.constant(references.gram(style[None])),
    )
    np.testing.assert_allclose(loss, expected, rtol=1e-12)


def test_total_variation_loss_equals_hand_arithmetic():
    image = tf.constant([[[[1.0], [4.0]], [[3.0], [3.0]]]])
    # down: (3-1)^2 + (3-4)^2, right: (4-1)^2 + (3-3)^2
    assert float(losses.total_variation_loss(image)) == 4 + 1 + 9


def test_relative_total_variation_of_an_edge_is_its_height_by_hand():
    """A step from black to white: each row beside it sees it twice in four."""
    image = np.zeros((1, 8, 5, 3), np.float32)
    image[:, 4:] = 255
    expected = 2 / 8 * 2 / 4 * (np.sqrt(255**2 + 2.5**2) - 2.5) / 255
    np.testing.assert_allclose(
        losses.relative_total_variation_loss(tf.constant(image)),
        expected,
        rtol=1e-5,
    )


def test_relative_total_variation_prefers_one_edge_to_ripples_of_its_energy():
    edge, ripples = np.zeros((2, 1, 64, 8, 3), np.float32)
    edge[:, 32:] = 128
    ripples[:, 1::2] = 128 / np.sqrt(63)
    squared, mean_length = (
        [float(function(tf.constant(image))) for image in (edge, ripples)]
        for function in (
            losses.total_variation_loss,
            losses.relative_total_variation_loss,
        )
    )
    assert squared[0] == pytest.approx(squared[1], rel=1e-5)
    assert mean_length[0] < mean_length[1] / 3


def test_chroma_loss_equals_hand_arithmetic():
    """A pixel of pure blue beside black: Y is 0.114 of it, in each channel."""
    image = tf.constant([[[[100.0, 0.0, 0.0], [0.0, 0.0, 0.0]]]])
    expected = (100 - 11.4) ** 2 + 11.4**2 + 11.4**2
    np.testing.assert_allclose(
        losses.chroma_loss(image), expected, rtol=REDUCTION
    )


@pytest.mark.parametrize("size", [(1, 7), (4, 1)])
def test_relative_chroma_of_a_line_is_that_along_it(generator, size):
    image = generator.normal(size=(*size, 3)).astype(np.float32)
    chroma = image - image @ np.array([[0.114], [0.587], [0.299]])
    steps = np.diff(chroma.reshape(-1, 3), axis=0) / 255
    np.testing.assert_allclose(
        losses.relative_chroma_loss(tf.constant(image[None])),
        (steps**2).mean(),
        rtol=1e-5,
    )


def test_chroma_losses_do_not_see_lightness(generator):
    grey = generator.uniform(0, 255, (1, 6, 5, 1)).astype(np.float32)
    image = tf.constant(np.repeat(grey, 3, axis=-1))
    for loss in (losses.chroma_loss, losses.relative_chroma_loss):
        assert float(loss(image)) < 1e-6


@pytest.mark.parametrize(
    ("function", "reference", "size"),
    [
        (losses.total_variation_loss, references.total_variation, (6, 5)),
        (losses.chroma_loss, references.chroma, (6, 5)),
        (losses.relative_chroma_loss, references.relative_chroma, (6, 5)),
        *(
            (
                losses.relative_total_variation_loss,
                references.relative_total_variation,
                size,
            )
            for size in ((6, 5), (1, 7), (4, 1))
        ),
    ],
)
def test_loss_of_differences_and_gradient_equal_float64(
    generator, function, reference, size
):
    image = generator.normal(0, 9, (1, *size, 3)).astype(np.float32)
    loss, gradient = gradient_of(function, image)
    expected, slope = reference(image[0].astype(np.float64))
    np.testing.assert_allclose(loss, expected, rtol=REDUCTION)
    np.testing.assert_allclose(
        gradient[0], slope, rtol=1e-4, atol=1e-6 * np.abs(slope).max()
    )


def test_temporal_loss_equals_hand_arithmetic():
    image = tf.constant([[[[1.0, 2.0, 3.0], [7.0, 7.0, 7.0]]]])
    target = tf.constant([[[[1.0, 0.0, 6.0], [5.0, 7.0, 7.0]]]])
    weights = tf.constant([[[[1.0], [0.5]]]])
    expected = (4 + 9 + 0.5 * 4) / 6
    loss = losses.temporal_loss(image, target, weights)
    np.testing.assert_allclose(loss, expected, rtol=REDUCTION)
    relative = losses.relative_temporal_loss(image, target, weights)
    np.testing.assert_allclose(relative, expected / 255**2, rtol=REDUCTION)


def test_temporal_loss_and_gradient_equal_float64(generator):
    image, target = generator.normal(0, 50, (2, 1, 6, 5, 3)).astype(np.float32)
    weights = generator.uniform(0, 1, (6, 5)).astype(np.float32)
    loss, gradient = gradient_of(
        lambda image: losses.temporal_loss(
            image, tf.constant(target), tf.constant(weights[None, ..., None])
        ),
        image,
    )
    expected, slope = references.temporal(
        *(array.astype(np.float64) for array in (image[0], target[0], weights))
    )
    np.testing.assert_allclose(loss, expected, rtol=REDUCTION)
    np.testing.assert_allclose(gradient[0], slope, rtol=1e-4, atol=1e-6)
