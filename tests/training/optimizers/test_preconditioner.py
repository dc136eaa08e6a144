"""The preconditioner: symmetric, positive, and a help."""

import numpy as np
import tensorflow as tf

from tfstyle.training.optimizers.lbfgs import LBFGS
from tfstyle.training.optimizers.preconditioner import filter_frequencies
from tfstyle.training.optimizers.preconditioner import make_gains

TRANSFORM = 1e-5  # float32 Fourier transforms


def filtered(image):
    gains = make_gains(*image.shape[1:3])
    return filter_frequencies(tf.constant(image, tf.float32), gains).numpy()


def test_filter_divides_by_the_frequency():
    columns = np.arange(64)
    waves = [np.cos(2 * np.pi * k * columns / 64) for k in (4, 8, 16)]
    gains = []
    for wave in waves:
        image = np.tile(wave[None, None, :, None], (1, 48, 1, 3))
        found = filtered(image)
        gains.append(found[0, 0, 0, 0])
        np.testing.assert_allclose(found, gains[-1] * image, atol=TRANSFORM)
    np.testing.assert_allclose(gains[0] / gains[1], 2, rtol=TRANSFORM)
    np.testing.assert_allclose(gains[1] / gains[2], 2, rtol=TRANSFORM)


def test_filter_is_symmetric_and_positive(generator):
    for size in ((32, 48), (33, 17)):
        a, b = generator.normal(size=(2, 1, *size, 3)).astype(np.float32)
        np.testing.assert_allclose(
            np.vdot(filtered(a), b), np.vdot(a, filtered(b)), rtol=1e-3
        )
        assert np.vdot(filtered(a), a) > 0


def test_lbfgs_with_it_solves_a_smooth_problem_sooner():
    """A sum of differences is least curved along the lowest frequencies."""
    target = np.cumsum(
        np.random.default_rng(0).normal(size=(1, 32, 32, 1)), axis=2
    ).astype(np.float32)

    def evaluate(image):
        with tf.GradientTape() as tape:
            tape.watch(image)
            error = image - target
            right = error - tf.roll(error, 1, axis=2)
            down = error - tf.roll(error, 1, axis=1)
            loss = tf.reduce_sum(tf.square(right) + tf.square(down))
            total = tf.reduce_sum(loss)
        terms = type("Terms", (), {"total": total})
        return terms, tape.gradient(total, image)

    totals = []
    for gains in (None, make_gains(32, 32)):
        image = tf.Variable(np.zeros_like(target))
        optimizer = LBFGS(image, evaluate, 5, first_step=1.0, gains=gains)
        optimizer.start()
        for _ in range(10):
            terms = optimizer.update_step()
        totals.append(float(terms.total))
    assert totals[1] < totals[0] / 2
