"""PNG files whose colour profile or texts are larger than Pillow allows.

Pillow refuses such a picture, lest a few bytes unpack to gigabytes. The pixels
need no text, and a profile is unpacked here up to a limit of ours.
"""

import io
import zlib
from typing import BinaryIO

MAX_PROFILE = 16 << 20
"""Bytes; the largest profiles of printers have a few MB."""
TEXTS = (b"tEXt", b"zTXt", b"iTXt")


def strip(file: BinaryIO) -> tuple[BinaryIO, bytes | None]:
    """Returns a PNG without texts and profile, and the profile, unpacked.

    The text that tfstyle writes stays.

    Args:
        file: a PNG.

    Returns:
        The file, and the profile: None if there is none, empty if it is
        damaged or larger than `MAX_PROFILE`.
    """
    file.seek(0)
    stripped, profile = io.BytesIO(), None
    stripped.write(file.read(8))
    while len(header := file.read(8)) == 8:
        kind, size = header[4:], int.from_bytes(header[:4], "big")
        content = file.read(size + 4)  # and its sum
        if kind == b"iCCP":
            if profile is None:  # a file may have one; more would take long
                profile = _unpack(content[:-4])
        elif kind not in TEXTS or content.startswith(b"tfstyle\0"):
            stripped.write(header + content)
    stripped.seek(0)
    return stripped, profile


def _unpack(content: bytes) -> bytes:
    """Unpacks a profile that follows its name and the number of a method."""
    _, _, packed = content.partition(b"\0")
    try:
        unpacker = zlib.decompressobj()
        profile = unpacker.decompress(packed[1:], MAX_PROFILE)
    except zlib.error:
        return b""
    return b"" if unpacker.unconsumed_tail else profile
