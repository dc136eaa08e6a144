"""Records of steps, and actions that are called with them."""

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
"""Share of the time that writing during a run may take."""
ToPixels = Callable[..., np.ndarray]
"""Converts an image to pixels of 8 or 16 `bits`, like `deprocess`."""


@dataclasses.dataclass(frozen=True)
class Record:
    """The state of a run at one step. Reading `losses` waits for them.

    Attributes:
        step: update steps so far; 0 is the initial image.
        num_steps: update steps to come in all.
        evaluations: of the losses and their gradient so far.
        level: of the pyramid; 0 is the coarsest.
        frame: where the picture lies within the image.
        seconds: since the first step.
        terms: the `LossTerms` of the image.
        image: float32 variable of the frame's size, `[1, H, W, 3]`, BGR
            without the mean.
        to_pixels: converts the picture's values to uint8 `[H, W, 3]`, RGB.
        steps: update steps so far, of each level.
    """

    step: int
    num_steps: int
    evaluations: int
    level: int
    frame: Frame
    seconds: float
    terms: Any
    image: Any
    to_pixels: ToPixels = deprocess
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
        return self.to_pixels(image)


@dataclasses.dataclass(frozen=True)
class Result:
    """The end of a run.

    Attributes:
        pixels: uint8 `[H, W, 3]`, RGB.
        image: float32 `[1, H, W, 3]`, BGR without the mean, as optimised:
            neither clipped nor rounded.
        reason: why it ended: `steps`, `converged`, `max_evaluations`,
            `time_limit`, the name of a signal, or a text that an action
            returned.
        record: of the last step.
    """

    pixels: np.ndarray
    image: np.ndarray
    reason: str
    record: Record

    @property
    def losses(self) -> dict[str, float]:
        """The loss terms of the image with its border, `total` first."""
        return self.record.losses

    @property
    def steps(self) -> tuple[int, ...]:
        """Update steps of each level."""
        return self.record.steps

    @property
    def step(self) -> int:
        """Update steps in all."""
        return self.record.step

    @property
    def evaluations(self) -> int:
        """Evaluations of the losses and their gradient."""
        return self.record.evaluations

    @property
    def seconds(self) -> float:
        """Seconds since the first step."""
        return self.record.seconds

    def to_pixels(self, bits: int) -> np.ndarray:
        """Returns the pixels with 8 or 16 bits, made of the image."""
        if bits == 8:
            return self.pixels
        return self.record.to_pixels(self.image, bits)

    @property
    def is_complete(self) -> bool:
        """Whether nothing but the config and the images ended the run."""
        return self.reason in ("steps", "converged", "max_evaluations")


Writer = Callable[[Record], str | None]
"""Called with a record. A text that it returns ends the run, as the reason."""


class Action:
    """Called with the record of every step, and with the result at the end."""

    def __call__(self, record: Record) -> str | None:
        """Acts; a text that it returns ends the run, as the reason."""
        raise NotImplementedError

    def close(self, result: Result) -> None:
        """Acts at the end of the run; not called if the run fails."""


class Throttle:
    """Rate limit: the first call passes, then at most one per interval.

    Args:
        seconds: from the end of one action to the next; longer if they would
            otherwise take more than LONGEST_SHARE of the time. 0: no limit.
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


class _Repeated(Action):
    """Calls a writer with some of the records, and always with the last."""

    def __init__(self, write: Writer):
        self._write = write
        self._written: Record | None = None

    def _act(self, record: Record) -> str | None:
        self._written = record
        return self._write(record)

    def close(self, result: Result) -> None:
        """Writes the last record, unless it has been written."""
        if self._written is not result.record:
            self._act(result.record)


class EverySeconds(_Repeated):
    """Writes at step 0, then once in so many seconds, and at the end.

    Less often if it would take more than LONGEST_SHARE of the time.
    """

    def __init__(
        self,
        seconds: float,
        write: Writer,
        clock: Callable[[], float] = time.monotonic,
    ):
        super().__init__(write)
        self._throttle = Throttle(seconds, clock)

    def __call__(self, record: Record) -> str | None:
        """Writes the record if it is time to."""
        if not self._throttle.is_due:
            return None
        with self._throttle.acting():
            return self._act(record)


class EverySteps(_Repeated):
    """Writes at step 0, at every n-th step, and at the end."""

    def __init__(self, num_steps: int, write: Writer):
        super().__init__(write)
        self._num_steps = num_steps

    def __call__(self, record: Record) -> str | None:
        """Writes the record if it is time to."""
        is_time = record.step % self._num_steps == 0
        return self._act(record) if is_time else None
