"""Limited-memory BFGS: the control flow, which runs on the host."""

import enum
import math
from typing import Any
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from absl import logging

from tfstyle.training.optimizers import lbfgs_steps
from tfstyle.training.optimizers.lbfgs_products import Measured
from tfstyle.training.optimizers.lbfgs_products import Products
from tfstyle.training.optimizers.line_search import LineSearch
from tfstyle.training.state import State

FIRST_STEP = 5.0
"""Root mean square of the first step over the pixels, grey levels.

Notes: for a photograph in a painting's style, 256 px, from noise, the total
after 10 and 20 evaluations was 3.3e8 and 1.2e8 with steps of 0.001 grey levels,
2.5e8 and 7.5e7 with 1, 1.4e8 and 5.5e7 with 5, 1.7e8 and 6.0e7 with 20. After
100 evaluations all were within 3 percent.
"""
MAX_SEARCH_EVALUATIONS = 20


class Search(enum.Enum):
    """The outcome of a search along one direction."""

    MOVED = enum.auto()
    NO_DECREASE = enum.auto()
    STOPPED = enum.auto()


class Trial(NamedTuple):
    """An image that a search has evaluated.

    Attributes:
        step: length of the step along the direction.
        image: float32 `[1, H, W, 3]`.
        terms: its loss terms.
        gradient: float32 `[1, H, W, 3]`.
        measured: scalar products of its gradient.
        preconditioned_change: float32 `[1, H, W, 3]`, the preconditioned
            change of the gradient.
        preconditioned_gradient: float32 `[1, H, W, 3]`.
    """

    step: float
    image: tf.Tensor
    terms: Any
    gradient: tf.Tensor
    measured: Measured
    preconditioned_change: tf.Tensor
    preconditioned_gradient: tf.Tensor


