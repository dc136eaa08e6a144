"""The record of a run's losses."""

import json

from tfstyle.periodic_actions import Record


class JsonLinesWriter:
    """Appends one JSON object a record to a file, whole lines only.

    Args:
        path: emptied first if it exists.
    """

    def __init__(self, path: str):
        self._file = open(path, "wb", buffering=0)  # noqa: SIM115

    def __call__(self, record: Record) -> None:
        """Writes the record's line in one call of the system."""
        line = {
            "step": record.step,
            "evaluations": record.evaluations,
            "level": record.level,
            "height": record.height,
            "width": record.width,
            "seconds": round(record.seconds, 3),
            **record.losses,
        }
        self._file.write((json.dumps(line) + "\n").encode())

    def close(self) -> None:
        """Closes the file."""
        self._file.close()
