"""The optimisation loop over the levels of a run.

Every level starts with a new optimizer.

Notes: carrying the optimizer's state to the finer level was worse: for a
photograph in a painting's style, 128 to 256 px, the total after 10, 20 and 60
evaluations at the finer level was, for L-BFGS, 9.4e6, 5.7e6 and 3.55e6 with a
new optimizer, 2.1e7, 7.2e6 and 3.61e6 with a carried one; for Adam 3.9e7, 2.0e7
and 9.1e6 with a new one, 4.8e7, 2.4e7 and 1.0e7 with a carried one.
"""

import math
import time
from collections.abc import Callable
from collections.abc import Generator

import numpy as np
import tensorflow as tf
from absl import logging

from tfstyle.config.config import Config
from tfstyle.errors import CheckpointError
from tfstyle.errors import NotFiniteError
from tfstyle.images.frame import Frame
from tfstyle.system.private_tensorflow import without_memory_optimizer
from tfstyle.training.callbacks import Record
from tfstyle.training.callbacks import Result
from tfstyle.training.callbacks import Throttle
from tfstyle.training.callbacks import ToPixels
from tfstyle.training.optimizers.adam import Adam
from tfstyle.training.optimizers.lbfgs import LBFGS
from tfstyle.training.optimizers.preconditioner import make_gains
from tfstyle.training.plan import Plan
from tfstyle.training.state import State

SAME_TOTAL_ON_GPU = 1e-3
"""Relative tolerance on a GPU, where the order of sums varies."""

Records = Generator[Record, str | None, None]


