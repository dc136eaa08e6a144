"""Paths as written by people and file managers, and the cache's."""

import os
import re
import urllib.parse

import platformdirs

from tfstyle.errors import SetupError


def is_address(path: str) -> bool:
    """True if a path is a URL, such as `s3://bucket/a.jpg`."""
    return re.match(r"[A-Za-z][\w+.-]*://", path) is not None


def is_same_file(first: str, second: str) -> bool:
    """True if two paths name the same existing file."""
    exist = os.path.exists(first) and os.path.exists(second)
    return exist and os.path.samefile(first, second)


def expand_path(path: str) -> str:
    """Expands `~` in a path, and converts a local `file:` URL to a path.

    File managers give such URLs, e.g. `file:///home/me/a%20b.jpg`.
    """
    if re.match("file://(localhost)?/", path, re.IGNORECASE):
        address = urllib.parse.urlsplit(path)
        return urllib.parse.unquote(address.path)
    return os.path.expanduser(path)


def cache_folder() -> str:
    """Returns the cache folder, which may not exist yet.

    It is the folder named by `TFSTYLE_CACHE`, by default the system's cache
    folder of the user.

    Raises:
        SetupError: if TFSTYLE_CACHE is unset and the user has no home folder.
    """
    named = os.environ.get("TFSTYLE_CACHE")
    if named:
        return expand_path(named)
    folder = platformdirs.user_cache_dir("tfstyle")
    if not os.path.isabs(folder):
        raise SetupError(
            "There is no home folder for the cache. Set the environment"
            " variable TFSTYLE_CACHE to a folder."
        )
    return folder
