"""Image files to uint8 arrays and back.

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
from PIL.PngImagePlugin import PngInfo

from tfstyle.errors import TfstyleError
from tfstyle.images import srgb
from tfstyle.system import atomic_file

READ_FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF")
WRITE_ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff")
ALPHA_ENDINGS = (".png", ".webp", ".tif", ".tiff")
MIN_SIDE = 16
"""Pixels; a smaller picture is a mistake rather than a picture."""
MAX_SIDE = 65500
"""Pixels; the longest side of a picture, JPEG's own limit."""
MAX_WEBP_SIDE = 16383
MAX_PIXELS = 178956970
"""Of a file, unless more are allowed."""

_EXIF_IFD = 0x8769
_USER_COMMENT = 0x9286
_CHARSETS = {b"ASCII\0\0\0": "ascii", b"UNICODE\0": "utf-16-be"}


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


def to_mask(pixels: np.ndarray) -> np.ndarray:
    """Returns how light pixels are, uint8 `[H, W]`.

    Args:
        pixels: uint8 `[H, W, 3]`, RGB.
    """
    return np.array(Image.fromarray(pixels).convert("L"))


def read_text(path: str) -> str | None:
    """Returns the text that `write_image` put into a picture, or None."""
    with _open(path) as image:
        if image.format == "PNG":
            text = image.info.get("tfstyle")
            return text if isinstance(text, str) else None
        comment = image.getexif().get_ifd(_EXIF_IFD).get(_USER_COMMENT)
    if not isinstance(comment, bytes):
        return None
    charset = _CHARSETS.get(comment[:8])
    return comment[8:].decode(charset, "replace") if charset else None


def write_image(
    path: str,
    pixels: np.ndarray,
    alpha: np.ndarray | None = None,
    text: str = "",
) -> None:
    """Writes an image file, atomically; missing folders are made.

    Args:
        path: its ending, one of `WRITE_ENDINGS`, chooses the format. JPEG is
            written at quality 95 without chroma subsampling, the others
            without loss.
        pixels: uint8 `[H, W, 3]`, sRGB.
        alpha: uint8 `[H, W]`; left out where the format cannot hold it.
        text: kept as iTXt `tfstyle` in a PNG, as EXIF UserComment elsewhere.

    Raises:
        ImageError: if the ending is unknown or the file cannot be written.
    """
    ending = os.path.splitext(path)[1].lower()
    if ending not in WRITE_ENDINGS:
        raise ImageError(
            f"Image {path!r} must end in one of {', '.join(WRITE_ENDINGS)}."
        )
    if alpha is not None and ending in ALPHA_ENDINGS:
        pixels = np.dstack([pixels, alpha])
    image = Image.fromarray(pixels)
    options = _save_options(ending, text)
    try:
        os.makedirs(os.path.dirname(os.path.realpath(path)), exist_ok=True)
        with atomic_file.replacing(path) as temporary:
            image.save(temporary, **options)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ImageError(
            f"Image {path!r} cannot be written ({reason})."
        ) from error


def check_side(path: str, height: int, width: int) -> None:
    """Finds out before the work whether a format can hold an image's size.

    Raises:
        ImageError: if a side is longer than the path's format can hold.
    """
    ending = os.path.splitext(path)[1].lower()
    longest = MAX_WEBP_SIDE if ending == ".webp" else MAX_SIDE
    if max(height, width) > longest:
        raise ImageError(
            f"Image {path!r} can be at most {longest} pixels high and wide."
            f" Received: {width}x{height}. Write a .png or .tif."
        )


def resize(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resizes by Lanczos' filter (a = 3), widened when it makes smaller.

    Args:
        pixels: uint8 `[H, W, 3]` or `[H, W]`. Never written into.
        height: pixels.
        width: pixels.

    Returns:
        uint8 `[height, width, 3]` or `[height, width]`.
    """
    if pixels.shape[:2] == (height, width):
        return pixels
    image = Image.fromarray(pixels)
    return np.array(image.resize((width, height), Image.Resampling.LANCZOS))


def resize_mask(mask: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resizes a mask, each pixel the average of the area that it covers.

    Args:
        mask: uint8 `[H, W]`. Never written into.
        height: pixels.
        width: pixels.

    Returns:
        uint8 `[height, width]`.
    """
    image = Image.fromarray(mask)
    return np.array(image.resize((width, height), Image.Resampling.BOX))


def fit_size(height: int, width: int, long_edge: int) -> tuple[int, int]:
    """Returns the height and width of a picture with a given long edge.

    Args:
        height: pixels.
        width: pixels.
        long_edge: pixels; 0 keeps the size as it is.
    """
    if long_edge == 0:
        return height, width
    scale = long_edge / max(height, width)
    return max(1, round(height * scale)), max(1, round(width * scale))


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


def _save_options(ending: str, text: str) -> dict:
    """Returns Pillow's arguments for a format, the text included."""
    if ending == ".png":
        info = PngInfo()
        info.add_itxt("tfstyle", text, zip=False)
        return {"format": "PNG", "pnginfo": info if text else None}
    exif = Image.Exif()
    if text:
        charset = b"ASCII\0\0\0" if text.isascii() else b"UNICODE\0"
        comment = charset + text.encode(_CHARSETS[charset])
        exif[_EXIF_IFD] = exif.get_ifd(_EXIF_IFD)  # TIFF wants it said twice
        exif[_EXIF_IFD][_USER_COMMENT] = comment
    if ending in (".jpg", ".jpeg"):
        options = {"format": "JPEG", "quality": 95, "subsampling": 0}
    elif ending == ".webp":
        options = {"format": "WEBP", "lossless": True, "exact": True}
    else:
        options = {"format": "TIFF"}  # libtiff's compressors drop the EXIF
    return options | ({"exif": exif} if text else {})
