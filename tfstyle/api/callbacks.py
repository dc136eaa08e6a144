"""Callbacks, progress and Ctrl-C during a run of the Python API."""

import contextlib
import signal
import sys
import threading
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence

from tfstyle.api.result import Result
from tfstyle.api.result import Step
from tfstyle.api.run import Run
from tfstyle.errors import ConfigError

Callback = Callable[[Step], object]
"""Function called with the `Step` of every step. A returned string ends the
run and becomes its stop reason; any other value is ignored."""
REASON = "interrupted"
"""Stop reason after Ctrl-C or a notebook's stop button."""


class Interrupted(KeyboardInterrupt):
    """Ctrl-C, or a notebook's stop button, has ended a run after a step.

    Attributes:
        result: the picture so far, a `Result`.
    """

    def __init__(self, result: Result):
        super().__init__(result)
        self.result = result

    def __str__(self) -> str:
        return (
            f"stopped after step {self.result.step}; `result` of this"
            " exception, sys.last_value.result in a notebook, is the picture"
            " so far"
        )


def check_callbacks(callbacks: Sequence[Callback]) -> None:
    """Checks that callbacks are a list of functions.

    Raises:
        ConfigError: if they are not.
    """
    is_list = isinstance(callbacks, list | tuple)
    if not is_list or not all(map(callable, callbacks)):
        raise ConfigError(
            "`callbacks` must be a list of functions. Received:"
            f" {callbacks!r:.200}."
        )


def call(callbacks: Sequence[Callback], record, run: Run) -> str | None:
    """Calls all callbacks; returns the last string they returned, or None."""
    if not callbacks:
        return None
    step = run.make_step(record)
    try:
        returned = [callback(step) for callback in callbacks]
    except KeyboardInterrupt:
        return REASON
    texts = [text for text in returned if isinstance(text, str)]
    return texts[-1] if texts else None


@contextlib.contextmanager
def showing_progress(is_wanted: bool | None) -> Iterator[list]:
    """Yields a list with the progress action, or an empty list."""
    from tfstyle.reports import progress

    is_notebook = progress.is_in_notebook()
    if is_wanted is None:
        is_main = threading.current_thread() is threading.main_thread()
        is_terminal = sys.stderr is not None and sys.stderr.isatty()
        is_wanted = is_main and (is_terminal or is_notebook)
    if not is_wanted:
        yield []
        return
    bar = progress.NotebookProgress() if is_notebook else progress.ProgressBar()
    try:
        yield [bar]
    finally:
        bar.stop()


@contextlib.contextmanager
def catching_interrupt() -> Iterator[Callable[[], str | None]]:
    """Yields a function that returns REASON once the block received SIGINT.

    A second SIGINT raises KeyboardInterrupt. Does nothing in threads other
    than the main one, or if the program has its own signal handler.
    """
    number = 0

    def count(signum, frame):
        nonlocal number
        number += 1
        if number > 1:
            raise KeyboardInterrupt

    is_main = threading.current_thread() is threading.main_thread()
    is_default = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if not (is_main and is_default):
        yield lambda: None
        return
    signal.signal(signal.SIGINT, count)
    try:
        yield lambda: REASON if number else None
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
