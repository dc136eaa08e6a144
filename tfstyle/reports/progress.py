"""Progress of a run: a bar on a terminal or in a notebook, else log lines."""

import contextlib
import sys
import time
from collections.abc import Callable

from absl import logging
from rich.console import Console
from rich.progress import BarColumn
from rich.progress import Progress
from rich.progress import TextColumn
from rich.progress import TimeRemainingColumn

from tfstyle.system.loop_progress import SECONDS_BETWEEN_LINES
from tfstyle.training.callbacks import Action
from tfstyle.training.callbacks import Record
from tfstyle.training.callbacks import Result
from tfstyle.training.callbacks import Throttle

SECONDS_BETWEEN_UPDATES = 0.1


def make_progress():
    """Makes the action that shows progress; call its `stop` at the end."""
    return ProgressBar() if sys.stderr.isatty() else ProgressLines()


def is_in_notebook() -> bool:
    """True if this process is the kernel of a notebook."""
    return Console(stderr=True).is_jupyter


class ProgressBar(Action):
    """Progress bar with step, loss, evaluations per second and time left."""

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
        self._throttle = Throttle(SECONDS_BETWEEN_UPDATES)

    def __call__(self, record: Record) -> None:
        """Updates the bar, at most once per interval."""
        if self._throttle.is_due:
            with self._throttle.acting():
                self._show(record)

    def close(self, result: Result) -> None:
        """Updates the bar to the last step."""
        self._show(result.record)

    def stop(self) -> None:
        """Stops updating the bar and releases the terminal."""
        with contextlib.suppress(OSError):
            self._bar.stop()

    def _show(self, record: Record) -> None:
        with contextlib.suppress(OSError):  # the terminal was closed
            if self._task is None:
                self._task = self._bar.add_task(
                    "", total=record.num_steps, status=""
                )
                self._bar.start()
            self._bar.update(
                self._task, completed=record.step, status=_status(record)
            )


class NotebookProgress(Action):
    """Progress line below a notebook's cell, updated in place."""

    def __init__(self):
        self._handle = None
        self._throttle = Throttle(SECONDS_BETWEEN_UPDATES)

    def __call__(self, record: Record) -> None:
        """Updates the line, at most once per interval."""
        if self._throttle.is_due:
            with self._throttle.acting():
                self._show(_line(record) + _time_left(record))

    def close(self, result: Result) -> None:
        """Updates the line to the last step."""
        self._show(_line(result.record))

    def stop(self) -> None:
        """Does nothing; the line stays visible."""

    def _show(self, text: str) -> None:
        from IPython.display import display

        shown = {"text/plain": text}
        if self._handle is None:
            self._handle = display(shown, raw=True, display_id=True)
        else:
            self._handle.update(shown, raw=True)


class ProgressLines(Action):
    """Logs a line at the first and the last step and every ten seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic):
        self._throttle = Throttle(SECONDS_BETWEEN_LINES, clock)

    def __call__(self, record: Record) -> None:
        """Logs a line, at most once per interval."""
        if self._throttle.is_due:
            with self._throttle.acting():
                logging.info("%s%s", _line(record), _time_left(record))

    def close(self, result: Result) -> None:
        """Logs a line for the last step."""
        logging.info("%s", _line(result.record))

    def stop(self) -> None:
        """Does nothing; log lines need no cleanup."""


def _line(record: Record) -> str:
    return f"step {record.step}/{record.num_steps}, {_status(record)}"


def _time_left(record: Record) -> str:
    if record.step in (0, record.num_steps):
        return ""
    seconds = record.seconds / record.step * (record.num_steps - record.step)
    return f", {seconds:.0f} s left"


def _status(record: Record) -> str:
    rate = record.evaluations / max(record.seconds, 1e-9)
    return f"loss {record.total:.4g}, {rate:.2f} evaluations/s"
