"""Paths of pictures: expansion of folders and glob patterns to files."""

import glob
import os
import re
from collections.abc import Sequence

from absl import logging

from tfstyle.errors import ImageError
from tfstyle.system import remote_files
from tfstyle.system.paths import is_address

READ_ENDINGS = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".apng", ".webp"),
    *(".tif", ".tiff", ".bmp", ".dib", ".gif", ".avif"),
    *(".heic", ".heif", ".hif", ".jp2", ".j2k", ".j2c", ".jpf", ".jpx", ".jxl"),
    *(".ppm", ".pgm", ".pbm", ".pnm"),
)
"""File extensions that count as pictures in a folder."""


def expand_names(names: Sequence[str]) -> list[str]:
    """Expands folders and glob patterns to the picture files that they match.

    Files are sorted naturally: `2.jpg` comes before `10.jpg`. A name such as
    `styles/*.jpg` is a pattern only if no file has exactly that name; `**`
    matches nested folders.

    Args:
        names: paths or addresses of files or folders, or glob patterns.

    Raises:
        ImageError: if a folder has no pictures, or a pattern matches no file.
        RemoteFileError: if a store cannot be read.
    """
    expanded = []
    for name in names:
        if is_address(name):
            expanded += _expand_address(name)
            continue
        is_pattern = glob.has_magic(name) and not os.path.lexists(name)
        if not is_pattern and not os.path.isdir(name):
            expanded.append(name)
            continue
        pattern = name if is_pattern else os.path.join(glob.escape(name), "*")
        found = glob.glob(pattern, recursive=True)
        found = [path for path in found if os.path.isfile(path)]
        endings = "" if is_pattern else READ_ENDINGS
        files = [path for path in found if path.lower().endswith(endings)]
        if not files:
            raise ImageError(
                f"No picture is in {name!r}. To search a folder's own folders,"
                " use a pattern: 'folder/**/*.jpg'."
            )
        num_others = len(found) - len(files)
        text = "%d pictures of %r; other files left out: %d"
        logging.info(text, len(files), name, num_others)
        expanded += sorted(files, key=_sort_key)
    return expanded


def _expand_address(address: str) -> list[str]:
    files = remote_files.expand(address, READ_ENDINGS)
    if files is None:
        return [address]
    if not files:
        raise ImageError(f"No picture is in {address!r}.")
    return sorted(files, key=_sort_key)


def _sort_key(path: str) -> tuple:
    """Returns a key for natural sorting, with zero-padded numbers."""
    parts = re.split(r"([0-9]+)", path.casefold())
    return ([(p.zfill(20) if p.isdigit() else p) for p in parts], path)
