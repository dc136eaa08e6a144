"""The forms of open pages, stored so that a reload brings them back."""

import contextlib
import dataclasses
import json
import os
import re
import threading

from tfstyle.errors import WriteError
from tfstyle.errors import raising_write_errors
from tfstyle.system import atomic_file

FOLDER = "drafts"
"""Subfolder of the folder of runs with one file per page."""
MOST = 30
"""Number of drafts to keep."""
_LOCK = threading.Lock()


@dataclasses.dataclass(frozen=True)
class Draft:
    """The form of a page.

    Attributes:
        arguments: command line of the form; pictures may be missing.
        of: name of the run that the form belongs to, or None.
        shown: name of the displayed run, or None.
    """

    arguments: list[str] = dataclasses.field(default_factory=list)
    of: str | None = None
    shown: str | None = None


def note(root: str, page: str, **changes) -> None:
    """Changes a draft as `update` does; the page goes on without it."""
    with contextlib.suppress(WriteError):
        update(root, page, **changes)


def update(root: str, page: str, **changes) -> None:
    """Changes attributes of a page's draft; removes the oldest drafts.

    Args:
        root: the folder of runs.
        page: random name of the page, from its browser; other texts are
            ignored.
        changes: new values of attributes of `Draft`.

    Raises:
        WriteError: if it cannot be written.
    """
    if not _is_name(page):
        return
    folder = os.path.join(root, FOLDER)
    path = os.path.join(folder, f"{page}.json")
    with _LOCK, raising_write_errors(path):
        draft = read(root, page) or Draft()
        draft = dataclasses.replace(draft, **changes)
        os.makedirs(folder, exist_ok=True)
        atomic_file.write_text(path, json.dumps(dataclasses.asdict(draft)))
        for old in _list(folder)[MOST:]:
            with contextlib.suppress(OSError):
                os.unlink(old)


def read(root: str, page: str) -> Draft | None:
    """Reads the draft of a page, or None if there is none.

    Args:
        root: the folder of runs.
        page: name of the page.
    """
    path = os.path.join(root, FOLDER, f"{page}.json")
    if _is_name(page):
        with (
            contextlib.suppress(OSError, ValueError, TypeError),
            open(path, encoding="utf-8") as file,
        ):
            return Draft(**json.load(file))
    return None


def _is_name(page: str) -> bool:
    return bool(re.fullmatch(r"[0-9a-z]{8,32}", page or ""))


def _list(folder: str) -> list[str]:
    """Returns the paths of all drafts, newest first."""
    with contextlib.suppress(OSError):
        found = [e for e in os.scandir(folder) if e.name.endswith(".json")]
        found.sort(key=lambda entry: entry.stat().st_mtime, reverse=True)
        return [entry.path for entry in found]
    return []
