"""Line search for the strong Wolfe conditions, on Python floats."""

import math
from typing import NamedTuple

SUFFICIENT_DECREASE = 1e-4
CURVATURE = 0.9
RESOLUTION = 1e-14
"""Minimum width of a bracket, relative to its steps."""


class _Point(NamedTuple):
    """A step along the direction, with the value and slope at that step."""

    step: float
    value: float
    slope: float


class LineSearch:
    """Brackets a minimum along a direction and shrinks the bracket.

    The caller evaluates at `step` and adds the result. A value or slope that is
    not finite is never accepted.

    Args:
        value: value at step 0.
        slope: slope at step 0, negative.
        step: first step to try.

    Attributes:
        step: next step to try.
        is_done: True if the strong Wolfe conditions hold at the best step, or
            the bracket cannot shrink further.

    References:
        Nocedal and Wright, Numerical Optimization, 2006, algorithms 3.5, 3.6.
    """

    def __init__(self, value: float, slope: float, step: float):
        self.step = step
        self.is_done = False
        self._first_step = step
        self._start = _Point(0.0, value, slope)
        self._best = self._start
        self._before_best = self._start
        self._end: _Point | None = None  # the bracket is best..end

    def add_trial(self, value: float, slope: float) -> bool:
        """Adds the value and slope at `step`; returns True if it is best."""
        trial = _Point(self.step, value, slope)
        is_best = self._is_decrease(trial) and value < self._best.value
        if is_best:
            is_flat = abs(slope) <= CURVATURE * abs(self._start.slope)
            if self._end is None:
                turns = slope >= 0
            else:
                turns = slope * (self._end.step - self._best.step) >= 0
            if turns:
                self._end = self._best
            self._before_best, self._best = self._best, trial
            self.is_done = is_flat
        else:
            self._end = trial
        if not self.is_done:
            self.step = self._next_step()
        return is_best

    def _is_decrease(self, trial: _Point) -> bool:
        """True if Armijo's condition holds and all numbers are finite."""
        bound = SUFFICIENT_DECREASE * trial.step * self._start.slope
        return (
            math.isfinite(trial.slope)
            and trial.value <= self._start.value + bound
            and math.isfinite(trial.value)
        )

    def _next_step(self) -> float:
        best, end = self._best, self._end
        if end is None:
            width = best.step - self._before_best.step
            step = _minimize_cubic(self._before_best, best)
            return min(max(step, best.step + width), best.step + 4 * width)
        width = end.step - best.step
        if abs(width) <= RESOLUTION * max(self._first_step, abs(best.step)):
            self.is_done = True
            return best.step
        if not (math.isfinite(end.value) and math.isfinite(end.slope)):
            return best.step + width / 10
        share = (_minimize_cubic(best, end) - best.step) / width
        if not math.isfinite(share):
            share = 0.5
        return best.step + width * min(max(share, 0.05), 0.95)


def _minimize_cubic(a: _Point, b: _Point) -> float:
    """Returns the minimiser of the cubic through two points and slopes.

    Returns infinity if the cubic has no minimum.

    References:
        Nocedal and Wright, 2006, eq. 3.59.
    """
    d1 = a.slope + b.slope - 3 * (a.value - b.value) / (a.step - b.step)
    square = d1**2 - a.slope * b.slope
    if not square >= 0:
        return math.inf
    d2 = math.copysign(math.sqrt(square), b.step - a.step)
    denominator = b.slope - a.slope + 2 * d2
    if denominator == 0:
        return math.inf
    return b.step - (b.step - a.step) * (b.slope + d2 - d1) / denominator
