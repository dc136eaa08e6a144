"""Image files to uint8 arrays.

Only pictures of the kinds that `kinds.READ` lists are decoded, so that no
decoder runs that the program does not mean to run. Pixels come out upright, in
sRGB, 8 bits a channel, the alpha channel kept aside.
"""

import contextlib
import os
import stat
import threading
import warnings
from collections.abc import Iterator
from typing import BinaryIO

from PIL import Image

from tfstyle.errors import ImageError
from tfstyle.image_files import decoding
from tfstyle.image_files import srgb
from tfstyle.image_files.attribution import read_attribution
from tfstyle.image_files.paths import to_path
from tfstyle.images.picture import Picture

MAX_SIDE = 65500
"""Pixels; the longest side of a picture, JPEG's own limit."""
MAX_RATIO = 4094
"""Of the longer side to the shorter one."""
MAX_PIXELS = 178956970
"""Of a file, unless more are allowed."""

EXIF_IFD = 0x8769
USER_COMMENT = 0x9286
CHARSETS = {b"ASCII\0\0\0": "ascii", b"UNICODE\0": "utf-16-be"}


_PILLOW = threading.RLock()
"""Held while Pillow's settings, which are the process', are ours."""


def read_image(
    path: str | os.PathLike[str], max_pixels: int = MAX_PIXELS
) -> Picture:
    """Reads an image file: upright, sRGB, alpha aside, first frame.

    Args:
        path: a file of one of the kinds of `kinds.READ`.
        max_pixels: a picture of more pixels is refused before it is decoded.

    Raises:
        ImageError: if the file is missing, empty, damaged, too large or of
            another format; the message names file and remedy.
    """

    def check_size(size):
        _check_size(path, size, max_pixels)

    path = to_path(path)
    with _open(path) as file:
        image = decoding.decode(path, file, check_size)
        check_size(image.size)  # the header of some formats may lie
        attribution = read_attribution(image)
        return Picture(*srgb.to_srgb(path, image), attribution)


def read_text(path: str) -> str | None:
    """Returns the text that `write_image` put into a picture, or None."""
    with _open(path) as file:
        _, image = decoding.open_picture(path, file)
        if image.format == "PNG":
            text = image.info.get("tfstyle")
            return text if isinstance(text, str) else None
        exif = image.getexif()
        comment = exif.get_ifd(EXIF_IFD).get(USER_COMMENT)
        comment = comment or exif.get(USER_COMMENT)  # of 16 bits
    if not isinstance(comment, bytes):
        return None
    charset = CHARSETS.get(comment[:8])
    return comment[8:].decode(charset, "replace") if charset else None


def read_bits(path: str) -> int:
    """Returns how many bits a channel has in a picture by `write_image`."""
    with _open(path) as file:
        _, image = decoding.open_picture(path, file)
        # Of a PNG and a TIFF, the pixels' layout ends in 16B or 16L.
        return 16 if any(";16" in str(tile.args) for tile in image.tile) else 8


@contextlib.contextmanager
def _open(path: str) -> Iterator[BinaryIO]:
    """Opens a file, and lets the block decode it; its size is checked by us.

    Raises:
        ImageError: whatever goes wrong in opening, or in the block.
    """
    if os.path.isdir(path):
        raise ImageError(
            f"Image {path!r} is a folder. Name a picture in it, or many in a"
            " --manifest."
        )
    try:
        # A pipe must not make us wait for its writer.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ImageError(
            f"Image {path!r} cannot be read ({reason}). Check the path; it is"
            " taken from the current folder."
        ) from error
    _PILLOW.acquire()
    limit = Image.MAX_IMAGE_PIXELS
    try:
        with open(handle, "rb") as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # odd metadata is no reason
            mode = os.fstat(handle)
            if not stat.S_ISREG(mode.st_mode):
                raise ImageError(f"Image {path!r} is not a regular file.")
            if mode.st_size == 0:
                raise ImageError(f"Image {path!r} is empty. Save it anew.")
            Image.MAX_IMAGE_PIXELS = None
            yield file
    except (ImageError, MemoryError):
        raise
    # Pillow's decoders meet damaged files with errors of many types.
    except Exception as error:
        reason = " ".join(str(error).split()) or repr(error)
        raise ImageError(
            f"Image {path!r} cannot be decoded ({reason})."
            " Fetch it again, or save it anew as PNG or JPEG."
        ) from error
    finally:
        Image.MAX_IMAGE_PIXELS = limit
        _PILLOW.release()


def _check_size(path: str, size: tuple[int, int], max_pixels: int) -> None:
    width, height = size
    if max(size) > min(MAX_SIDE, MAX_RATIO * min(size)):
        raise ImageError(
            f"Image {path!r} may have sides of at most {MAX_SIDE} pixels, one"
            f" {MAX_RATIO} times the other. Received: {width}x{height}. Cut a"
            " part out."
        )
    if width * height > max_pixels:
        raise ImageError(
            f"Image {path!r} may have at most {max_pixels} pixels. Received:"
            f" {width}x{height}. Make it smaller or raise --max_image_pixels."
        )
