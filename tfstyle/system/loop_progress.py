"""Progress of long loops in the log."""

import time

from absl import logging

SECONDS_BETWEEN_LINES = 10


class LoopProgress:
    """Logs the progress of a loop every ten seconds.

    Args:
        what: label of the progress, such as "read style images".
        total: number of items.
    """

    def __init__(self, what: str, total: int):
        self._what = what
        self._total = total
        self._last = time.monotonic()

    def __call__(self, number: int) -> None:
        """Logs a line if ten seconds have passed since the last.

        Args:
            number: number of items done.
        """
        now = time.monotonic()
        if now - self._last >= SECONDS_BETWEEN_LINES:
            self._last = now
            logging.info("%s: %d of %d", self._what, number, self._total)


def describe_time(seconds: float) -> str:
    """Formats a duration, such as `25 min`."""
    for unit, length in (("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"
