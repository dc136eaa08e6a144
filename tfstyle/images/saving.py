"""Arrays to image files."""

import os

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from tfstyle.images import deep
from tfstyle.images.files import CHARSETS
from tfstyle.images.files import EXIF_IFD
from tfstyle.images.files import MAX_SIDE
from tfstyle.images.files import USER_COMMENT
from tfstyle.images.files import ImageError
from tfstyle.system import atomic_file

WRITE_ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff")
DEEP_ENDINGS = (".png", ".tif", ".tiff")
"""Of formats that hold 16 bits a channel."""
ALPHA_ENDINGS = (".png", ".webp", ".tif", ".tiff")
MAX_WEBP_SIDE = 16383


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
        pixels: uint8 `[H, W, 3]`, sRGB, or uint16 for a PNG or TIFF of 16
            bits a channel.
        alpha: uint8 `[H, W]`; left out where the format cannot hold it.
        text: kept as iTXt `tfstyle` in a PNG, as EXIF UserComment elsewhere.

    Raises:
        ImageError: if the ending is unknown or cannot hold the pixels, or the
            file cannot be written.
    """
    ending = os.path.splitext(path)[1].lower()
    if ending not in WRITE_ENDINGS:
        raise ImageError(
            f"Image {path!r} must end in one of {', '.join(WRITE_ENDINGS)}."
        )
    is_deep = pixels.dtype == np.uint16
    if is_deep and ending not in DEEP_ENDINGS:
        raise ImageError(
            f"Image {path!r} of 16 bits must end in one of"
            f" {', '.join(DEEP_ENDINGS)}."
        )
    if alpha is not None and ending in ALPHA_ENDINGS:
        if is_deep:
            alpha = alpha.astype(np.uint16) * 257
        pixels = np.dstack([pixels, alpha])
    try:
        os.makedirs(os.path.dirname(os.path.realpath(path)), exist_ok=True)
        with atomic_file.replacing(path) as temporary:
            if not is_deep:
                options = _save_options(ending, text)
                Image.fromarray(pixels).save(temporary, **options)
            elif ending == ".png":
                deep.write_png(temporary, pixels, _make_info(text))
            else:
                deep.write_tiff(temporary, pixels, _encode_comment(text))
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
        return {"format": "PNG", "pnginfo": _make_info(text)}
    exif = Image.Exif()
    if text:
        exif[EXIF_IFD] = exif.get_ifd(EXIF_IFD)  # TIFF wants it said twice
        exif[EXIF_IFD][USER_COMMENT] = _encode_comment(text)
    if ending in (".jpg", ".jpeg"):
        options = {"format": "JPEG", "quality": 95, "subsampling": 0}
    elif ending == ".webp":
        options = {"format": "WEBP", "lossless": True, "exact": True}
    else:
        options = {"format": "TIFF"}  # libtiff's compressors drop the EXIF
    return options | ({"exif": exif} if text else {})


def _make_info(text: str) -> PngInfo:
    """Returns a PNG's chunks with the text."""
    info = PngInfo()
    if text:
        info.add_itxt("tfstyle", text, zip=False)
    return info


def _encode_comment(text: str) -> bytes:
    """Returns the text as EXIF UserComment; empty if it is."""
    if not text:
        return b""
    charset = b"ASCII\0\0\0" if text.isascii() else b"UNICODE\0"
    return charset + text.encode(CHARSETS[charset])
