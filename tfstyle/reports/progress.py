"""Progress of a run: a bar on a terminal or in a notebook, else log lines."""

import contextlib
import contextvars
import sys
import time
from collections.abc import Callable
from collections.abc import Iterator

from absl import logging
from rich.console import Console
from rich.progress import BarColumn
from rich.progress import Progress
from rich.progress import TextColumn
from rich.progress import TimeRemainingColumn

from tfstyle.system.loop_progress import SECONDS_BETWEEN_LINES
from tfstyle.system.loop_progress import describe_time
from tfstyle.training.callbacks import EverySeconds
from tfstyle.training.callbacks import Record
from tfstyle.training.callbacks import Result

SECONDS_BETWEEN_UPDATES = 0.1
SMALLEST_SHARE = 0.3
"""Pictures of a batch that are painted before the time left is shown; until
then TensorFlow's start counts too much."""
_listener = contextvars.ContextVar[Callable[[float], None] | None](
    "listener", default=None
)


def make_progress() -> "ProgressDisplay":
    """Makes the action that shows progress; call its `stop` at the end."""
    if listener := _listener.get():
        return ProgressCalls(listener)
    return ProgressBar() if sys.stderr.isatty() else ProgressLines()


@contextlib.contextmanager
def reporting_to(listener: Callable[[float], None]) -> Iterator[None]:
    """Calls a function with the share of steps done, in place of a bar."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


def is_in_notebook() -> bool:
    """True if this process is the kernel of a notebook."""
    return Console(stderr=True).is_jupyter


class ProgressDisplay(EverySeconds):
    """Shows records, at most one per interval, and the last one."""

    seconds = SECONDS_BETWEEN_UPDATES

    def __init__(self, clock: Callable[[], float] = time.monotonic):
        super().__init__(self.seconds, self.show, clock)

    def close(self, result: Result) -> None:
        """Shows the last step."""
        self.show(result.record, is_last=True)

    def show(self, record: Record, is_last: bool = False) -> None:
        """Shows a record."""
        raise NotImplementedError

    def stop(self) -> None:
        """Releases the terminal, also if the run failed."""


class ProgressBar(ProgressDisplay):
    """Progress bar with step, loss, evaluations per second and time left."""

    def __init__(self):
        super().__init__()
        self._bar = Progress(
            TextColumn("step {task.completed}/{task.total}"),
            BarColumn(),
            TextColumn("{task.fields[status]}"),
            TimeRemainingColumn(compact=True),
            TextColumn("left"),
            console=Console(stderr=True),
        )
        self._task = None

    def stop(self) -> None:
        """Stops updating the bar and releases the terminal."""
        with contextlib.suppress(OSError):
            self._bar.stop()

    def show(self, record: Record, is_last: bool = False) -> None:
        """Moves the bar to a record."""
        with contextlib.suppress(OSError):  # the terminal was closed
            if self._task is None:
                self._task = self._bar.add_task(
                    "", total=record.num_steps, status=""
                )
                self._bar.start()
            self._bar.update(
                self._task, completed=record.step, status=_status(record)
            )


class NotebookProgress(ProgressDisplay):
    """Progress line below a notebook's cell, updated in place."""

    _handle = None  # of the displayed line

    def show(self, record: Record, is_last: bool = False) -> None:
        """Replaces the line."""
        from IPython.display import display

        shown = {"text/plain": _line(record, is_last)}
        if self._handle is None:
            self._handle = display(shown, raw=True, display_id=True)
        else:
            self._handle.update(shown, raw=True)


class ProgressLines(ProgressDisplay):
    """Logs a line at the first and the last step and every ten seconds."""

    seconds = SECONDS_BETWEEN_LINES

    def show(self, record: Record, is_last: bool = False) -> None:
        """Logs a line."""
        logging.info("%s", _line(record, is_last))


class ProgressCalls(ProgressDisplay):
    """Calls a function with the share of steps done, from 0 to 1."""

    def __init__(self, listener: Callable[[float], None]):
        super().__init__()
        self._listener = listener

    def show(self, record: Record, is_last: bool = False) -> None:
        """Calls the function."""
        self._listener(record.step / max(record.num_steps, 1))


class BatchProgress:
    """Progress of many pictures: a bar below the log, or lines in it.

    Args:
        total: number of pictures.
        clock: function that returns the time in seconds.
    """

    def __init__(self, total: int, clock: Callable[[], float] = time.monotonic):
        self._total = total
        self._clock = clock
        self._start = self._last = clock()
        self._bar = Progress(
            BarColumn(),
            TextColumn("{task.description}"),
            console=Console(stderr=True),
            disable=not sys.stderr.isatty(),
        )
        self._task = self._bar.add_task("", total=total)

    def __enter__(self):
        self._bar.start()
        # Rich's replacement, which writes above the bar.
        logging.get_absl_handler().python_handler.setStream(sys.stderr)
        return self

    def __exit__(self, *_):
        self._bar.stop()
        logging.get_absl_handler().python_handler.setStream(sys.stderr)

    def show(self, num_settled: int, num_painted: int, started: float) -> None:
        """Moves the bar; without one, logs a line every ten seconds.

        Args:
            num_settled: pictures that are painted, were there, or failed.
            num_painted: those that were painted.
            started: shares of the pictures that are being painted, summed up.
        """
        now = self._clock()
        text = f"{num_settled} of {self._total} pictures"
        painted = num_painted + started
        left = self._total - num_settled - started
        if left and painted >= SMALLEST_SHARE:
            seconds = (now - self._start) * left / painted
            text += f", about {describe_time(seconds)} left"
        self._bar.update(
            self._task, description=text, completed=num_settled + started
        )
        if self._bar.disable and now - self._last >= SECONDS_BETWEEN_LINES:
            self._last = now
            logging.info("%s", text)


def _line(record: Record, is_last: bool) -> str:
    line = f"step {record.step}/{record.num_steps}, {_status(record)}"
    if is_last or record.step in (0, record.num_steps):
        return line
    seconds = record.seconds / record.step * (record.num_steps - record.step)
    return f"{line}, {seconds:.0f} s left"


def _status(record: Record) -> str:
    rate = record.evaluations / max(record.seconds, 1e-9)
    status = f"loss {record.total:.4g}, {rate:.2f} evaluations/s"
    if len(record.steps) > 1:  # the loss starts anew at each level
        status = f"{max(record.height, record.width)} px, {status}"
    return status
