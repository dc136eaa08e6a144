"""Signals that end a run cleanly."""

import contextlib
import os
import signal
import threading

NUMBERS = [
    getattr(signal, name)
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1")
    if hasattr(signal, name)
]
"""Ctrl-C, an end that is asked for, a closed terminal, a scheduler's notice."""
_MESSAGE = (
    b"\nStopping after this step. Press Ctrl-C again to quit without saving.\n"
)
_IMPATIENT = (signal.SIGINT, signal.SIGTERM)
"""A second one of these quits at once; the others may come repeatedly."""


class StopSignals:
    """Turns NUMBERS into the end of a run, a second signal into an exit.

    Python runs its handlers only between calls of TensorFlow, so a thread
    watches; the second signal ends the process even while TensorFlow works.
    SIGHUP and SIGUSR1 stay ignored where they were, as `nohup` has it.

    Attributes:
        number: of the signal that came, or None.
    """

    def __init__(self):
        self.number: int | None = None
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
        """Returns the signal's name if one has come: the run is to end."""
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
                with contextlib.suppress(OSError):  # nobody reads it any more
                    os.write(2, _MESSAGE)
