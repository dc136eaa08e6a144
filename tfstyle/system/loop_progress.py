"""Lines that say how far a long loop is."""

import time

from absl import logging

SECONDS_BETWEEN_LINES = 10


class LoopProgress:
    """Logs every ten seconds how far a loop is.

    Args:
        what: is done, such as "read style images".
        total: how many.
    """

    def __init__(self, what: str, total: int):
        self._what = what
        self._total = total
        self._last = time.monotonic()

    def __call__(self, number: int) -> None:
        """Logs a line if it is time to.

        Args:
            number: of those that are done.
        """
        now = time.monotonic()
        if now - self._last >= SECONDS_BETWEEN_LINES:
            self._last = now
            logging.info("%s: %d of %d", self._what, number, self._total)
