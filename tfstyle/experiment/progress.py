"""Progress for people: a bar on a terminal, lines elsewhere."""

import sys
import time

from absl import logging
from rich.console import Console
from rich.progress import BarColumn
from rich.progress import Progress
from rich.progress import TextColumn
from rich.progress import TimeRemainingColumn

from tfstyle.training.callbacks import Record

SECONDS_BETWEEN_LINES = 10


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

    def __call__(self, record: Record) -> None:
        """Moves the bar."""
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
        self._bar.stop()


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
        left = ""
        if record.step and not record.is_last:
            seconds = record.seconds / record.step
            seconds *= record.num_steps - record.step
            left = f", {seconds:.0f} s left"
        logging.info(
            "step %d/%d, %s%s",
            record.step,
            record.num_steps,
            _status(record),
            left,
        )

    def close(self) -> None:
        """Does nothing: lines need no end."""


def _status(record: Record) -> str:
    rate = record.evaluations / max(record.seconds, 1e-9)
    return f"loss {record.total:.4g}, {rate:.2f} evaluations/s"
