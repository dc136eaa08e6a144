"""Reading of image files into uint8 arrays.

Only the formats listed in `signatures.READ` are decoded, so that no other
decoder runs. Pixels are returned upright, in sRGB, with 8 bits per channel and
a separate alpha channel.
"""

import contextlib
import functools
import logging as standard_logging
import os
import threading
import warnings
from collections.abc import Iterator

from absl import logging
from PIL import ExifTags
from PIL import Image
from PIL import ImageFile
from PIL import PngImagePlugin

from tfstyle.errors import ImageError
from tfstyle.errors import one_line
from tfstyle.image_files import decoding
from tfstyle.image_files import srgb
from tfstyle.image_files.decoded import Source
from tfstyle.images.picture import Picture
from tfstyle.system import remote_files
from tfstyle.system.paths import expand_path

MAX_SIDE = 65500
"""Longest side of a picture, pixels; the limit of JPEG."""
MAX_RATIO = 4094
"""Maximum ratio of the longer side to the shorter."""
MAX_PIXELS = 178956970
"""Default limit of the number of pixels of a file."""

CHARSETS = {b"ASCII\0\0\0": "ascii", b"UNICODE\0": "utf-16-be"}

SETTINGS = {
    (Image, "MAX_IMAGE_PIXELS"): None,  # sizes are checked here
    (ImageFile, "LOAD_TRUNCATED_IMAGES"): False,  # `damaged` changes it
    (PngImagePlugin, "MAX_TEXT_CHUNK"): 1 << 24,  # profiles have a few MB
    (PngImagePlugin, "MAX_TEXT_MEMORY"): 1 << 28,
    (standard_logging.getLogger("tifffile"), "disabled"): True,  # of defects
}
"""Settings of Pillow and tifffile while a file is read."""
_SETTINGS_LOCK = threading.RLock()
"""Lock of these settings, which are global to the process."""


def read_image(
    path: str | os.PathLike[str], max_pixels: int = MAX_PIXELS
) -> Picture:
    """Reads an image file: first frame, upright, in sRGB, alpha separate.

    Args:
        path: path or address of a file in one of the formats of
            `signatures.READ`.
        max_pixels: maximum number of pixels, checked before decoding.

    Raises:
        ImageError: if the file is missing, empty, damaged, too large or of an
            unsupported format; the message names the file and a remedy.
        RemoteFileError: if it cannot be fetched.
    """
    path = expand_path(os.fspath(path))
    with _open(path, max_pixels) as source:
        decoded = decoding.decode(source)
        height, width = decoded.values.shape[:2]
        source.check_size((width, height))  # some headers give a wrong size
        picture = srgb.to_srgb(source, decoded)
    for text in picture.warnings:
        _log_once(path, text)
    return picture


@functools.lru_cache(1024)
def _log_once(path: str, text: str) -> None:
    logging.warning("Image %r %s", path, text)


def read_text(path: str) -> str | None:
    """Returns the text embedded in a picture by `write_image`, or None."""
    with _open(path) as source:
        image = decoding.open_picture(source)
        if image.format == "PNG":
            text = image.info.get("tfstyle")
            return text if isinstance(text, str) else None
        exif = image.getexif()
        comment = exif.get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.UserComment)
        comment = comment or exif.get(ExifTags.Base.UserComment)  # 16-bit TIFF
    if not isinstance(comment, bytes):
        return None
    charset = CHARSETS.get(comment[:8])
    return comment[8:].decode(charset, "replace") if charset else None


def read_bits(path: str) -> int:
    """Returns the bits per channel of a picture written by `write_image`."""
    with _open(path) as source:
        image = decoding.open_picture(source)
        return 16 if decoding.has_16_bits(image) else 8


@contextlib.contextmanager
def _open(path: str, max_pixels: int = MAX_PIXELS) -> Iterator[Source]:
    """Opens a file for decoding in the block, under `SETTINGS`.

    Raises:
        ImageError: for any error while opening the file or in the block.
        RemoteFileError: if it cannot be fetched.
    """
    local = remote_files.fetch(path)
    if os.path.isdir(local):
        raise ImageError(
            f"Image {path!r} is a folder. Name a picture in it, or many in a"
            " --manifest."
        )
    # Opening a pipe would wait for its writer.
    if os.path.exists(local) and not os.path.isfile(local):
        raise ImageError(f"Image {path!r} is not a regular file.")
    try:
        handle = os.open(local, os.O_RDONLY)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ImageError(
            f"Image {path!r} cannot be read ({reason}). Check the path; a"
            " relative one begins in the current folder."
        ) from error
    _SETTINGS_LOCK.acquire()
    before = [getattr(owner, name) for owner, name in SETTINGS]
    try:
        with open(handle, "rb") as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # odd metadata is harmless
            if os.path.getsize(local) == 0:
                raise ImageError(f"Image {path!r} is empty. Save it again.")
            for (owner, name), setting in SETTINGS.items():
                setattr(owner, name, setting)
            yield Source(
                path, file, lambda size: check_size(path, size, max_pixels)
            )
    except (ImageError, MemoryError):
        raise
    # Pillow raises many types of errors for damaged files.
    except Exception as error:
        # A library may quote a whole file.
        reason = one_line(str(error).strip() or repr(error), 300)
        raise ImageError(
            f"Image {path!r} cannot be decoded ({reason})."
            " Fetch it again, or save it as PNG or JPEG."
        ) from error
    finally:
        for (owner, name), setting in zip(SETTINGS, before, strict=True):
            setattr(owner, name, setting)
        _SETTINGS_LOCK.release()


def check_size(path: str, size: tuple[int, int], max_pixels: int) -> None:
    """Checks the size of a picture or film before it is decoded.

    Args:
        path: path of the file, for messages.
        size: width and height, pixels.
        max_pixels: maximum number of pixels.

    Raises:
        ImageError: if it is too large, or too thin.
    """
    width, height = size
    if min(size) < 1:
        raise ImageError(f"Image {path!r} has no pixels. Fetch it again.")
    if max(size) > min(MAX_SIDE, MAX_RATIO * min(size)):
        raise ImageError(
            f"Image {path!r} may have sides of at most {MAX_SIDE} pixels, one"
            f" {MAX_RATIO} times the other. Received: {width}x{height}. Crop"
            " it."
        )
    if width * height > max_pixels:
        raise ImageError(
            f"Image {path!r} may have at most {max_pixels} pixels. Received:"
            f" {width}x{height}. Make it smaller or raise --max_image_pixels."
        )
