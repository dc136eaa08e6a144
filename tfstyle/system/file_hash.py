"""Hashes of files, whose bytes need not fit into memory."""

import hashlib

_BLOCK = 1 << 20
"""Bytes that are read at once."""


def hash_file(path: str) -> str:
    """Returns the SHA-256 of a file's bytes, 64 hexadecimal digits.

    Raises:
        OSError: if it cannot be read.
    """
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while data := file.read(_BLOCK):
            digest.update(data)
    return digest.hexdigest()
