"""Signals that end a run cleanly."""

import contextlib
import os
import signal
import threading
from collections.abc import Callable

NUMBERS = [
    getattr(signal, name)
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1")
    if hasattr(signal, name)
]
"""Ctrl-C, a request to terminate, a closed terminal, a scheduler's notice."""
STOPPING = (
    "Stopping after this step. Press Ctrl-C again to quit without saving."
)
_IMPATIENT = (signal.SIGINT, signal.SIGTERM)
"""Signals that quit at once if repeated; all others may be repeated."""


class StopSignals:
    """Stops a run on the first signal, and exits at once on the second.

    Python runs signal handlers only between calls of TensorFlow, so a thread
    watches for signals; the second SIGINT or SIGTERM ends the process even
    during a call. SIGHUP and SIGUSR1 stay ignored if they were, as with
    `nohup`.

    Args:
        message: line that is printed on the first signal; empty for none.
        on_stop: function that is called on the first signal, in another
            thread and before a second one is heeded.

    Attributes:
        number: number of the first signal received, or None.
    """

    def __init__(
        self,
        message: str = STOPPING,
        on_stop: Callable[[], object] = lambda: None,
    ):
        self.number: int | None = None
        self._message = message
        self._on_stop = on_stop
        self._handlers = {}

    def __enter__(self):
        self._read_end, self._write_end = os.pipe()
        os.set_blocking(self._write_end, False)
        self._old_wakeup = signal.set_wakeup_fd(self._write_end)
        for number in NUMBERS:
            handler = signal.getsignal(number)
            if number in _IMPATIENT or handler is not signal.SIG_IGN:
                self._handlers[number] = signal.signal(number, lambda *_: None)
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()
        return self

    def __exit__(self, *_):
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._old_wakeup)
        os.close(self._write_end)
        self._watcher.join()
        os.close(self._read_end)

    def __call__(self) -> str | None:
        """Returns the name of the signal received, or None; stops the run."""
        return signal.Signals(self.number).name if self.number else None

    def _watch(self) -> None:
        is_impatient = False
        while byte := os.read(self._read_end, 1):
            number = byte[0]
            if number not in self._handlers:
                continue
            if number in _IMPATIENT:
                if is_impatient:
                    os._exit(128 + number)
                is_impatient = True
            if self.number is None:
                self.number = number
                if self._message:
                    with contextlib.suppress(OSError):  # stderr may be closed
                        os.write(2, f"\n{self._message}\n".encode())
                self._on_stop()
