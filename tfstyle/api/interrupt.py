"""Ctrl-C and a notebook's stop button: end a run but keep its picture."""

import contextlib
import signal
import threading
from collections.abc import Callable
from collections.abc import Iterator

REASON = "interrupted"


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
