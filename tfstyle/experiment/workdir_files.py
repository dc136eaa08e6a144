"""The files of a workdir: their names, and which are a run's own.

A run replaces, moves and removes what runs made, and nothing else. What they
made is known by what stands in it, so that a workdir may be copied or moved. An
empty file is anybody's: nothing of it can be lost.
"""

import contextlib
import json
import os
import re
import zipfile
from collections.abc import Callable
from collections.abc import Iterator

from tfstyle.errors import ImageError
from tfstyle.experiment import checkpoint
from tfstyle.flags import flagfile
from tfstyle.image_files import sidecar
from tfstyle.reports import film
from tfstyle.reports import metric_writers
from tfstyle.reports import report
from tfstyle.system import atomic_file

LOCK = ".lock"
IMAGES = "images"
"""Folder of a workdir: the pictures on the way."""
CHECKPOINTS = "checkpoints"
EVENTS = "events"
FLAGS = flagfile.NAME
METRICS = "metrics.jsonl"
REPORT = "report.html"
OUTPUT = flagfile.OUTPUT
ASKED = "asked.cfg"
"""Of the studio: the flags that were asked for."""
JOB = "job.json"
"""Of the studio: the arguments, until the run has ended."""
OF_SYSTEMS = (".DS_Store", "Thumbs.db", "desktop.ini")
"""Left in folders by those who show them."""


def find_foreign(folder: str) -> str | None:
    """Returns the path of a file that a run would replace and none made.

    Args:
        folder: a workdir; need not exist.
    """
    for name, is_own in _RECOGNISED.items():
        path = os.path.join(folder, name)
        if not os.path.lexists(path) or _is_empty(path):
            continue
        is_linked = os.path.islink(path) and not os.path.isdir(path)
        if is_linked or not is_own(path):
            return path
    images = os.path.join(folder, IMAGES)
    if os.path.isdir(images):
        for _, path in metric_writers.numbered_pictures(images):
            if metric_writers.read_step(path) is None:
                return path
    return None


def is_replaced(folder: str, path: str) -> bool:
    """Returns whether a run with this workdir would replace some file."""
    name = os.path.relpath(os.path.realpath(path), os.path.realpath(folder))
    parent, name = os.path.split(name)
    if parent == IMAGES:
        return metric_writers.number_of(name) is not None
    return name in _RECOGNISED if not parent else parent == CHECKPOINTS


def find_anything_foreign(folder: str) -> str | None:
    """Returns the path of something in a workdir that no run made.

    Args:
        folder: one that exists.
    """
    foreign = find_foreign(folder)
    if foreign is not None:
        return foreign
    for path in _list(folder):
        name = os.path.basename(path)
        if name in _FOLDERS and os.path.isdir(path):
            for inner in _list(path):
                if not _FOLDERS[name](inner):
                    return inner
        elif name not in (ASKED, JOB, *_RECOGNISED) and not (
            is_output(path) or film.was_written_by(folder, path)
        ):
            return path
    return None


def is_output(path: str) -> bool:
    """Returns whether a file is a run's picture, or the record of one."""
    if not os.path.isfile(path):
        return False
    if path.endswith(sidecar.ENDING):
        return not sidecar.is_place_taken(path.removesuffix(sidecar.ENDING))
    try:
        text = sidecar.read_text(path)
    except ImageError:
        return False
    return bool(text) and text.startswith(flagfile.FIRST_LINE)


def remove_own(folder: str) -> None:
    """Removes a folder of a workdir, but for what no run made.

    Args:
        folder: that of the pictures on the way, or of checkpoints.
    """
    is_own = _FOLDERS[os.path.basename(folder)]
    with contextlib.suppress(OSError):  # it may not be there
        for path in _list(folder):
            if is_own(path):
                os.unlink(path)
        os.rmdir(folder)


def _list(folder: str) -> Iterator[str]:
    """Yields the paths in a folder, but for what programs leave anywhere."""
    for name in sorted(os.listdir(folder)):
        if name not in OF_SYSTEMS and not atomic_file.is_partial(name):
            yield os.path.join(folder, name)


def _is_empty(path: str) -> bool:
    return os.path.isfile(path) and not os.path.getsize(path)


def _begins_with(text: str) -> Callable[[str], bool]:
    """Returns what tells whether a file begins with a text."""
    expected = text.encode()

    def begins(path: str) -> bool:
        if not os.path.isfile(path):
            return False
        with open(path, "rb") as file:
            return file.read(len(expected)) == expected

    return begins


def _is_metrics(path: str) -> bool:
    if not os.path.isfile(path):
        return False
    with open(path, "rb") as file:
        try:
            line = json.loads(file.readline(10**6))
        except (ValueError, RecursionError):
            return False
    return isinstance(line, dict) and {"step", "evaluations"} <= line.keys()


def _is_film_record(path: str) -> bool:
    hashes = film.read_record(os.path.dirname(path))
    return all(re.fullmatch("[0-9a-f]{64}", line) for line in hashes)


def _is_picture_on_the_way(path: str) -> bool:
    name = os.path.splitext(os.path.basename(path))[0]
    return name.isdecimal() and metric_writers.read_step(path) is not None


def _is_checkpoint(path: str) -> bool:
    try:
        with zipfile.ZipFile(path) as file:
            return checkpoint.HEADER in file.namelist()
    except (OSError, ValueError, zipfile.BadZipFile):
        return checkpoint.is_named(path) and os.path.isfile(path)


def _is_events(path: str) -> bool:
    return os.path.basename(path).startswith("events.out.tfevents.")


_RECOGNISED: dict[str, Callable[[str], bool]] = {
    LOCK: lambda path: False,
    FLAGS: _begins_with(flagfile.FIRST_LINE),
    METRICS: _is_metrics,
    REPORT: _begins_with(report.BEGINNING),
    film.RECORD: _is_film_record,
    metric_writers.PREVIEW: lambda path: (
        metric_writers.read_step(path) is not None
    ),
}
"""Files of a workdir that runs replace."""
_FOLDERS = {
    IMAGES: _is_picture_on_the_way,
    CHECKPOINTS: _is_checkpoint,
    EVENTS: _is_events,
}
