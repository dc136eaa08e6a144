"""The optimisation loop over the levels of a run.

Every level starts an optimizer anew. To carry its state up with the image
measured worse: a photograph in a painting's style, 128 to 256 px, the total 10,
20 and 60 evaluations into the finer level was, for L-BFGS, 9.4e6, 5.7e6 and
3.55e6 anew, 2.1e7, 7.2e6 and 3.61e6 carried; for Adam 3.9e7, 2.0e7 and 9.1e6
anew, 4.8e7, 2.4e7 and 1.0e7 carried.
"""

import dataclasses
import math
import time
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from tfstyle.config import Config
from tfstyle.optimizers import make_optimizer
from tfstyle.optimizers.averaging import IterateAverage
from tfstyle.periodic_actions import Action
from tfstyle.periodic_actions import Finish
from tfstyle.periodic_actions import Record


@dataclasses.dataclass(frozen=True)
class Result:
    """What a run made.

    Attributes:
        pixels: uint8 `[H, W, 3]`, RGB.
        image: float32 `[1, H, W, 3]`, BGR without the mean, as optimised:
            neither clipped nor rounded.
        losses: of that image, by name, `total` first.
        steps: update steps made, of each level.
        evaluations: of the losses and their gradient.
        seconds: since the first step.
        reason: why it ended: `steps`, `converged`, `max_evaluations`,
            `time_limit`, or what an action returned.
    """

    pixels: np.ndarray
    image: np.ndarray
    losses: dict[str, float]
    steps: tuple[int, ...]
    evaluations: int
    seconds: float
    reason: str

    @property
    def step(self) -> int:
        """Update steps made in all."""
        return sum(self.steps)


class NotFiniteError(ArithmeticError):
    """The loss stopped being a finite number."""


class Loop:
    """What goes on over the levels of a run: step, evaluations, time, reason.

    Args:
        config: a resolved one.
        actions: called with every record.
        finish: makes pixels of an image.
    """

    def __init__(
        self, config: Config, actions: Sequence[Action], finish: Finish
    ):
        self._config = config
        self._actions = actions
        self._finish = finish
        self._start = time.monotonic()
        self._steps = [0] * config.num_levels
        self._evaluations = 0
        self._max_evaluations = config.max_evaluations or math.inf
        if config.averaging:
            self._max_evaluations -= 1  # one is the average's own
        self._record: Record | None = None
        self._reason = ""
        steps = config.steps_by_level
        # Levels without steps are only carried up; a picture is evaluated.
        self._levels = {i for i, n in enumerate(steps) if n} or {len(steps) - 1}

    def has_work(self, level: int) -> bool:
        """Returns whether a level is to be evaluated at all."""
        return level in self._levels and self._reason in ("", "steps")

    def run_level(
        self, level: int, start: np.ndarray, value_and_gradient
    ) -> np.ndarray:
        """Moves an image until there is a reason to end.

        Args:
            level: its number; the coarsest is 0.
            start: float32 `[1, H, W, 3]`.
            value_and_gradient: the level's hinge.

        Returns:
            float32 `[1, H, W, 3]`.
        """
        config = self._config
        image = tf.Variable(start)
        optimizer = make_optimizer(
            config.optimizer,
            image,
            value_and_gradient,
            learning_rate=config.learning_rate,
            num_correction_pairs=config.num_correction_pairs,
        )
        average = (
            IterateAverage(image, config.averaging)
            if config.averaging
            else None
        )
        before = self._evaluations
        terms = optimizer.start()
        while True:
            self._evaluations = before + optimizer.evaluations
            self._tell(level, terms, image)
            self._reason = self._reason or self._find_reason(level, optimizer)
            if self._reason:
                break
            terms = optimizer.update_step(
                self._max_evaluations - self._evaluations
            )
            self._steps[level] += 1
            if average is not None:
                average.update()
        is_early = self._reason not in ("steps", "converged")
        if average is not None:
            image.assign(average.value())
        if is_early or level == max(self._levels):
            if average is not None:
                terms = optimizer.start()
                self._evaluations = before + optimizer.evaluations
            self._tell(level, terms, image, is_last=True)
        else:
            self._reason = ""
        return image.numpy()

    def result(self, image: np.ndarray) -> Result:
        """Returns what the run made of its last image."""
        return Result(
            self._finish(image),
            image,
            self._record.losses,
            tuple(self._steps),
            self._record.evaluations,
            self._record.seconds,
            self._reason,
        )

    def _tell(self, level, terms, image, *, is_last=False) -> None:
        """Makes the record of the image as it is and calls the actions."""
        self._record = record = Record(
            step=sum(self._steps),
            num_steps=sum(self._config.steps_by_level),
            evaluations=self._evaluations,
            level=level,
            height=image.shape[1],
            width=image.shape[2],
            seconds=time.monotonic() - self._start,
            is_last=is_last,
            terms=terms,
            image=image,
            finish=self._finish,
        )
        if not math.isfinite(record.total):
            raise NotFiniteError(
                f"The loss is {record.total} at step {record.step} of level"
                f" {level}: smaller weights or a smaller `learning_rate` may"
                " help."
            )
        for action in self._actions:
            self._reason = action(record) or self._reason

    def _find_reason(self, level: int, optimizer) -> str:
        config = self._config
        # The limits first: a finer level would begin with an evaluation.
        if self._evaluations >= self._max_evaluations:
            return "max_evaluations"
        if self._record.seconds >= (config.time_limit or math.inf):
            return "time_limit"
        if self._steps[level] >= config.steps_by_level[level]:
            return "steps"
        return "converged" if optimizer.is_converged else ""
