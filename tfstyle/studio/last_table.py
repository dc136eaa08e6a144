"""The file with the pictures of the last table, which outlives its page."""

import contextlib
import json
import os

from tfstyle.errors import WriteError
from tfstyle.errors import raising_write_errors
from tfstyle.system import atomic_file

NAME = "table.json"
"""File name in the folder of runs."""


def read(root: str) -> list[list[str]]:
    """Reads the pictures of the last table.

    Args:
        root: the folder of runs.

    Returns:
        One row per picture: path of the content, path of the style, and name
        of the run.
    """
    with (
        contextlib.suppress(OSError, TypeError, ValueError),
        open(os.path.join(root, NAME), encoding="utf-8") as file,
    ):
        rows = json.load(file)
        return [
            [str(content), str(style), str(name)]
            for content, style, name in rows
        ]
    return []


def check(root: str) -> None:
    """Checks that writing the table would not replace another kind of file.

    Raises:
        WriteError: if it would.
    """
    path = os.path.join(root, NAME)
    if os.path.exists(path) and not read(root):
        raise WriteError(
            f"{path!r} is not a table of the studio. Move it to another folder."
        )


def write(root: str, rows: list[list[str]]) -> None:
    """Writes the pictures of a table; see `read` for the rows.

    Raises:
        WriteError: if the file cannot be written.
    """
    path = os.path.join(root, NAME)
    with raising_write_errors(path):
        atomic_file.write_text(path, json.dumps(rows))
