"""The name and star that a user gave a run, stored in its workdir."""

import contextlib
import dataclasses
import json
import os

from tfstyle.errors import raising_write_errors
from tfstyle.experiment.workdir_files import NOTES
from tfstyle.system import atomic_file

LONGEST = 80
"""Maximum length of a title, characters."""


@dataclasses.dataclass(frozen=True)
class Notes:
    """What a user noted about a run.

    Attributes:
        title: name of the picture; empty: that of its content and styles.
        is_starred: True if it has a star.
    """

    title: str = ""
    is_starred: bool = False


def read(workdir: str) -> Notes:
    """Reads the notes of a run; empty ones if there are none."""
    with (
        contextlib.suppress(OSError, ValueError, AttributeError),
        open(os.path.join(workdir, NOTES), encoding="utf-8") as file,
    ):
        found = json.loads(file.read(10_000))
        title = str(found.get("title", ""))[:LONGEST]
        return Notes(title, found.get("is_starred") is True)
    return Notes()


def write(workdir: str, notes: Notes) -> None:
    """Writes the notes of a run.

    Raises:
        WriteError: if they cannot be written.
    """
    path = os.path.join(workdir, NOTES)
    with raising_write_errors(path):
        atomic_file.write_text(path, json.dumps(dataclasses.asdict(notes)))
