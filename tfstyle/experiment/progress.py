"""Progress for people: a bar on a terminal, lines elsewhere."""

import contextlib
import math
import sys
import time

from absl import logging
from rich.console import Console
from rich.progress import BarColumn
from rich.progress import Progress
from rich.progress import TextColumn
from rich.progress import TimeRemainingColumn

from tfstyle.system.loop_progress import SECONDS_BETWEEN_LINES
from tfstyle.training.callbacks import Record

SECONDS_BETWEEN_UPDATES = 0.1


def make_progress():
    """Makes the action that shows progress on stderr; close it at the end."""
    return ProgressBar() if sys.stderr.isatty() else ProgressLines()


def is_in_notebook() -> bool:
    """Returns whether this process is the kernel of a notebook."""
    return Console(stderr=True).is_jupyter


class ProgressBar:
    """A bar with step, loss, evaluations per second and time left."""

    def __init__(self):
        self._bar = Progress(
            TextColumn("step {task.completed}/{task.total}"),
            BarColumn(),
            TextColumn("{task.fields[status]}"),
            TimeRemainingColumn(compact=True),
            TextColumn("left"),
            console=Console(stderr=True),
        )
        self._task = None
        self._last = -math.inf

    def __call__(self, record: Record) -> None:
        """Moves the bar, if it is time to."""
        now = time.monotonic()
        if now - self._last < SECONDS_BETWEEN_UPDATES and not record.is_last:
            return
        self._last = now
        with contextlib.suppress(OSError):  # the terminal was closed
            if self._task is None:
                self._task = self._bar.add_task(
                    "", total=record.num_steps, status=""
                )
                self._bar.start()
            self._bar.update(
                self._task, completed=record.step, status=_status(record)
            )

    def close(self) -> None:
        """Leaves the bar as it stands and gives the terminal back."""
        with contextlib.suppress(OSError):
            self._bar.stop()


class NotebookProgress:
    """A line below the notebook's cell, which is updated."""

    def __init__(self):
        self._handle = None
        self._last = -math.inf

    def __call__(self, record: Record) -> None:
        """Updates the line, if it is time to."""
        from IPython.display import display

        now = time.monotonic()
        if now - self._last < SECONDS_BETWEEN_UPDATES and not record.is_last:
            return
        self._last = now
        text = f"step {record.step}/{record.num_steps}, {_status(record)}"
        shown = {"text/plain": text + _time_left(record)}
        if self._handle is None:
            self._handle = display(shown, raw=True, display_id=True)
        else:
            self._handle.update(shown, raw=True)

    def close(self) -> None:
        """Does nothing: the line stays as it is."""


class ProgressLines:
    """A line at the first and the last step and every ten seconds."""

    def __init__(self):
        self._last = -SECONDS_BETWEEN_LINES
        self._step = None

    def __call__(self, record: Record) -> None:
        """Logs a line if it is time to."""
        now = time.monotonic()
        is_time = record.is_last or now - self._last >= SECONDS_BETWEEN_LINES
        if not is_time or record.step == self._step:
            return
        self._last, self._step = now, record.step
        logging.info(
            "step %d/%d, %s%s",
            record.step,
            record.num_steps,
            _status(record),
            _time_left(record),
        )

    def close(self) -> None:
        """Does nothing: lines need no end."""


def _time_left(record: Record) -> str:
    if not record.step or record.is_last:
        return ""
    seconds = record.seconds / record.step * (record.num_steps - record.step)
    return f", {seconds:.0f} s left"


def _status(record: Record) -> str:
    rate = record.evaluations / max(record.seconds, 1e-9)
    return f"loss {record.total:.4g}, {rate:.2f} evaluations/s"