class LBFGS:
    """Optimises an image by L-BFGS with a strong Wolfe line search.

    The inverse Hessian consists of a ring buffer of correction pairs and a
    multiple of the preconditioner. Applying it requires only inner products of
    vectors: the host keeps them, reads one small vector per evaluation and
    computes the coefficients of the direction in terms of the stored vectors.
    All arrays of the image's size stay on the device.

    Args:
        image: floating-point variable of any shape, changed in place.
        value_and_gradient: function from the image to (terms, gradient), where
            `terms.total` is the value.
        num_correction_pairs: number of correction pairs to keep.
        learning_rate: first trial step along a quasi-Newton direction.
        first_step: root mean square of the first step, along steepest descent,
            in the image's unit.
        gains: frequency gains made by `make_gains`: the initial inverse
            Hessian up to its scale. None: the identity.

    Attributes:
        evaluations: evaluations of `value_and_gradient` so far.
        gradient: gradient at the current image.
        is_converged: True if two searches in a row found no lower value.

    References:
        Nocedal and Wright, Numerical Optimization, 2006, algorithm 7.4.
        Chen, Wang and Zhou, Large-scale L-BFGS using MapReduce, 2014.
    """

    def __init__(
        self,
        image: tf.Variable,
        value_and_gradient,
        num_correction_pairs: int = 20,
        learning_rate: float = 1.0,
        first_step: float = FIRST_STEP,
        gains: tf.Tensor | None = None,
    ):
        self.evaluations = 0
        self.is_converged = False
        self._image = image
        self._value_and_gradient = value_and_gradient
        self._learning_rate = learning_rate
        self._first_step = first_step
        self._gains = () if gains is None else (gains,)
        self._terms = None
        self.gradient = None
        self._preconditioned_gradient = None
        self._num_rows = rows = num_correction_pairs
        self._ring = lbfgs_steps.make_ring(image, rows)
        self._products = Products(rows)
        self._num_pairs = 0
        self._next_row = 0
        self._scale = 0.0  # of the initial inverse Hessian; 0: unset

    def start(self):
        """Evaluates the current image and returns its loss terms."""
        self._terms, self.gradient = self._evaluate(self._image.read_value())
        self._preconditioned_gradient = lbfgs_steps.precondition(
            self.gradient, *self._gains
        )
        return self._terms

    def update_step(
        self, max_evaluations: float = math.inf, should_stop=lambda: None
    ):
        """Updates the image once and returns the loss terms of the new image.

        If no lower value is found, the image is unchanged, the pairs are
        discarded and steepest descent is tried; if that fails too,
        `is_converged` is set.

        Args:
            max_evaluations: maximum number of evaluations, at least 1; the
                search then ends with the best image so far.
            should_stop: called before every evaluation. A true value cancels
                the step and leaves everything as before.

        Returns:
            The loss terms, or None if the step was cancelled.
        """
        before = self.evaluations, self._num_pairs
        budget = self.evaluations + max_evaluations
        for _ in range(2):
            outcome = self._search(budget, should_stop)
            if outcome is Search.STOPPED:
                self.evaluations, self._num_pairs = before
                return None
            if outcome is Search.MOVED or self.evaluations >= budget:
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
            **self._products.to_numbers(),
        }
        ring = np.asarray(self._ring)  # no copy on the CPU
        arrays = {
            name: ring[place]
            for row in self._rows()
            for place, name in self._places(row).items()
        }
        arrays["preconditioned_gradient"] = self._preconditioned_gradient
        return State(numbers, arrays)

    def restore(self, state: State) -> None:
        """Restores a state; the image must be the one it was saved with.

        Raises:
            CheckpointError: if the state does not fit this optimizer and image.
        """
        self._num_pairs = state.integer("num_pairs", 0, self._num_rows)
        self._next_row = state.integer("next_row", 0, self._num_rows - 1)
        self.is_converged = bool(state.integer("is_converged", 0, 1))
        (self._scale,) = state.reals("scale", 1)
        if "inverse_curvatures" in state.numbers:
            logging.warning(
                "warning: an earlier release wrote the checkpoint: L-BFGS"
                " continues from its image without its correction pairs."
            )
            self._num_pairs = 0
            return
        self._products.restore(state)
        self._preconditioned_gradient = tf.constant(
            state.array("preconditioned_gradient", tuple(self._image.shape))
        )
        for row in self._rows():
            for place, name in self._places(row).items():
                delta = state.array(name, tuple(self._ring.shape[1:]))
                lbfgs_steps.write_rows(self._ring, [place], delta[np.newaxis])

    def _places(self, row: int) -> dict[int, str]:
        """Returns the names of a pair's two halves by their ring rows."""
        return {
            row: f"position_delta_{row}",
            self._num_rows + row: f"preconditioned_gradient_delta_{row}",
        }

    def _rows(self) -> list[int]:
        """Returns the rows of the ring that hold pairs, oldest first."""
        first = self._next_row - self._num_pairs
        return [
            (first + age) % self._num_rows for age in range(self._num_pairs)
        ]

    def _evaluate(self, image):
        self.evaluations += 1
        return self._value_and_gradient(image)

    def _search(self, budget: float, should_stop) -> Search:
        """Searches along one direction, and moves the image to the best trial.

        A search that is stopped changes nothing but counts.
        """
        step = self._learning_rate if self._scale else self._first_step
        search, best, direction = None, None, self._find_direction()
        limit = min(self.evaluations + MAX_SEARCH_EVALUATIONS, budget)
        while self.evaluations < limit:
            if should_stop():
                return Search.STOPPED
            trial = self._try(direction, step)
            measured = trial.measured
            if search is None:
                if not measured.start_slope < 0:
                    return Search.NO_DECREASE
                search = LineSearch(measured.start, measured.start_slope, step)
            if search.add_trial(measured.value, measured.slope):
                best = trial
            if search.is_done:
                break
            step = search.step
        if best is None:
            return Search.NO_DECREASE
        self._accept(best, direction)
        return Search.MOVED

    def _try(self, direction: tf.Tensor, step: float) -> Trial:
        """Evaluates the image at a step along a direction."""
        image = lbfgs_steps.move(
            self._image.read_value(),
            direction,
            tf.constant(step, self._image.dtype),
        )
        terms, gradient = self._evaluate(image)
        numbers, *preconditioned = lbfgs_steps.measure(
            self.gradient,
            gradient,
            self._preconditioned_gradient,
            direction,
            self._terms.total,
            terms.total,
            self._ring,
            *self._gains,
        )
        # The only read on the host: all decisions use these numbers.
        measured = Measured.of(numbers.numpy())
        return Trial(step, image, terms, gradient, measured, *preconditioned)

    def _accept(self, trial: Trial, direction: tf.Tensor) -> None:
        """Moves the image to a trial and keeps the pair that it gives."""
        measured = trial.measured
        self._image.assign(trial.image)
        self._terms, self.gradient = trial.terms, trial.gradient
        self._preconditioned_gradient = trial.preconditioned_gradient
        self._products.move(measured)
        # Below the slope's rounding error, y d is noise: the pair could turn
        # the next direction uphill.
        epsilon = np.finfo(self._image.dtype.as_numpy_dtype).eps
        if measured.slope_rise > -measured.start_slope * epsilon:
            self._keep_pair(trial, direction)

    def _find_direction(self) -> tf.Tensor:
        """Returns the direction of the next search."""
        gradient = self._preconditioned_gradient
        if not self._scale:
            return lbfgs_steps.descend(gradient)
        factors = self._products.direction_coefficients(
            self._rows(), self._scale
        )
        return lbfgs_steps.descend_by_pairs(
            gradient,
            tf.constant(self._scale, self._image.dtype),
            tf.constant(factors, self._image.dtype),
            self._ring,
        )

    def _keep_pair(self, trial: Trial, direction: tf.Tensor) -> None:
        """Writes the correction pair of a trial over the oldest one."""
        row, measured = self._next_row, trial.measured
        length = tf.constant(trial.step, self._image.dtype)
        pair = lbfgs_steps.make_pair(
            direction, length, trial.preconditioned_change
        )
        lbfgs_steps.write_rows(self._ring, list(self._places(row)), pair)
        self._products.add_pair(row, trial.step, measured)
        self._scale = trial.step * measured.slope_rise / measured.rise
        self._next_row = (row + 1) % self._num_rows
        self._num_pairs = min(self._num_pairs + 1, self._num_rows)