class Trainer:
    """Optimises the image of each level; counts steps, evaluations and time.

    Args:
        plan: plan of the run.
        to_pixels: function that converts an image to pixels.
        state: state of a run to continue, or None.
        save_state: function called with the state at the start, at the end of a
            level and every `save_every_seconds`; the state is valid until it
            returns.
        save_every_seconds: interval between calls of `save_state`; longer if
            saving would take more than LONGEST_SHARE of the time. 0: after
            every step.
        should_stop: function called before every evaluation; a returned string
            ends the run as its reason.

    Raises:
        CheckpointError: if the state does not fit the plan.
    """

    def __init__(
        self,
        plan: Plan,
        to_pixels: ToPixels,
        *,
        state: State | None = None,
        save_state: Callable[[State], None] | None = None,
        save_every_seconds: float = 30.0,
        should_stop: Callable[[], str | None] = lambda: None,
    ):
        self._config = config = plan.config
        self._is_exact = config.deterministic or not plan.machine.has_gpu
        self._to_pixels = to_pixels
        self._state = state
        self._save_state = save_state
        self._throttle = Throttle(save_every_seconds)
        self._should_stop = should_stop
        self._start = time.monotonic()
        self._steps = [0] * config.num_levels
        self._evaluations = 0
        self._first_level = 0
        self._max_evaluations = config.max_evaluations or math.inf
        self._record: Record | None = None
        self._reason = ""
        steps = config.steps_by_level
        # Levels without steps only resize; if all do, the last is evaluated.
        self._levels = {i for i, n in enumerate(steps) if n} or {len(steps) - 1}
        if state is not None:
            self._load_counts(state)

    def has_work(self, level: int) -> bool:
        """True if a level must be evaluated."""
        return (
            level in self._levels
            and level >= self._first_level
            and not self._reason
        )

    def stored_image(self, level: int, frame: Frame) -> np.ndarray | None:
        """Returns the stored image if the state is at this level, else None.

        Raises:
            CheckpointError: if the size differs.
        """
        if self._state is None or level != self._first_level:
            return None
        return self._state.array("image", (1, *frame.size, 3))

    def run_level(
        self, level: int, frame: Frame, image: tf.Variable, value_and_gradient
    ) -> Records:
        """Optimises an image until there is a reason to stop.

        Yields a record of every image; a string that is sent ends the run.

        Args:
            level: pyramid level; the coarsest is 0.
            frame: position of the picture within the image.
            image: float32 `[1, H, W, 3]`, changed in place.
            value_and_gradient: objective function of the level.
        """
        optimizer = _make_optimizer(self._config, image, value_and_gradient)
        before = self._evaluations
        with without_memory_optimizer():
            terms = optimizer.start()
        if self._state is not None:
            self._restore(terms, optimizer)
            before -= 1  # the stored image is already counted
        while True:
            self._evaluations = before + optimizer.evaluations
            self._check_finite(level, terms)
            self._record = Record(
                step=sum(self._steps),
                num_steps=sum(self._config.steps_by_level),
                evaluations=self._evaluations,
                level=level,
                frame=frame,
                seconds=time.monotonic() - self._start,
                terms=terms,
                image=image,
                to_pixels=self._to_pixels,
                steps=tuple(self._steps),
            )
            reason = yield self._record
            self._reason = reason or self._find_reason(level, optimizer)
            has_ended = bool(self._reason)
            if self._save_state and (has_ended or self._throttle.is_due):
                with self._throttle.acting():
                    self._save(level, terms, image, optimizer)
            if has_ended:
                break
            with without_memory_optimizer():
                new_terms = optimizer.update_step(
                    self._max_evaluations - self._evaluations,
                    self._should_stop,
                )
            if new_terms is None:
                continue  # stopped: the next iteration sets the reason
            terms = new_terms
            self._steps[level] += 1
        is_early = self._reason not in ("steps", "converged")
        if not is_early and level != max(self._levels):
            self._reason = ""

    def result(self, image: np.ndarray) -> Result:
        """Returns the result for the last image, cropped to the picture."""
        return Result(self._to_pixels(image), image, self._reason, self._record)

    def _find_reason(self, level: int, optimizer) -> str:
        config = self._config
        if reason := self._should_stop():
            return reason
        # Limits come first: a finer level would begin with an evaluation.
        if self._evaluations >= self._max_evaluations:
            return "max_evaluations"
        if self._record.seconds >= (config.time_limit or math.inf):
            return "time_limit"
        if self._steps[level] >= config.steps_by_level[level]:
            return "steps"
        return "converged" if optimizer.is_converged else ""

    def _check_finite(self, level: int, terms) -> None:
        total = float(terms.total)
        if math.isfinite(total):
            return
        what = "The loss or its gradient" if math.isnan(total) else "The loss"
        raise NotFiniteError(
            f"{what} is {total} at step {self._steps[level]} of level {level}:"
            " smaller weights or a smaller `learning_rate` may help."
        )

    def _save(self, level, terms, image, optimizer) -> None:
        state = optimizer.state()
        numbers = {
            "level": level,
            "steps": self._steps,
            "evaluations": self._evaluations,
            "seconds": [self._record.seconds],
            "total": [float(terms.total)],
            "optimizer": state.numbers,
        }
        arrays = {"image": image}
        arrays |= {f"optimizer/{n}": a for n, a in state.arrays.items()}
        self._save_state(State(numbers, arrays))

    def _load_counts(self, state: State) -> None:
        """Restores the counts of a state."""
        config = self._config
        self._first_level = state.integer("level", 0, config.num_levels - 1)
        steps = state.reals("steps", config.num_levels)
        self._steps = [int(number) for number in steps]
        if self._steps != steps or min(steps) < 0:
            raise CheckpointError("The checkpoint's steps must be counts.")
        self._evaluations = state.integer("evaluations", 1, 10**15)
        if self._first_level not in self._levels:
            raise CheckpointError(
                "The checkpoint is at a level whose steps are now 0."
            )
        (seconds,) = state.reals("seconds", 1)
        self._start -= seconds

    def _restore(self, terms, optimizer) -> None:
        """Restores the rest of a state after evaluating its image."""
        state, self._state = self._state, None
        optimizer.restore(state.part("optimizer"))
        (total,) = state.reals("total", 1)
        logging.info("Resumed at step %d", sum(self._steps))
        found = float(terms.total)
        if not math.isclose(
            found, total, rel_tol=0 if self._is_exact else SAME_TOTAL_ON_GPU
        ):
            logging.warning(
                "warning: the loss was %.9g when the checkpoint was written and"
                " is %.9g now: the machine or its settings differ, so the"
                " picture may differ, too",
                total,
                found,
            )


def _make_optimizer(
    config: Config, image: tf.Variable, value_and_gradient
) -> Adam | LBFGS:
    """Makes the optimizer that the options of a plan name."""
    if config.optimizer == "adam":
        return Adam(image, value_and_gradient, config.learning_rate)
    has_gains = config.preconditioner == "frequency"
    return LBFGS(
        image,
        value_and_gradient,
        config.num_correction_pairs,
        config.learning_rate,
        gains=make_gains(*image.shape[1:3]) if has_gains else None,
    )
