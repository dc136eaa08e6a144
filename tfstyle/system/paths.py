"""Paths as people and file managers write them."""

import os
import re
import urllib.parse


def is_address(path: str) -> bool:
    """Returns whether a path is an address, such as `s3://bucket/a.jpg`."""
    return re.match(r"[A-Za-z][\w+.-]*://", path) is not None


def is_same_file(first: str, second: str) -> bool:
    """Returns whether two paths name one file, which exists."""
    exist = os.path.exists(first) and os.path.exists(second)
    return exist and os.path.samefile(first, second)


def expand_path(path: str) -> str:
    """Returns a path with its home folder in place of `~`.

    An address of this machine, such as `file:///home/me/a%20b.jpg`, which file
    managers give, becomes its path.
    """
    if re.match("file://(localhost)?/", path, re.IGNORECASE):
        address = urllib.parse.urlsplit(path)
        return urllib.parse.unquote(address.path)
    return os.path.expanduser(path)
