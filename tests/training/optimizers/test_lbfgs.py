"""L-BFGS on known problems, beside SciPy's L-BFGS-B."""

import json
import types

import numpy as np
import pytest
import scipy.optimize
import tensorflow as tf

from tfstyle.training.optimizers.lbfgs import LBFGS
from tfstyle.training.state import State

SOLVED = 1e-10  # value; both problems have their minimum at 0

SUMS = 0.03  # processors sum in another order, and the paths part


def rosenbrock(x):
    return tf.reduce_sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def ill_conditioned_quadratic(x):
    scales = np.logspace(0, 4, x.shape[0])
    return tf.reduce_sum(scales * x**2) / 2


PROBLEMS = {
    "rosenbrock-2": (rosenbrock, np.tile([-1.2, 1.0], 1)),
    "rosenbrock-100": (rosenbrock, np.tile([-1.2, 1.0], 50)),
    "quadratic-100": (ill_conditioned_quadratic, np.ones(100)),
}


def differentiated(function):
    @tf.function(autograph=False)
    def differentiate(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = function(x)
        return value, tape.gradient(value, x)

    def value_and_gradient(x):
        value, gradient = differentiate(x)
        return types.SimpleNamespace(total=value), gradient

    return value_and_gradient


def make_lbfgs(name, num_correction_pairs=10):
    function, start = PROBLEMS[name]
    x = tf.Variable(start, dtype=tf.float64)
    optimizer = LBFGS(
        x, differentiated(function), num_correction_pairs, first_step=1.0
    )
    return x, optimizer


def count_evaluations_of_scipy(name, num_correction_pairs):
    function, start = PROBLEMS[name]
    value_and_gradient = differentiated(function)
    values = []

    def evaluate(x):
        terms, gradient = value_and_gradient(tf.constant(x))
        values.append(float(terms.total))
        return values[-1], gradient.numpy()

    options = {
        "maxcor": num_correction_pairs,
        "ftol": 0,
        "gtol": 0,
        "maxfun": 3000,
        "maxiter": 3000,
    }
    scipy.optimize.minimize(
        evaluate, start, jac=True, method="L-BFGS-B", options=options
    )
    return 1 + next(i for i, value in enumerate(values) if value < SOLVED)


@pytest.mark.parametrize(
    ("name", "evaluations"),
    [("rosenbrock-2", 42), ("rosenbrock-100", 595), ("quadratic-100", 759)],
)
def test_lbfgs_solves_known_problems_in_pinned_evaluations(name, evaluations):
    _, optimizer = make_lbfgs(name)
    terms = optimizer.start()
    while terms.total >= SOLVED and optimizer.evaluations < 2 * evaluations:
        terms = optimizer.update_step()
    assert optimizer.evaluations == pytest.approx(evaluations, rel=SUMS)
    assert evaluations <= 1.05 * count_evaluations_of_scipy(name, 10)


@pytest.mark.parametrize("name", PROBLEMS)
def test_lbfgs_never_goes_up_and_tells_the_value_where_it_is(name):
    evaluate = differentiated(PROBLEMS[name][0])
    x, optimizer = make_lbfgs(name)
    last = float(optimizer.start().total)
    for _ in range(20):
        value = float(optimizer.update_step().total)
        assert value <= last
        assert value == float(evaluate(x.read_value())[0].total)
        last = value


@pytest.mark.parametrize("budget", [1, 2, 3])
def test_update_step_keeps_to_its_evaluations(budget):
    _, optimizer = make_lbfgs("rosenbrock-2")
    optimizer.start()
    for _ in range(20):
        before = optimizer.evaluations
        optimizer.update_step(budget)
        assert 1 <= optimizer.evaluations - before <= budget


def test_lbfgs_converges_where_the_gradient_is_zero():
    x = tf.Variable([0.0, 0.0], dtype=tf.float64)
    optimizer = LBFGS(x, differentiated(ill_conditioned_quadratic))
    optimizer.start()
    optimizer.update_step()
    assert optimizer.is_converged
    np.testing.assert_array_equal(x, [0, 0])


def test_lbfgs_converges_in_float32_instead_of_running_on():
    x = tf.Variable(np.ones(4), dtype=tf.float32)
    function = differentiated(lambda x: tf.reduce_sum((x - 3) ** 2) + 1)
    optimizer = LBFGS(x, function)
    optimizer.start()
    for _ in range(20):
        optimizer.update_step()
    assert optimizer.is_converged
    np.testing.assert_allclose(x, 3, rtol=1e-3)


def test_lbfgs_never_accepts_a_value_that_is_not_finite():
    """The logarithm is NaN beyond zero, just past the minimum."""
    x = tf.Variable([1.0], dtype=tf.float64)
    seen = []

    barrier = differentiated(lambda x: tf.reduce_sum(1e4 * x - tf.math.log(x)))

    def evaluate(x):
        terms, gradient = barrier(x)
        seen.append(float(terms.total))
        return terms, gradient

    optimizer = LBFGS(x, evaluate)
    optimizer.start()
    for _ in range(40):
        terms = optimizer.update_step()
        assert np.isfinite(float(terms.total))
        assert np.isfinite(x.numpy()).all()
    assert np.isnan(seen).any()  # it was tried
    assert optimizer.evaluations == len(seen)
    np.testing.assert_allclose(x, 1e-4, rtol=1e-4)


def test_lbfgs_keeps_no_pair_of_negative_curvature():
    """Along a concave slope y s is negative; H must stay positive."""
    x = tf.Variable([0.1], dtype=tf.float64)
    optimizer = LBFGS(
        x, differentiated(lambda x: tf.reduce_sum(tf.cos(x))), first_step=0.1
    )
    optimizer.start()
    optimizer.update_step(1)
    assert optimizer._num_pairs == 0
    for _ in range(20):
        optimizer.update_step()
    np.testing.assert_allclose(abs(x.numpy()), np.pi, rtol=1e-5)


def test_ring_keeps_the_newest_pairs():
    _, optimizer = make_lbfgs("rosenbrock-2", num_correction_pairs=3)
    positions = [optimizer._image.numpy()]
    optimizer.start()
    while len(positions) < 6:
        optimizer.update_step()
        positions.append(optimizer._image.numpy())
    deltas = np.diff(positions, axis=0)
    ring = optimizer._ring.numpy()
    for age in range(3):
        row = (optimizer._next_row - 1 - age) % 3
        np.testing.assert_allclose(ring[row], deltas[-1 - age], rtol=1e-9)


@pytest.mark.parametrize("num_steps", [3, 9])
def test_direction_equals_the_dense_inverse_hessian(num_steps):
    """The two loops equal the product of the BFGS updates, written out."""
    _, optimizer = make_lbfgs("rosenbrock-100", num_correction_pairs=4)
    optimizer.start()
    for _ in range(num_steps):
        optimizer.update_step()
    size, scale = 100, optimizer._scale
    inverse = scale * np.eye(size)
    assert optimizer._num_pairs == min(num_steps, 4)
    for age in reversed(range(optimizer._num_pairs)):
        row = (optimizer._next_row - 1 - age) % 4
        s, y = optimizer._ring[row].numpy(), optimizer._ring[4 + row].numpy()
        left = np.eye(size) - np.outer(s, y) / (y @ s)
        inverse = left @ inverse @ left.T + np.outer(s, s) / (y @ s)
    direction = optimizer._find_direction()
    vector = optimizer.gradient.numpy()
    np.testing.assert_allclose(direction, -inverse @ vector, rtol=1e-9)


def make_float32_lbfgs(start):
    x = tf.Variable(start, dtype=tf.float32)
    function = differentiated(lambda x: rosenbrock(x) + tf.reduce_sum(x**4))
    return x, LBFGS(x, function, 3)


@pytest.mark.parametrize("num_steps", [0, 2, 7])
def test_restored_lbfgs_goes_on_as_the_one_that_was_left_alone(num_steps):
    x, straight = make_float32_lbfgs(np.linspace(-1, 1, 5))
    straight.start()
    for _ in range(num_steps):
        straight.update_step()
    state = straight.state()
    arrays = {name: np.array(array) for name, array in state.arrays.items()}
    numbers = json.loads(json.dumps(state.numbers))
    y, restored = make_float32_lbfgs(x.numpy())
    restored.start()
    restored.restore(State(numbers, arrays))
    for _ in range(5):
        straight.update_step()
        restored.update_step()
        np.testing.assert_array_equal(y, x)


def test_checkpoint_of_an_earlier_release_goes_on_without_pairs(caplog):
    x, optimizer = make_float32_lbfgs(np.linspace(-1, 1, 5))
    first = float(optimizer.start().total)
    state = {"num_pairs": 2, "next_row": 2, "is_converged": 0, "scale": [1e-3]}
    optimizer.restore(State(state | {"inverse_curvatures": [1, 1, 0]}, {}))
    assert "without its correction pairs" in caplog.text
    assert optimizer.state().numbers["num_pairs"] == 0
    assert float(optimizer.update_step().total) < first
    assert np.isfinite(x.numpy()).all()
