"""The record of a run's losses and pictures."""

import contextlib
import errno
import importlib.util
import json
import os
import re
from collections.abc import Iterator

from tfstyle.errors import WriteError
from tfstyle.errors import raising_write_errors
from tfstyle.images.saving import write_image
from tfstyle.system import atomic_file
from tfstyle.training.callbacks import Record


class JsonLinesWriter:
    """Appends one JSON object per record to a file, in complete lines only.

    Args:
        path: of the file.
        evaluations: of the record that comes next in a run that goes on;
            earlier lines that are there stay, and no others.

    Attributes:
        lines: the records in the file, as dicts.
    """

    def __init__(self, path: str, evaluations: int = 0):
        self.lines = _read_lines(path, evaluations) if evaluations else []
        text = "".join(json.dumps(line) + "\n" for line in self.lines)
        atomic_file.write_text(path, text)
        self._path = path
        with raising_write_errors(path):
            self._file = open(path, "ab", buffering=0)  # noqa: SIM115

    def __call__(self, record: Record) -> None:
        """Writes the record's line in one call of the system.

        Raises:
            WriteError: if it cannot be written; then no part of it is.
        """
        line = {
            "step": record.step,
            "evaluations": record.evaluations,
            "level": record.level,
            "height": record.height,
            "width": record.width,
            "seconds": round(record.seconds, 3),
            **record.losses,
        }
        data = (json.dumps(line) + "\n").encode()
        end = self._file.tell()
        try:
            if not os.fstat(self._file.fileno()).st_nlink:
                raise OSError(errno.ENOENT, os.strerror(errno.ENOENT))
            if self._file.write(data) < len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            self._file.truncate(end)
            raise WriteError(error.errno, error.strerror, self._path) from None
        self.lines.append(line)

    def close(self) -> None:
        """Closes the file."""
        self._file.close()


def _read_lines(path: str, evaluations: int) -> list[dict]:
    """Returns a file's complete lines of records before one, in order."""
    lines = []
    if not os.path.exists(path):
        return lines
    with open(path, "rb") as file:
        for data in file:
            try:
                line = json.loads(data)
                is_before = line["evaluations"] < evaluations
            except (ValueError, TypeError, KeyError, RecursionError):
                break  # a machine that lost its power left this
            if not is_before:
                break
            lines.append(line)
    return lines


class ImageWriter:
    """Writes each record's picture into a folder, `step_000100.png`.

    Args:
        folder: made if it is not there.
        first_step: of a run that goes on; earlier pictures that are there
            belong to it.

    Attributes:
        paths: of the run's pictures, by step.
    """

    def __init__(self, folder: str, first_step: int = 0):
        with raising_write_errors(f"The folder {folder!r}"):
            os.makedirs(folder, exist_ok=True)
        self._folder = folder
        self.paths: dict[int, str] = {}
        for name in os.listdir(folder):
            match = re.fullmatch(r"step_(\d{6,})\.png", name, re.ASCII)
            if match and int(match[1]) < first_step:
                self.paths[int(match[1])] = os.path.join(folder, name)

    def __call__(self, record: Record) -> None:
        """Writes the record's picture, atomically."""
        name = f"step_{record.step:06}.png"
        path = os.path.join(self._folder, name)
        write_image(path, record.pixels())
        self.paths[record.step] = path


class EventWriter:
    """Writes losses, and pictures if asked, as events for TensorBoard.

    All it does raises a `WriteError` if the disk does not take them.

    Args:
        folder: of the events.
    """

    def __init__(self, folder: str):
        import tensorflow as tf

        self._errors = tf.errors.OpError
        self._summary = tf.summary
        with self._converting_errors():
            self._writer = tf.summary.create_file_writer(folder)

    def __call__(self, record: Record) -> None:
        """Writes the record's losses."""
        with self._writing(record):
            for name, value in record.losses.items():
                self._summary.scalar(name, value)

    def write_image(self, record: Record) -> None:
        """Writes the record's picture."""
        with self._writing(record):
            self._summary.image("image", record.pixels()[None])

    def close(self) -> None:
        """Closes the file of events."""
        with self._converting_errors():
            self._writer.close()

    @contextlib.contextmanager
    def _writing(self, record: Record) -> Iterator[None]:
        with (
            self._converting_errors(),
            self._writer.as_default(step=record.step),
        ):
            yield
            self._writer.flush()

    @contextlib.contextmanager
    def _converting_errors(self) -> Iterator[None]:
        """Raises a WriteError in place of an error of TensorFlow."""
        try:
            yield
        except self._errors as error:
            line = error.message.splitlines()[0]
            reason = re.sub(r"\{\{.*?\}\} ", "", line)
            raise WriteError(f"Events cannot be written: {reason}") from error


def can_write_events() -> bool:
    """Returns whether TensorBoard, which writes them, is installed."""
    return importlib.util.find_spec("tensorboard") is not None
