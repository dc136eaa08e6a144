"""PNG files with a colour profile or texts larger than Pillow allows.

Pillow refuses such a picture, as a few bytes may unpack to gigabytes. Texts
are not needed for the pixels, and profiles are unpacked here up to a limit.
"""

import io
import zlib
from typing import BinaryIO

MAX_PROFILE = 16 << 20
"""Maximum size of a profile, bytes; printer profiles have a few MB."""
TEXTS = (b"tEXt", b"zTXt", b"iTXt")


def strip(file: BinaryIO) -> tuple[BinaryIO, bytes | None]:
    """Removes texts and the colour profile from a PNG; returns the profile.

    The text written by tfstyle is kept.

    Args:
        file: PNG file.

    Returns:
        The stripped file in memory, and the unpacked profile: None if there is
        none, empty if it is damaged or larger than `MAX_PROFILE`.
    """
    file.seek(0)
    stripped, profile = io.BytesIO(), None
    stripped.write(file.read(8))
    while len(header := file.read(8)) == 8:
        kind, size = header[4:], int.from_bytes(header[:4], "big")
        content = file.read(size + 4)  # with its CRC
        if kind == b"iCCP":
            if profile is None:  # only one is valid; more would be slow
                profile = _unpack(content[:-4])
        elif kind not in TEXTS or content.startswith(b"tfstyle\0"):
            stripped.write(header + content)
    stripped.seek(0)
    return stripped, profile


def _unpack(content: bytes) -> bytes:
    """Unpacks an iCCP chunk: name, compression method, compressed profile."""
    _, _, packed = content.partition(b"\0")
    try:
        unpacker = zlib.decompressobj()
        profile = unpacker.decompress(packed[1:], MAX_PROFILE)
    except zlib.error:
        return b""
    return b"" if unpacker.unconsumed_tail else profile
