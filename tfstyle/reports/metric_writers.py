"""The record of a run's losses and pictures."""

import contextlib
import errno
import importlib.util
import json
import os
import re
from collections.abc import Iterator

import numpy as np
from PIL import Image
from PIL import PngImagePlugin

from tfstyle.errors import ImageError
from tfstyle.errors import WriteError
from tfstyle.errors import one_line
from tfstyle.errors import raising_write_errors
from tfstyle.image_files.reading import read_text
from tfstyle.image_files.writing import write_image
from tfstyle.images.resize import resize
from tfstyle.images.transparency import lay_on_white
from tfstyle.system import atomic_file
from tfstyle.training.callbacks import Record

PREVIEW = "preview.jpg"
"""Of a workdir: the picture as it is."""


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
    """Writes records' pictures, `000001.png` and on, as video tools read them.

    All have the size of the output. Their text says which step they are of.
    Two pictures of one step, at the end of a level and at the start of the
    next, are one: the second.

    Args:
        folder: made if it is not there.
        size: height and width of the output, pixels.
        alpha: of the output, uint8 `[H, W]` of any size, or None.
        first_step: of a run that goes on. Pictures of earlier steps are kept,
            later ones removed: they are written again, or are not of this run.

    Attributes:
        paths: of the run's pictures, by step.
    """

    def __init__(
        self,
        folder: str,
        size: tuple[int, int],
        alpha: np.ndarray | None = None,
        first_step: int = 0,
    ):
        self._folder = folder
        self._size = size
        self._alpha = None if alpha is None else resize(alpha, *size)
        self._last_number = 0
        self.paths: dict[int, str] = {}
        with raising_write_errors(f"The folder {folder!r}"):
            os.makedirs(folder, exist_ok=True)
            for number, path in numbered_pictures(folder):
                step = read_step(path)
                if step is None:
                    continue
                if step < first_step:
                    self.paths[step] = path
                    self._last_number = number
                else:
                    os.unlink(path)

    def __call__(self, record: Record) -> None:
        """Writes the record's picture, atomically."""
        if record.step not in self.paths:
            self._last_number += 1
            name = f"{self._last_number:06}.png"
            self.paths[record.step] = os.path.join(self._folder, name)
        write_image(
            self.paths[record.step],
            record.pixels(self._size),
            self._alpha,
            _name_step(record.step),
        )


class PreviewWriter:
    """Writes the picture as it is over that of before, for who watches.

    Args:
        folder: of `preview.jpg`.
        alpha: of the output, uint8 `[H, W]` of any size, or None.
    """

    def __init__(self, folder: str, alpha: np.ndarray | None = None):
        self._path = os.path.join(folder, PREVIEW)
        self._alpha = alpha

    def __call__(self, record: Record) -> None:
        """Writes the record's picture, atomically, in the level's size."""
        pixels = record.pixels()
        alpha = self._alpha
        if alpha is not None:
            alpha = resize(alpha, *pixels.shape[:2])
        write_image(
            self._path,
            lay_on_white(pixels, alpha),
            text=_name_step(record.step),
        )


def read_picture(path: str) -> Image.Image:
    """Reads a picture that an ImageWriter wrote, of any size.

    Raises:
        ImageError: if it cannot be read.
    """
    try:
        # Image.open would refuse the largest.
        with PngImagePlugin.PngImageFile(path) as image:
            image.load()
            return image
    except (OSError, SyntaxError, ValueError) as error:
        raise ImageError(
            f"Image {path!r} cannot be read ({one_line(str(error))})."
        ) from error


def numbered_pictures(folder: str) -> list[tuple[int, str]]:
    """Returns number and path of the pictures in a folder, in order."""
    numbers = ((number_of(name), name) for name in os.listdir(folder))
    return sorted(
        (number, os.path.join(folder, name))
        for number, name in numbers
        if number is not None
    )


def number_of(name: str) -> int | None:
    """Returns the number in the name of a picture on the way, if it is one."""
    match = re.fullmatch(r"(\d{6,})\.png", name, re.ASCII)
    return int(match[1]) if match else None


def _name_step(step: int) -> str:
    """Returns the text of a picture on the way."""
    return f"step: {step}"


def read_step(path: str) -> int | None:
    """Returns the step that a picture is of, or None if no run wrote it."""
    try:
        text = read_text(path) or ""
    except ImageError:
        return None
    match = re.fullmatch(r"step: (\d{1,15})", text, re.ASCII)
    return int(match[1]) if match else None


class EventWriter:
    """Writes losses, and pictures if asked, as events for TensorBoard.

    All it does raises a `WriteError` if the disk does not take them.

    Args:
        folder: of the events; made if it is not there.
        first_step: of a run that goes on. TensorBoard is told that later steps
            in the folder are those of a process that came to nothing.
    """

    def __init__(self, folder: str, first_step: int = 0):
        import tensorflow as tf

        self._errors = tf.errors.OpError
        self._summary = tf.summary
        with raising_write_errors(f"The folder {folder!r}"):
            # TensorFlow would make it so that no group may write there.
            os.makedirs(folder, exist_ok=True)
            if first_step:
                _write_restart(folder, first_step)
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


def _write_restart(folder: str, step: int) -> None:
    """Writes that events from a step on, so far, do not count.

    Twice, as TensorBoard takes the first such event that it reads for the start
    of the whole run. TensorFlow writes none.
    """
    from tensorboard.compat.proto import event_pb2
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    restart = event_pb2.SessionLog(status=event_pb2.SessionLog.START)
    writer = EventFileWriter(folder)
    for _ in range(2):
        writer.add_event(event_pb2.Event(step=step, session_log=restart))
    writer.close()


def can_write_events() -> bool:
    """Returns whether TensorBoard, which writes them, is installed."""
    return importlib.util.find_spec("tensorboard") is not None
