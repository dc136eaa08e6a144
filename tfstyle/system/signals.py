"""Signals: SIGINT and SIGTERM end a run cleanly."""

import contextlib
import os
import signal
import threading


class StopSignals:
    """Turns SIGINT and SIGTERM into the end of a run, a second into an exit.

    Python runs its handlers only between calls of TensorFlow, so a thread
    watches; the second signal ends the process even while TensorFlow works.

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
        for number in (signal.SIGINT, signal.SIGTERM):
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
        while number := os.read(self._read_end, 1):
            if number[0] not in self._handlers:
                continue
            if self.number is not None:
                os._exit(128 + number[0])
            self.number = number[0]
            message = (
                b"\nStopping after this step. Press Ctrl-C again to quit"
                b" without saving.\n"
            )
            with contextlib.suppress(OSError):  # nobody reads it any more
                os.write(2, message)
