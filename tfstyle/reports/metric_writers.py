"""Metric writers: losses as JSON lines and TensorBoard events, and pictures."""

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
"""File of a workdir with the latest picture."""


class JsonLinesWriter:
    """Appends one JSON object per record to a file, in complete lines only.

    Args:
        path: path of the file.
        evaluations: number of evaluations of the next record of a resumed run;
            earlier lines in the file are kept, later ones removed.

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
        """Writes the line of a record in one system call.

        Raises:
            WriteError: if the line cannot be written; the file is unchanged.
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
    """Returns a file's complete lines with fewer evaluations, in order."""
    lines = []
    # The file may be missing, and a line incomplete after a power failure.
    invalid = (ValueError, TypeError, KeyError, RecursionError)
    with (
        contextlib.suppress(FileNotFoundError, *invalid),
        open(path, "rb") as file,
    ):
        for line in map(json.loads, file):
            if line["evaluations"] >= evaluations:
                break
            lines.append(line)
    return lines


class ImageWriter:
    """Writes intermediate pictures, numbered `000001.png` on for video tools.

    All have the size of the output, and their step as metadata. The picture at
    the start of a level replaces that of the same step at the end of the level
    before.

    Args:
        folder: folder of the pictures; created if missing.
        size: height and width of the output, pixels.
        alpha: alpha channel of the output, uint8 `[H, W]` of any size, or None.
        first_step: step that a resumed run starts from. Existing pictures of
            earlier steps are kept, later ones removed.

    Attributes:
        paths: paths of the run's pictures, by step.
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
        """Writes the picture of a record atomically."""
        if record.step not in self.paths:
            self._last_number += 1
            name = f"{self._last_number:06}.png"
            self.paths[record.step] = os.path.join(self._folder, name)
        write_image(
            self.paths[record.step],
            record.pixels(self._size),
            self._alpha,
            f"step: {record.step}",
        )


def write_preview(
    folder: str, alpha: np.ndarray | None, record: Record
) -> None:
    """Writes the latest picture atomically, in the level's size.

    Args:
        folder: folder of `preview.jpg`.
        alpha: alpha channel of the output, uint8 `[H, W]` of any size, or None.
        record: record with the picture.
    """
    pixels = record.pixels()
    if alpha is not None:
        alpha = resize(alpha, *pixels.shape[:2])
    write_image(
        os.path.join(folder, PREVIEW),
        lay_on_white(pixels, alpha),
        text=f"step: {record.step}",
    )


def read_picture(path: str) -> Image.Image:
    """Reads a picture of any size that was written by an ImageWriter.

    Raises:
        ImageError: if it cannot be read.
    """
    try:
        # Image.open limits the number of pixels.
        with PngImagePlugin.PngImageFile(path) as image:
            image.load()
            return image
    except (OSError, SyntaxError, ValueError) as error:
        raise ImageError(
            f"Image {path!r} cannot be read ({one_line(str(error))})."
        ) from error


def numbered_pictures(folder: str) -> list[tuple[int, str]]:
    """Returns numbers and paths of a folder's numbered pictures, in order."""
    return sorted(
        (number, os.path.join(folder, name))
        for name in os.listdir(folder)
        if (number := number_of(name)) is not None
    )


def number_of(name: str) -> int | None:
    """Returns the number in an intermediate picture's file name, or None."""
    match = re.fullmatch(r"(\d{6,})\.png", name, re.ASCII)
    return int(match[1]) if match else None


def read_step(path: str) -> int | None:
    """Returns the step of an intermediate picture, or None for other files."""
    try:
        text = read_text(path) or ""
    except ImageError:
        return None
    match = re.fullmatch(r"step: (\d{1,15})", text, re.ASCII)
    return int(match[1]) if match else None


class EventWriter:
    """Writes losses, and optionally pictures, as TensorBoard events.

    Every method raises a `WriteError` if the events cannot be written.

    Args:
        folder: folder of the events; created if missing.
        first_step: step that a resumed run starts from. TensorBoard discards
            later steps in the folder.
    """

    def __init__(self, folder: str, first_step: int = 0):
        import tensorflow as tf

        self._errors = tf.errors.OpError
        self._summary = tf.summary
        with raising_write_errors(f"The folder {folder!r}"):
            # TensorFlow would create it without write access for the group.
            os.makedirs(folder, exist_ok=True)
            if first_step:
                _write_restart(folder, first_step)
        with self._converting_errors():
            self._writer = tf.summary.create_file_writer(folder)

    def __call__(self, record: Record) -> None:
        """Writes the losses of a record."""
        with self._writing(record):
            for name, value in record.losses.items():
                self._summary.scalar(name, value)

    def write_image(self, record: Record) -> None:
        """Writes the picture of a record."""
        with self._writing(record):
            self._summary.image("image", record.pixels()[None])

    def close(self) -> None:
        """Closes the event file."""
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
        """Converts TensorFlow's errors in the block to WriteError."""
        try:
            yield
        except self._errors as error:
            line = error.message.splitlines()[0]
            reason = re.sub(r"\{\{.*?\}\} ", "", line)
            raise WriteError(f"Events cannot be written: {reason}") from error


def _write_restart(folder: str, step: int) -> None:
    """Writes events that make TensorBoard discard existing steps from one on.

    They are written twice, as TensorBoard takes the first one for the start of
    the whole run. TensorFlow does not write any.
    """
    from tensorboard.compat.proto import event_pb2
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    restart = event_pb2.SessionLog(status=event_pb2.SessionLog.START)
    writer = EventFileWriter(folder)
    for _ in range(2):
        writer.add_event(event_pb2.Event(step=step, session_log=restart))
    writer.close()


def can_write_events() -> bool:
    """True if TensorBoard, which writes the events, is installed."""
    return importlib.util.find_spec("tensorboard") is not None
