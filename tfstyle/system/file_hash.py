"""Hashes of files, read in blocks."""

import hashlib

_BLOCK = 1 << 20
"""Block size, bytes."""


def hash_file(path: str) -> str:
    """Returns the SHA-256 of a file's bytes, 64 hexadecimal digits.

    Raises:
        OSError: if the file cannot be read.
    """
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while data := file.read(_BLOCK):
            digest.update(data)
    return digest.hexdigest()
