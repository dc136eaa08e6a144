"""The line search on one-dimensional functions, in plain numbers."""

import math

import numpy as np
import pytest

from tfstyle.training.optimizers.line_search import CURVATURE
from tfstyle.training.optimizers.line_search import SUFFICIENT_DECREASE
from tfstyle.training.optimizers.line_search import LineSearch


def search(function, slope, step=1.0, most=30):
    """Runs a search; returns the steps tried and the last best one."""
    line_search = LineSearch(function(0.0), slope(0.0), step)
    tried, best = [], None
    while not line_search.is_done and len(tried) < most:
        step = line_search.step
        tried.append(step)
        if line_search.add_trial(function(step), slope(step)):
            best = step
    return tried, best


FUNCTIONS = {
    "parabola": (lambda t: (t - 1) ** 2, lambda t: 2 * (t - 1)),
    # Moré and Thuente (1994), function 1
    "thuente 1": (
        lambda t: -t / (t**2 + 2),
        lambda t: (t**2 - 2) / (t**2 + 2) ** 2,
    ),
    # Moré and Thuente (1994), function 2
    "thuente 2": (
        lambda t: (t + 0.004) ** 5 - 2 * (t + 0.004) ** 4,
        lambda t: 5 * (t + 0.004) ** 4 - 8 * (t + 0.004) ** 3,
    ),
    "wave": (
        lambda t: -t + math.sin(3 * t),
        lambda t: -1 + 3 * math.cos(3 * t),
    ),
}


@pytest.mark.parametrize("step", [1e-3, 0.1, 1.0, 10.0, 1e3])
@pytest.mark.parametrize("name", ["parabola", "thuente 1", "thuente 2"])
def test_best_step_meets_the_strong_wolfe_conditions(name, step):
    function, slope = FUNCTIONS[name]
    tried, best = search(function, slope, step)
    bound = function(0.0) + SUFFICIENT_DECREASE * best * slope(0.0)
    assert function(best) <= bound
    assert abs(slope(best)) <= CURVATURE * abs(slope(0.0))
    assert len(tried) <= 20


def test_good_first_step_is_taken_at_once():
    tried, best = search(*FUNCTIONS["parabola"], step=0.9)
    assert (tried, best) == ([0.9], 0.9)


def test_cubic_interpolation_finds_a_parabola_s_minimum_at_once():
    line_search = LineSearch(1.0, -2.0, 3.0)  # (t - 1)^2
    assert not line_search.add_trial(4.0, 4.0)
    assert line_search.step == pytest.approx(1.0)


def test_short_step_is_lengthened_at_most_fivefold():
    function, slope = FUNCTIONS["thuente 1"]
    tried, _ = search(function, slope, 1e-3)
    ratios = np.divide(tried[1:], tried[:-1])
    assert ((ratios > 1) & (ratios <= 5)).all()


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_step_is_shortened_when_the_value_is_not_finite(value):
    line_search = LineSearch(1.0, -2.0, 1.0)
    assert not line_search.add_trial(value, 1.0)
    assert line_search.step == pytest.approx(0.1)


def test_step_is_not_accepted_when_the_slope_is_not_finite():
    line_search = LineSearch(1.0, -2.0, 1.0)
    assert not line_search.add_trial(0.0, math.nan)
    assert not line_search.is_done


def test_search_ends_when_nothing_is_lower():
    tried, best = search(lambda t: t, lambda t: -1.0, most=100)
    assert best is None
    assert len(tried) < 40


def test_noise_ends_no_search_in_an_error():
    """Values and slopes that contradict each other close any bracket."""
    generator = np.random.default_rng(0)
    for _ in range(5000):
        values, slopes = generator.normal(size=(2, 100)).tolist()
        scale = 10.0 ** int(generator.integers(-12, 3))
        line_search = LineSearch(0.0, -abs(slopes[0]), 1.0)
        for value, slope in zip(values, slopes, strict=True):
            line_search.add_trial(scale * value - line_search.step, slope)
            if line_search.is_done:
                break
            assert math.isfinite(line_search.step)
