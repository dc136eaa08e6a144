"""Hashes of files, read in blocks."""

import hashlib
from collections.abc import Sequence

from tfstyle.system import remote_files

_BLOCK = 1 << 20
"""Block size, bytes."""


def hash_file(path: str) -> str:
    """Returns the SHA-256 of a file's bytes, 64 hexadecimal digits.

    Raises:
        OSError: if the file cannot be read, or fetched.
    """
    digest = hashlib.sha256()
    with open(remote_files.fetch(path), "rb") as file:
        while data := file.read(_BLOCK):
            digest.update(data)
    return digest.hexdigest()


def describe_files(paths: Sequence[str]) -> str:
    """Returns the number of files and a hash of their contents, in order.

    Raises:
        OSError: if one cannot be read.
    """
    hashes = "".join(hash_file(path) for path in paths)
    digest = hashlib.sha256(hashes.encode()).hexdigest()
    return f"{len(paths)} sha256={digest}"
