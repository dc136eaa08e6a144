"""The files of a workdir: their names, and recognising files of a run.

A run replaces, moves and removes only files that runs wrote. These are
recognised by their contents, so that a workdir can be copied or moved. Empty
files may always be replaced.
"""

import contextlib
import os
import re
from collections.abc import Callable
from collections.abc import Iterator
from functools import partial

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
"""Folder of a workdir for the intermediate pictures."""
CHECKPOINTS = "checkpoints"
FRAMES = "frames"
"""Folder of a workdir for the painted frames of a film."""
OVERLAPS = "overlaps"
"""Folder of a workdir for frames that a second chunk of a film painted."""
EVENTS = "events"
FLAGS = flagfile.NAME
CLAIMS = "claims"
"""Folder of a workdir with the lock files of a film's shots."""
METRICS = "metrics.jsonl"
FRAME_METRICS = "frames.jsonl"
"""Losses of a film, one line per frame."""
REPORT = "report.html"
OUTPUT = flagfile.OUTPUT
ASKED = "asked.cfg"
"""File written by the studio: the requested flags."""
JOB = "job.json"
"""File written by the studio; removed when the run ends."""
NOTES = "studio.json"
"""File written by the studio: the user's name and star."""
OF_SYSTEMS = (".DS_Store", "Thumbs.db", "desktop.ini")
"""Files that file managers leave in folders."""
MAX_BEGINNING = 1000
"""Number of bytes that are compared at the beginning of a file."""


def find_foreign(folder: str) -> str | None:
    """Finds a file that a run would replace but that no run wrote.

    Args:
        folder: a workdir; need not exist.

    Returns:
        The path of the first such file, or None.
    """
    for name, is_own in _RECOGNISED.items():
        path = os.path.join(folder, name)
        if not os.path.lexists(path) or _is_empty(path):
            continue
        if os.path.islink(path) or not is_own(path):
            return path
    for name in (IMAGES, FRAMES, OVERLAPS):
        pictures, is_own = os.path.join(folder, name), FOLDERS[name]
        if os.path.isdir(pictures):
            for _, path in metric_writers.numbered_pictures(pictures):
                if not is_own(path):
                    return path
    return None


def is_replaced(folder: str, path: str) -> bool:
    """True if a run in this workdir would replace a given file."""
    name = os.path.relpath(os.path.realpath(path), os.path.realpath(folder))
    parent, name = os.path.split(name)
    if parent in (IMAGES, FRAMES, OVERLAPS):
        return metric_writers.number_of(name) is not None
    return name in _RECOGNISED if not parent else parent == CHECKPOINTS


def find_anything_foreign(folder: str) -> str | None:
    """Finds a file or folder in a workdir that no run wrote.

    Args:
        folder: an existing workdir.

    Returns:
        The path of the first such file or folder, or None.
    """
    foreign = find_foreign(folder)
    if foreign is not None:
        return foreign
    for path in _list(folder):
        name = os.path.basename(path)
        if name in FOLDERS and os.path.isdir(path):
            for inner in _list(path):
                if not FOLDERS[name](inner):
                    return inner
        elif name not in (ASKED, JOB, NOTES, *_RECOGNISED) and not (
            is_output(path) or film.was_written_by(folder, path)
        ):
            return path
    return None


def is_output(path: str) -> bool:
    """True if a file is the output of a run, or the sidecar of one."""
    if not os.path.isfile(path):
        return False
    if path.endswith(sidecar.ENDING):
        return not sidecar.is_place_taken(path.removesuffix(sidecar.ENDING))
    try:
        text = sidecar.read_text(path)
    except ImageError:
        return False
    return bool(text) and text.startswith(flagfile.FIRST_LINE)


def is_record(name: str) -> bool:
    """True if a file of this name in a workdir describes its run."""
    return name in _RECOGNISED and name not in (LOCK, metric_writers.PREVIEW)


def remove_own(folder: str) -> None:
    """Removes a folder of a workdir, but keeps files that no run wrote.

    Args:
        folder: the folder of intermediate pictures or of checkpoints.
    """
    is_own = FOLDERS[os.path.basename(folder)]
    with contextlib.suppress(OSError):  # the folder may not exist
        for path in _list(folder):
            if is_own(path):
                os.unlink(path)
        os.rmdir(folder)


def _list(folder: str) -> Iterator[str]:
    """Yields the paths in a folder, without system and temporary files."""
    for name in sorted(os.listdir(folder)):
        if name not in OF_SYSTEMS and not atomic_file.is_partial(name):
            yield os.path.join(folder, name)


def _is_empty(path: str) -> bool:
    return os.path.isfile(path) and not os.path.getsize(path)


def _begins(pattern: str, path: str) -> bool:
    """True if a file begins with a regular expression."""
    if not os.path.isfile(path):
        return False
    with open(path, "rb") as file:
        return bool(re.match(pattern.encode(), file.read(MAX_BEGINNING)))


def _tells_step(path: str) -> bool:
    return metric_writers.read_step(path) is not None


def _is_picture_on_the_way(path: str) -> bool:
    name = os.path.splitext(os.path.basename(path))[0]
    return name.isdecimal() and _tells_step(path)


def _is_events(path: str) -> bool:
    return os.path.basename(path).startswith("events.out.tfevents.")


_RECOGNISED: dict[str, Callable[[str], bool]] = {
    LOCK: lambda path: False,
    FLAGS: partial(_begins, re.escape(flagfile.FIRST_LINE)),
    METRICS: partial(_begins, r'\{"step": \d+, "evaluations": \d+, '),
    FRAME_METRICS: partial(_begins, r'\{"frame": \d+, '),
    REPORT: partial(_begins, re.escape(report.BEGINNING)),
    film.RECORD: partial(_begins, r"[0-9a-f]{64}\n"),
    metric_writers.PREVIEW: _tells_step,
}
"""Predicates that recognise the files that runs replace, by name."""
FOLDERS = {
    IMAGES: _is_picture_on_the_way,
    FRAMES: is_output,
    OVERLAPS: is_output,
    CLAIMS: _is_empty,
    CHECKPOINTS: checkpoint.is_named,
    EVENTS: _is_events,
}
"""Predicates that recognise the files of runs in subfolders, by folder."""
