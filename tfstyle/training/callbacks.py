"""What happens at a step, and when: actions apart from their timing."""

import contextlib
import dataclasses
import functools
import math
import time
from collections.abc import Callable
from collections.abc import Iterator
from typing import Any

import numpy as np

from tfstyle.images.frame import Frame
from tfstyle.images.preprocessing import deprocess
from tfstyle.images.resize import resize_floats

LONGEST_SHARE = 0.05
"""Of the time, which writing on the way may take."""
Finish = Callable[..., np.ndarray]
"""Takes an image and `bits`, 8 or 16, and returns pixels, as `deprocess`."""


@dataclasses.dataclass(frozen=True)
class Record:
    """What is known of a run at one step. Reading `losses` waits for them.

    Attributes:
        step: update steps so far; 0 is the initial image.
        num_steps: update steps to come in all.
        evaluations: of the losses and their gradient so far.
        level: of the pyramid; 0 is the coarsest.
        frame: where the picture lies within the image.
        seconds: since the first step.
        is_last: whether this is the run's last image.
        terms: the `LossTerms` of the image.
        image: float32 variable of the frame's size, `[1, H, W, 3]`, BGR
            without the mean.
        finish: makes uint8 `[H, W, 3]`, RGB, of a picture's values.
        steps: update steps so far, of each level.
    """

    step: int
    num_steps: int
    evaluations: int
    level: int
    frame: Frame
    seconds: float
    is_last: bool
    terms: Any
    image: Any
    finish: Finish = deprocess
    steps: tuple[int, ...] = ()

    @functools.cached_property
    def losses(self) -> dict[str, float]:
        """The loss terms by name, `total` first."""
        return self.terms.to_floats()

    @property
    def total(self) -> float:
        """The weighted sum that is minimised."""
        return float(self.terms.total)

    @property
    def height(self) -> int:
        """Of the picture, pixels."""
        return self.frame.height

    @property
    def width(self) -> int:
        """Of the picture, pixels."""
        return self.frame.width

    def pixels(self, size: tuple[int, int] | None = None) -> np.ndarray:
        """Returns the picture, uint8 `[H, W, 3]`, RGB.

        Args:
            size: height and width, pixels. A picture of another size is
                resized as one that the next level starts from.
        """
        image = self.frame.crop(self.image.numpy())
        if size not in (None, image.shape[1:3]):
            image = resize_floats(image, *size)
        return self.finish(image)


Action = Callable[[Record], str | None]
"""Called with every record. A text it returns ends the run, as the reason."""


class Pace:
    """When to act again, at first at once.

    Args:
        seconds: from the end of one action to the next; longer if they would
            otherwise take more than LONGEST_SHARE of the time. 0: always.
        clock: gives the time, seconds.
    """

    def __init__(
        self, seconds: float, clock: Callable[[], float] = time.monotonic
    ):
        self._seconds = seconds
        self._clock = clock
        self._next = -math.inf

    @property
    def is_due(self) -> bool:
        """Whether it is time to act."""
        return self._clock() >= self._next

    @contextlib.contextmanager
    def acting(self) -> Iterator[None]:
        """Measures an action, the block."""
        start = self._clock()
        yield
        end = self._clock()
        if self._seconds:
            self._next = end + max(self._seconds, (end - start) / LONGEST_SHARE)


class EverySeconds:
    """Acts at step 0, when so many seconds have passed, and at the last.

    Less often, if it would take more than LONGEST_SHARE of the time.
    """

    def __init__(
        self,
        seconds: float,
        action: Action,
        clock: Callable[[], float] = time.monotonic,
    ):
        self._pace = Pace(seconds, clock)
        self._action = action

    def __call__(self, record: Record) -> str | None:
        """Acts if it is time to."""
        if not self._pace.is_due and not record.is_last:
            return None
        with self._pace.acting():
            return self._action(record)


class EverySteps:
    """Acts at step 0, at every n-th step and at the last, once an image."""

    def __init__(self, num_steps: int, action: Action):
        self._num_steps = num_steps
        self._action = action
        self._last = None

    def __call__(self, record: Record) -> str | None:
        """Acts if it is time to."""
        is_time = record.step % self._num_steps == 0 or record.is_last
        this = record.level, record.step, record.evaluations
        if not is_time or this == self._last:
            return None
        self._last = this
        return self._action(record)
