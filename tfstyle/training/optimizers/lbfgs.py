"""Limited-memory BFGS: its decisions, which are made on the host."""

import math
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from tfstyle.training.optimizers import lbfgs_steps
from tfstyle.training.optimizers.line_search import LineSearch
from tfstyle.training.state import State

FIRST_STEP = 5.0
"""Root mean square of the very first step over the pixels, grey levels.

A photograph in a painting's style, 256 px, from noise: the total after 10 and
20 evaluations was 3.3e8 and 1.2e8 with steps of 0.001 grey levels, 2.5e8 and
7.5e7 with 1, 1.4e8 and 5.5e7 with 5, 1.7e8 and 6.0e7 with 20. After 100
evaluations all were within 3 percent.
"""
MAX_SEARCH_EVALUATIONS = 20


class LBFGS:
    """Moves an image by L-BFGS with a strong Wolfe line search.

    The inverse Hessian is applied by the two-loop recursion over a ring of
    correction pairs, which begins with a multiple of the preconditioner. The
    host reads one small vector an evaluation; all that has the image's size
    stays on the device.

    Args:
        image: floating-point variable of any shape, changed in place.
        value_and_gradient: from the image to (terms, gradient), where
            `terms.total` is the value.
        num_correction_pairs: pairs remembered.
        learning_rate: first trial step along a quasi-Newton direction.
        first_step: root mean square of the very first step, along steepest
            descent, in the image's unit.
        precondition: a symmetric positive linear map of images; the first
            guess of the inverse Hessian, but for its scale.

    Attributes:
        evaluations: of `value_and_gradient` so far.
        gradient: at the image as it is.
        is_converged: no lower value was found twice running.

    References:
        Nocedal and Wright, Numerical Optimization, 2006, algorithm 7.4.
    """

    def __init__(
        self,
        image: tf.Variable,
        value_and_gradient,
        num_correction_pairs: int = 20,
        learning_rate: float = 1.0,
        first_step: float = FIRST_STEP,
        precondition: Callable[[tf.Tensor], tf.Tensor] = tf.identity,
    ):
        self.evaluations = 0
        self.is_converged = False
        self._image = image
        self._value_and_gradient = value_and_gradient
        self._learning_rate = learning_rate
        self._first_step = first_step
        self._precondition = precondition
        self._terms = None
        self.gradient = None
        self._num_rows = num_correction_pairs
        zeros = tf.zeros([tf.size(image)], image.dtype)
        self._position_deltas = [zeros] * self._num_rows
        self._gradient_deltas = [zeros] * self._num_rows
        self._inverse_curvatures = [0.0] * self._num_rows
        self._num_pairs = 0
        self._next_row = 0
        self._scale = 0.0  # of the inverse Hessian; 0: not known yet

    def start(self):
        """Evaluates the image as it is and returns its loss terms."""
        self._terms, self.gradient = self._evaluate(self._image.read_value())
        return self._terms

    def update_step(
        self, max_evaluations: float = math.inf, should_stop=lambda: None
    ):
        """Moves the image once and returns the loss terms of the new image.

        The image stays where it is if no lower value is found. Then the pairs
        are forgotten and steepest descent is tried; if that finds none
        either, `is_converged` is set.

        Args:
            max_evaluations: at least 1; the search ends with the best so far.
            should_stop: asked before every evaluation. If it returns
                something true, all is left as before the step.

        Returns:
            None if it was stopped.
        """
        before = self.evaluations, self._num_pairs
        budget = self.evaluations + max_evaluations
        for _ in range(2):
            has_moved = self._search(budget, should_stop)
            if has_moved is None:
                self.evaluations, self._num_pairs = before
                return None
            if has_moved or self.evaluations >= budget:
                return self._terms
            self._num_pairs = 0
        self.is_converged = True
        return self._terms

    def state(self) -> State:
        """Returns the state, without the image."""
        numbers = {
            "num_pairs": self._num_pairs,
            "next_row": self._next_row,
            "is_converged": int(self.is_converged),
            "scale": [self._scale],
            "inverse_curvatures": self._inverse_curvatures,
        }
        return State(numbers, self._pairs())

    def restore(self, state: State) -> None:
        """Takes a state; the image must be the one it was taken with.

        Raises:
            CheckpointError: if it is not of this optimizer and image.
        """
        self._num_pairs = state.integer("num_pairs", 0, self._num_rows)
        self._next_row = state.integer("next_row", 0, self._num_rows - 1)
        self.is_converged = bool(state.integer("is_converged", 0, 1))
        (self._scale,) = state.reals("scale", 1)
        self._inverse_curvatures = state.reals(
            "inverse_curvatures", self._num_rows
        )
        for row in self._newest_first()[: self._num_pairs]:
            for name, deltas in self._deltas().items():
                shape = tuple(deltas[row].shape)
                deltas[row] = tf.constant(state.array(f"{name}_{row}", shape))

    def _deltas(self) -> dict[str, list[tf.Tensor]]:
        """Returns both halves of the ring by name."""
        return {
            "position_delta": self._position_deltas,
            "gradient_delta": self._gradient_deltas,
        }

    def _pairs(self) -> dict[str, tf.Tensor]:
        """Returns the rows of the ring that hold something, by name."""
        return {
            f"{name}_{row}": deltas[row]
            for row in self._newest_first()[: self._num_pairs]
            for name, deltas in self._deltas().items()
        }

    def _newest_first(self) -> list[int]:
        """Returns the rows of the ring, the one last written first."""
        return [
            (self._next_row - 1 - age) % self._num_rows
            for age in range(self._num_rows)
        ]

    def _evaluate(self, image):
        self.evaluations += 1
        return self._value_and_gradient(image)

    def _search(self, budget: float, should_stop) -> bool | None:
        """Searches along one direction; returns whether the image moved.

        Returns None, and leaves all as it was, if it was stopped.
        """
        if self._scale:
            direction = self._apply_inverse_hessian()
            step = self._learning_rate
        else:
            direction = lbfgs_steps.normalize(self.gradient, self._precondition)
            step = self._first_step
        search, best = None, None
        limit = min(self.evaluations + MAX_SEARCH_EVALUATIONS, budget)
        while self.evaluations < limit:
            if should_stop():
                return None
            trial = lbfgs_steps.move(
                self._image.read_value(),
                direction,
                tf.constant(step, self._image.dtype),
            )
            terms, gradient = self._evaluate(trial)
            numbers = lbfgs_steps.measure(
                self.gradient,
                gradient,
                direction,
                self._terms.total,
                terms.total,
                self._precondition,
            )
            # The one host read: everything is decided from these.
            start, value, start_slope, slope, slope_rise, rise = (
                float(number) for number in numbers.numpy()
            )
            if search is None:
                if not start_slope < 0:
                    return False
                search = LineSearch(start, start_slope, step)
            if search.add_trial(value, slope):
                best = step, trial, terms, gradient, slope_rise, rise
            if search.is_done:
                break
            step = search.step
        if best is None:
            return False
        step, trial, terms, gradient, slope_rise, rise = best
        self._keep_pair(
            direction, gradient, start_slope, step, slope_rise, rise
        )
        self._image.assign(trial)
        self._terms, self.gradient = terms, gradient
        return True

    def _keep_pair(
        self, direction, gradient, start_slope, step, slope_rise, rise
    ) -> None:
        """Writes a correction pair into the ring if its curvature is positive.

        Args:
            direction: d; the position delta is s = step d.
            gradient: at the new image; y is its difference to the old one.
            start_slope: g d at the old image.
            step: along d.
            slope_rise: y d.
            rise: y P y.
        """
        # Below the rounding of the slope, y d is noise and may break d's sign.
        epsilon = np.finfo(self._image.dtype.as_numpy_dtype).eps
        if not slope_rise > -start_slope * epsilon:
            return
        curvature = step * slope_rise  # y s
        self._scale = curvature / rise
        row = self._next_row
        # Those that were there go first: there is memory for one ring.
        self._position_deltas[row] = self._gradient_deltas[row] = None
        self._position_deltas[row], self._gradient_deltas[row] = (
            lbfgs_steps.make_pair(
                direction,
                gradient,
                self.gradient,
                tf.constant(step, self._image.dtype),
            )
        )
        self._inverse_curvatures[row] = 1 / curvature
        self._next_row = (row + 1) % self._num_rows
        self._num_pairs = min(self._num_pairs + 1, self._num_rows)

    def _apply_inverse_hessian(self) -> tf.Tensor:
        """Returns -H g, in the gradient's shape."""
        newest_first = self._newest_first()
        # Rows that hold no pair weigh nothing.
        inverse_curvatures = [
            self._inverse_curvatures[row] if age < self._num_pairs else 0.0
            for age, row in enumerate(newest_first)
        ]
        dtype = self._image.dtype
        return lbfgs_steps.apply_inverse_hessian(
            self.gradient,
            tf.constant(self._scale, dtype),
            [self._position_deltas[row] for row in newest_first],
            [self._gradient_deltas[row] for row in newest_first],
            tf.constant(inverse_curvatures, dtype),
            self._precondition,
        )
