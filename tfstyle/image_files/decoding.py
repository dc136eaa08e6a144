"""Decoding of image files to Pillow images.

Chooses the decoder and repairs its results. The caller must hold the lock of
Pillow's settings and disable Pillow's pixel limit; sizes are checked here
before decoding.
"""

import contextlib
import io
import sys
from collections.abc import Callable
from typing import BinaryIO

import numpy as np
from absl import logging
from PIL import Image
from PIL import ImageFile
from PIL import features

from tfstyle.errors import ImageError
from tfstyle.image_files import damaged
from tfstyle.image_files import png
from tfstyle.image_files import signatures
from tfstyle.image_files import tiff
from tfstyle.image_files.bit_depth import BITS
from tfstyle.image_files.bit_depth import to_8_bits

_NATIVE = "LB" if sys.byteorder == "little" else "BL"
LOWER_BYTES = {
    f"{mode};16{order}": f"{mode};16{other}"
    for mode in ("RGB", "RGBA", "RGBX")
    for order, other in ("BL", "LB", f"N{_NATIVE[1]}")
}
"""Raw modes that decode the lower bytes of 16-bit colours.

Pillow keeps the upper bytes only; with the opposite byte order it keeps the
lower bytes instead.
"""

MOVING = ("GIF", "PNG", "WEBP", "AVIF", "TIFF")
"""Formats that may hold several independent frames or pages."""

CheckSize = Callable[[tuple[int, int]], None]


def decode(path: str, file: BinaryIO, check_size: CheckSize) -> Image.Image:
    """Decodes a picture file.

    Args:
        path: path of the picture, for messages.
        file: the opened file.
        check_size: called with (width, height) before decoding.

    Raises:
        ImageError: if the format is not supported.
        Exception: of many types, if the file is damaged.
    """
    if _find_kind(path, file) == "TIFF":
        tiff.check_is_developed(path, file)
        tiff.check_tiles(file)
        if tiff.is_for_tifffile(file):
            return tiff.read(path, file, check_size)
    file, image = open_picture(path, file)
    check_size(image.size)
    _log_frames(path, image)
    lower = _lower_bytes(image)
    image = damaged.load(path, file, image)
    if image.format == "BMP" and _is_all_clear(image):
        return image.convert("RGB")  # most programs leave alpha at 0
    color = image.info.get("transparency")
    if lower is None or (color is None and not _is_dark(image)):
        return image
    return _join_bytes(path, file, image, lower, color)


def open_picture(
    path: str, file: BinaryIO
) -> tuple[BinaryIO, ImageFile.ImageFile]:
    """Opens a picture without decoding it.

    Returns:
        The source of the data, `file` or bytes in memory, and the picture.

    Raises:
        ImageError: if the format is not supported.
        Exception: of many types, if the file is damaged.
    """
    kind = _find_kind(path, file)
    if kind == "HEIC":
        return file, _open_heic(path, file)
    if kind == "AVIF" and not features.check("avif"):
        raise ImageError(
            f"Image {path!r} is an AVIF picture. pip install 'pillow>=11.3'"
            " reads it, or save it as PNG or JPEG."
        )
    if kind == "JPEG2000":
        # Pillow reads as many bytes as a box claims to have: a file allocates
        # them all, bytes in memory return only the existing ones.
        file.seek(0)
        file = io.BytesIO(file.read())
    try:
        return file, Image.open(file, formats=[kind])
    except ValueError as error:
        if kind != "PNG" or "MAX_TEXT" not in str(error):
            raise
        file, profile = png.strip(file)
        image = Image.open(file, formats=["PNG"])
        if profile:
            image.info["icc_profile"] = profile
        elif profile is not None:
            logging.warning(
                "Image %r: its colour profile is damaged or larger than %d MB;"
                " read as sRGB.",
                path,
                png.MAX_PROFILE >> 20,
            )
        return file, image
    except OSError as error:
        raise ImageError(
            f"Image {path!r}, a file of {kind}, is damaged or cut off. Fetch"
            " it again, or save it anew as PNG or JPEG."
        ) from error


def _find_kind(path: str, file: BinaryIO) -> str:
    """Returns a file's format, one of `signatures.READ`, and rewinds it.

    Raises:
        ImageError: if the format is not supported.
    """
    file.seek(0)
    head = file.read(signatures.HEAD)
    file.seek(0)
    kind = signatures.find_kind(head)
    if kind is None:
        raise ImageError(f"Image {path!r} {signatures.describe_other(head)}")
    return kind


def _open_heic(path: str, file: BinaryIO) -> ImageFile.ImageFile:
    """Opens a HEIC picture without registering pillow-heif as a plugin."""
    try:
        from pillow_heif import HeifImageFile
    except ImportError as error:
        raise ImageError(
            f"Image {path!r} is a HEIC picture. pip install 'tfstyle[heic]'"
            " reads it, or save it as PNG or JPEG."
        ) from error
    return HeifImageFile(file)


def _log_frames(path: str, image: ImageFile.ImageFile) -> None:
    """Logs a warning if a file has several frames or pages."""
    if image.format not in MOVING:
        return
    # Damage is reported when the file is decoded.
    with contextlib.suppress(Exception):
        if image.is_animated:
            logging.warning(
                "Image %r has several pages or frames; the first is read", path
            )


def _is_all_clear(image: Image.Image) -> bool:
    """True if a picture has an alpha channel that is 0 everywhere."""
    return image.mode == "RGBA" and image.getchannel("A").getextrema()[1] == 0


def _lower_bytes(image: ImageFile.ImageFile) -> list | None:
    """Returns tiles that decode the lower bytes of 16-bit colours.

    None if the picture does not have 16-bit colours.
    """
    tiles = []
    for tile in image.tile:
        args = tile.args if isinstance(tile.args, tuple) else (tile.args,)
        if not args or args[0] not in LOWER_BYTES:
            return None
        lower = (LOWER_BYTES[args[0]], *args[1:])
        is_tuple = isinstance(tile.args, tuple)
        tiles.append(tile._replace(args=lower if is_tuple else lower[0]))
    return tiles or None


def _is_dark(image: Image.Image) -> bool:
    """True if the upper bytes of 16-bit colours are nearly empty."""
    tops = [top for _, top in image.getextrema()[:3]]
    return max(tops) < 2 ** (BITS - 8)


def _join_bytes(
    path: str,
    file: BinaryIO,
    upper: Image.Image,
    lower_tiles: list,
    transparent: tuple[int, ...] | None,
) -> Image.Image:
    """Combines the upper and lower bytes of 16-bit colours.

    Dark pictures are converted by `to_8_bits`; a PNG's transparent colour
    becomes alpha. Data missing in the upper bytes may be missing in the lower
    bytes, too.
    """
    _, image = open_picture(path, file)
    image.tile = lower_tiles
    with damaged.decoding_on():
        image.load()
    levels = np.asarray(upper).astype(np.uint16) << 8
    levels |= np.asarray(image)
    alpha = upper.getchannel("A") if upper.mode == "RGBA" else None
    if transparent is not None:
        del upper.info["transparency"]
        is_seen = (levels[..., :3] != transparent).any(-1)
        alpha = Image.fromarray(np.where(is_seen, 255, 0).astype(np.uint8))
    if _is_dark(upper):
        upper.paste(Image.fromarray(to_8_bits(path, levels[..., :3])))
    if alpha is not None:
        upper.putalpha(alpha)
    return upper
