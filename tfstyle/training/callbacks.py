"""Records of update steps, and callbacks that receive them."""

import contextlib
import dataclasses
import functools
import math
import time
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
from typing import Any

import numpy as np

from tfstyle.images.frame import Frame
from tfstyle.images.preprocessing import deprocess
from tfstyle.images.resize import resize_floats

LONGEST_SHARE = 0.05
"""Maximum share of the run time spent on writing."""
ToPixels = Callable[..., np.ndarray]
"""Converts an image to pixels of 8 or 16 `bits`, like `deprocess`."""


@dataclasses.dataclass(frozen=True)
class Record:
    """State of a run at one step. Reading `losses` waits for the device.

    Attributes:
        step: update steps so far; 0 is the initial image.
        num_steps: update steps of the whole run.
        evaluations: evaluations of the objective function so far.
        level: pyramid level; 0 is the coarsest.
        frame: position of the picture within the image.
        seconds: seconds since the first step.
        terms: `LossTerms` of the image.
        image: float32 variable of the frame's size, `[1, H, W, 3]`, BGR
            without the mean.
        to_pixels: function that converts the picture to uint8 `[H, W, 3]`, RGB.
        steps: update steps so far, per level.
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
        """Loss terms by name, `total` first."""
        return self.terms.to_floats()

    @property
    def total(self) -> float:
        """Weighted sum of the losses, which is minimised."""
        return float(self.terms.total)

    @property
    def height(self) -> int:
        """Height of the picture, pixels."""
        return self.frame.height

    @property
    def width(self) -> int:
        """Width of the picture, pixels."""
        return self.frame.width

    def pixels(self, size: tuple[int, int] | None = None) -> np.ndarray:
        """Returns the picture, uint8 `[H, W, 3]`, RGB.

        Args:
            size: height and width of the result, pixels. A picture of another
                size is resized in the same way as between levels.
        """
        image = self.frame.crop(self.image.numpy())
        if size not in (None, image.shape[1:3]):
            image = resize_floats(image, *size)
        return self.to_pixels(image)


@dataclasses.dataclass(frozen=True)
class Result:
    """Result of a run.

    Attributes:
        pixels: uint8 `[H, W, 3]`, RGB.
        image: float32 `[1, H, W, 3]`, BGR without the mean, neither clipped
            nor rounded.
        reason: stop reason: `steps`, `converged`, `max_evaluations`,
            `time_limit`, the name of a signal, or a string returned by an
            action.
        record: record of the last step.
    """

    pixels: np.ndarray
    image: np.ndarray
    reason: str
    record: Record

    @property
    def losses(self) -> dict[str, float]:
        """Loss terms of the image with its border, `total` first."""
        return self.record.losses

    @property
    def steps(self) -> tuple[int, ...]:
        """Update steps per level."""
        return self.record.steps

    @property
    def step(self) -> int:
        """Total number of update steps."""
        return self.record.step

    @property
    def evaluations(self) -> int:
        """Number of evaluations of the objective function."""
        return self.record.evaluations

    @property
    def seconds(self) -> float:
        """Seconds since the first step."""
        return self.record.seconds

    def to_pixels(self, bits: int) -> np.ndarray:
        """Returns the pixels of the image with 8 or 16 bits."""
        if bits == 8:
            return self.pixels
        return self.record.to_pixels(self.image, bits)

    @property
    def is_complete(self) -> bool:
        """True if only the config and the images ended the run."""
        return self.reason in ("steps", "converged", "max_evaluations")


def describe_steps(steps: Sequence[int]) -> str:
    """Describes update steps per level, such as `135 steps (45 + 90)`."""
    levels = f" ({' + '.join(map(str, steps))})" if len(steps) > 1 else ""
    return f"{sum(steps)} steps{levels}"


Writer = Callable[[Record], str | None]
"""Function of a record. Returning a string ends the run with that reason."""


class Action:
    """Callback for the record of every step and the result of the run."""

    def __call__(self, record: Record) -> str | None:
        """Handles a record; a returned string ends the run as its reason."""
        raise NotImplementedError

    def close(self, result: Result) -> None:
        """Handles the end of the run; not called if the run fails."""


class Throttle:
    """Rate limit: the first call passes, then at most one per interval.

    Args:
        seconds: interval from the end of one action to the next; longer if
            actions would take more than LONGEST_SHARE of the time. 0: no limit.
        clock: function that returns the time in seconds.
    """

    def __init__(
        self, seconds: float, clock: Callable[[], float] = time.monotonic
    ):
        self._seconds = seconds
        self._clock = clock
        self._next = -math.inf

    @property
    def is_due(self) -> bool:
        """True if the next action is due."""
        return self._clock() >= self._next

    @contextlib.contextmanager
    def acting(self) -> Iterator[None]:
        """Times an action, the body of the `with` statement."""
        start = self._clock()
        yield
        end = self._clock()
        if self._seconds:
            self._next = end + max(self._seconds, (end - start) / LONGEST_SHARE)


class _Repeated(Action):
    """Calls a writer for some of the records, always including the last."""

    def __init__(self, write: Writer, is_due: Callable[[Record], bool]):
        self._write = write
        self._is_due = is_due
        self._written: Record | None = None

    def __call__(self, record: Record) -> str | None:
        """Writes the record if it is due."""
        return self._act(record) if self._is_due(record) else None

    def _act(self, record: Record) -> str | None:
        self._written = record
        return self._write(record)

    def close(self, result: Result) -> None:
        """Writes the last record unless it has already been written."""
        if self._written is not result.record:
            self._act(result.record)


class EverySteps(_Repeated):
    """Writes at step 0, at every n-th step, and at the end."""

    def __init__(self, num_steps: int, write: Writer):
        super().__init__(write, lambda record: record.step % num_steps == 0)


class EverySeconds(_Repeated):
    """Writes at step 0, then once per interval of seconds, and at the end.

    Less often if writing would take more than LONGEST_SHARE of the time.
    """

    def __init__(
        self,
        seconds: float,
        write: Writer,
        clock: Callable[[], float] = time.monotonic,
    ):
        self._throttle = throttle = Throttle(seconds, clock)
        super().__init__(write, lambda record: throttle.is_due)

    def _act(self, record: Record) -> str | None:
        with self._throttle.acting():
            return super()._act(record)
