"""Sidecar files: the record of a picture's options, in a file beside it.

Used if the picture's own file holds no text. A record contains the hash of its
picture and is ignored beside any other.
"""

import os
import re

from tfstyle.image_files.reading import read_text as read_inner_text
from tfstyle.system import atomic_file
from tfstyle.system import remote_files
from tfstyle.system.file_hash import hash_file

ENDING = ".cfg"
MAX_RECORD = 10**7
"""Maximum size of a record, bytes; a larger file is not a record."""
_PICTURE = re.compile(r"(?m)^# picture: sha256=([0-9a-f]{64})\n\Z")


def read_text(path: str) -> str | None:
    """Returns the text of a picture, from its file or else its sidecar.

    Raises:
        ImageError: if the picture cannot be read.
    """
    text = read_inner_text(path)
    if text is not None:
        return text
    record = _read(path)
    return record if record and _is_of(record, path) else None


def is_place_taken(path: str) -> bool:
    """True if the record's path is taken by a file that is not a record."""
    return os.path.lexists(path + ENDING) and _read(path) is None


def write_record(path: str, text: str, data_path: str) -> None:
    """Writes the record of a picture, atomically.

    Args:
        path: path of the picture; the record's path is this plus `.cfg`.
        text: flags and facts of the picture, as a flagfile.
        data_path: path of the finished data that will become the picture.

    Raises:
        OSError: if it cannot be written, or would replace another file.
    """
    if is_place_taken(path):
        raise FileExistsError(
            f"{path + ENDING!r} is not a record; move it away"
        )
    end = "" if text.endswith("\n") else "\n"
    line = f"# picture: sha256={hash_file(data_path)}\n"
    atomic_file.write_text(path + ENDING, text + end + line)


def find_record(path: str) -> str | None:
    """Returns the path of an existing picture's record, or None."""
    record = _read(path) if os.path.isfile(path) else None
    return path + ENDING if record and _is_of(record, path) else None


def _is_of(record: str, path: str) -> bool:
    return _PICTURE.search(record)[1] == hash_file(path)


def _read(path: str) -> str | None:
    """Returns the record of a picture, or None if there is none."""
    try:
        local = remote_files.fetch(path + ENDING, MAX_RECORD)
        if not os.path.isfile(local):
            return None
        with open(local, "rb") as file:
            data = file.read(MAX_RECORD + 1)
        text = data.decode()
    except (OSError, ValueError):
        return None
    is_record = len(data) <= MAX_RECORD and _PICTURE.search(text)
    return text if is_record else None
