"""The record of a run's losses and pictures."""

import importlib.util
import json
import os

from tfstyle import image_io
from tfstyle.periodic_actions import Record


class JsonLinesWriter:
    """Appends one JSON object a record to a file, whole lines only.

    Args:
        path: emptied first if it exists.

    Attributes:
        lines: what was written, as dicts.
    """

    def __init__(self, path: str):
        self._file = open(path, "wb", buffering=0)  # noqa: SIM115
        self.lines: list[dict] = []

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
        self.lines.append(line)

    def close(self) -> None:
        """Closes the file."""
        self._file.close()


class ImageWriter:
    """Writes each record's picture into a folder, `step_000100.png`.

    Args:
        folder: made if it is not there.

    Attributes:
        paths: of the pictures written, by step.
    """

    def __init__(self, folder: str):
        os.makedirs(folder, exist_ok=True)
        self._folder = folder
        self.paths: dict[int, str] = {}

    def __call__(self, record: Record) -> None:
        """Writes the record's picture, whole or not at all."""
        name = f"step_{record.step:06}.png"
        path = os.path.join(self._folder, name)
        image_io.write_image(path, record.pixels())
        self.paths[record.step] = path


class EventWriter:
    """Writes losses, and pictures if asked, as events for TensorBoard.

    Args:
        folder: of the events.
    """

    def __init__(self, folder: str):
        import tensorflow as tf

        self._summary = tf.summary
        self._writer = tf.summary.create_file_writer(folder)

    def __call__(self, record: Record) -> None:
        """Writes the record's losses."""
        with self._writer.as_default(step=record.step):
            for name, value in record.losses.items():
                self._summary.scalar(name, value)
            self._writer.flush()

    def write_image(self, record: Record) -> None:
        """Writes the record's picture."""
        with self._writer.as_default(step=record.step):
            self._summary.image("image", record.pixels()[None])
            self._writer.flush()

    def close(self) -> None:
        """Closes the file of events."""
        self._writer.close()


def can_write_events() -> bool:
    """Returns whether TensorBoard, which writes them, is installed."""
    return importlib.util.find_spec("tensorboard") is not None
