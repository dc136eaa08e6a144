"""Image files to uint8 arrays.

Only the six formats below are opened, so that no decoder runs that the
program does not mean to run. Pixels come out upright, in sRGB, 8 bits a
channel, the alpha channel kept aside.
"""

import contextlib
import errno
import os
import stat
import threading
import warnings
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from PIL import Image

from tfstyle.errors import TfstyleError
from tfstyle.images import srgb
from tfstyle.images.masks import to_mask

READ_FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF")
MIN_SIDE = 16
"""Pixels; a smaller picture is a mistake rather than a picture."""
MAX_SIDE = 65500
"""Pixels; the longest side of a picture, JPEG's own limit."""
MAX_PIXELS = 178956970
"""Of a file, unless more are allowed."""

EXIF_IFD = 0x8769
USER_COMMENT = 0x9286
CHARSETS = {b"ASCII\0\0\0": "ascii", b"UNICODE\0": "utf-16-be"}


_PILLOW = threading.RLock()
"""Held while Pillow's settings, which are the process', are ours."""


class ImageError(TfstyleError, ValueError):
    """An image file cannot be read or written."""


class ImageFile(NamedTuple):
    """What an image file shows.

    Attributes:
        pixels: uint8 `[H, W, 3]`, sRGB.
        alpha: uint8 `[H, W]`, or None if the file has none.
    """

    pixels: np.ndarray
    alpha: np.ndarray | None


def read_image(path: str, max_pixels: int = MAX_PIXELS) -> ImageFile:
    """Reads an image file: upright, sRGB, alpha aside, first frame.

    Args:
        path: a JPEG, PNG, WebP, TIFF, BMP or GIF file.
        max_pixels: a picture of more pixels is refused before it is decoded.

    Raises:
        ImageError: if the file is missing, empty, damaged, too small, too
            large or of another format; the message names file and remedy.
    """
    with _open(path) as image:
        _check_size(path, image.size, max_pixels)
        image.load()
        return ImageFile(*srgb.to_srgb(path, image))


def read_mask(path: str, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """Reads an image file as a mask, uint8 `[H, W]`: how light it is.

    Raises:
        ImageError: as `read_image` does.
    """
    return to_mask(read_image(path, max_pixels).pixels)


def read_text(path: str) -> str | None:
    """Returns the text that `write_image` put into a picture, or None."""
    with _open(path) as image:
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
    with _open(path) as image:
        # Of a PNG and a TIFF, the pixels' layout ends in 16B or 16L.
        return 16 if any(";16" in str(tile.args) for tile in image.tile) else 8


@contextlib.contextmanager
def _open(path: str) -> Iterator[Image.Image]:
    """Opens a picture without decoding it; its size is checked by us.

    Raises:
        ImageError: whatever goes wrong in opening, or in the block.
    """
    try:
        if os.path.isdir(path):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
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
            with Image.open(file, formats=READ_FORMATS) as image:
                yield image
    except ImageError:
        raise
    except Image.UnidentifiedImageError as error:
        raise ImageError(
            f"Image {path!r} is not a {', '.join(READ_FORMATS)} file. Save it"
            " anew as PNG or JPEG."
        ) from error
    # Pillow's decoders meet damaged files with errors of many types.
    except Exception as error:
        raise ImageError(
            f"Image {path!r} cannot be decoded ({str(error) or repr(error)})."
            " Save it anew as PNG or JPEG."
        ) from error
    finally:
        Image.MAX_IMAGE_PIXELS = limit
        _PILLOW.release()


def _check_size(path: str, size: tuple[int, int], max_pixels: int) -> None:
    width, height = size
    if min(size) < MIN_SIDE or max(size) > MAX_SIDE:
        raise ImageError(
            f"Image {path!r} must be {MIN_SIDE} to {MAX_SIDE} pixels high and"
            f" wide. Received: {width}x{height}. Give another picture."
        )
    if width * height > max_pixels:
        raise ImageError(
            f"Image {path!r} may have at most {max_pixels} pixels. Received:"
            f" {width}x{height}. Make it smaller or raise --max_image_pixels."
        )
