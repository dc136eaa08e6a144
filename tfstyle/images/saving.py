"""uint8 arrays to image files."""

import os

import numpy as np
from absl import logging
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from tfstyle.images import records
from tfstyle.images.errors import ImageError
from tfstyle.images.files import CHARSETS
from tfstyle.images.files import EXIF_IFD
from tfstyle.images.files import MAX_SIDE
from tfstyle.images.files import USER_COMMENT
from tfstyle.images.transparency import lay_on_white
from tfstyle.images.transparency import weights_of
from tfstyle.system import atomic_file

WRITE_ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff")
ALPHA_ENDINGS = (".png", ".webp", ".tif", ".tiff")
JPEG_ENDINGS = (".jpg", ".jpeg")
MAX_WEBP_SIDE = 16383
MAX_JPEG_EXIF = 65533
"""Bytes; the longest segment of a JPEG."""


def write_image(
    path: str,
    pixels: np.ndarray,
    alpha: np.ndarray | None = None,
    text: str = "",
    record: str = "",
) -> None:
    """Writes an image file, atomically; missing folders are made.

    Args:
        path: its ending, one of `WRITE_ENDINGS`, chooses the format. JPEG is
            written at quality 95 without chroma subsampling, the others
            without loss.
        pixels: uint8 `[H, W, 3]`, sRGB.
        alpha: uint8 `[H, W]`; where the format cannot hold it the picture is
            laid on white, with a warning.
        text: kept as iTXt `tfstyle` in a PNG, as EXIF UserComment elsewhere.
            One that is too long for a JPEG becomes the record.
        record: a text that is kept in a file beside the picture; without one,
            a former picture's record is removed.

    Raises:
        ImageError: if the ending is unknown or the file cannot be written.
    """
    ending = os.path.splitext(path)[1].lower()
    if ending not in WRITE_ENDINGS:
        raise ImageError(
            f"Image {path!r} must end in one of {', '.join(WRITE_ENDINGS)}."
        )
    if weights_of(alpha) is not None and ending not in ALPHA_ENDINGS:
        logging.warning(
            "Image %r is laid on white: a %s has no transparency. A .png has.",
            path,
            ending,
        )
        pixels = lay_on_white(pixels, alpha)
    elif alpha is not None and ending in ALPHA_ENDINGS:
        pixels = np.dstack([pixels, alpha])
    image = Image.fromarray(pixels)
    options = _save_options(ending, text)
    if ending in JPEG_ENDINGS and len(options.get("exif", b"")) > MAX_JPEG_EXIF:
        logging.warning(
            "The text of %r is too long for a JPEG; it is in %r.",
            path,
            path + records.ENDING,
        )
        options, record = _save_options(ending, ""), text
    try:
        os.makedirs(os.path.dirname(os.path.realpath(path)), exist_ok=True)
        with atomic_file.replacing(path) as temporary:
            image.save(temporary, **options)
            if record:
                records.write_record(path, record, temporary)
        if not record:
            records.remove_record(path)
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


def _save_options(ending: str, text: str) -> dict:
    """Returns Pillow's arguments for a format, the text included."""
    if ending == ".png":
        info = PngInfo()
        info.add_itxt("tfstyle", text, zip=False)
        return {"format": "PNG", "pnginfo": info if text else None}
    exif = Image.Exif()
    if text:
        charset = b"ASCII\0\0\0" if text.isascii() else b"UNICODE\0"
        comment = charset + text.encode(CHARSETS[charset])
        exif[EXIF_IFD] = exif.get_ifd(EXIF_IFD)  # TIFF wants it said twice
        exif[EXIF_IFD][USER_COMMENT] = comment
    if ending in JPEG_ENDINGS:
        options = {"format": "JPEG", "quality": 95, "subsampling": 0}
    elif ending == ".webp":
        options = {"format": "WEBP", "lossless": True, "exact": True}
    else:
        options = {"format": "TIFF"}  # libtiff's compressors drop the EXIF
    return options | ({"exif": exif.tobytes()} if text else {})
