"""Picture files to Pillow's images: which decoder, and what is left to do.

The caller holds the lock of Pillow's settings and has put away its limit of
pixels; sizes are checked here before anything is decoded.
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
"""Pillow keeps the upper bytes of 16-bit colours, by the order of a file's
bytes; by the other order it keeps the lower ones."""

MOVING = ("GIF", "PNG", "WEBP", "AVIF", "TIFF")
"""Formats whose files may hold several pictures, each of its own."""

CheckSize = Callable[[tuple[int, int]], None]


def decode(path: str, file: BinaryIO, check_size: CheckSize) -> Image.Image:
    """Decodes a picture file.

    Args:
        path: named in messages.
        file: its content.
        check_size: is called with width and height before the decoding.

    Raises:
        ImageError: if the file is not of a kind that is read here.
        Exception: of many types, if it is damaged.
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
        return image.convert("RGB")  # most programs leave alpha empty
    color = image.info.get("transparency")
    if lower is None or (color is None and not _is_dark(image)):
        return image
    return _join_bytes(path, file, image, lower, color)


def open_picture(
    path: str, file: BinaryIO
) -> tuple[BinaryIO, ImageFile.ImageFile]:
    """Opens a picture without decoding it.

    Returns:
        What the picture was opened from, the file or bytes in memory, and the
        picture.

    Raises:
        ImageError: if the file is not of a kind that is read here.
        Exception: of many types, if it is damaged.
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
        # Pillow asks for as many bytes as a box claims to have: a file makes
        # room for them all, bytes in memory give what is there.
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
    """Returns a file's kind, one of `signatures.READ`, and rewinds the file.

    Raises:
        ImageError: if it is of another.
    """
    file.seek(0)
    head = file.read(signatures.HEAD)
    file.seek(0)
    kind = signatures.find_kind(head)
    if kind is None:
        raise ImageError(f"Image {path!r} {signatures.describe_other(head)}")
    return kind


def _open_heic(path: str, file: BinaryIO) -> ImageFile.ImageFile:
    """Opens a HEIC picture without making pillow-heif a plugin of Pillow."""
    try:
        from pillow_heif import HeifImageFile
    except ImportError as error:
        raise ImageError(
            f"Image {path!r} is a HEIC picture. pip install 'tfstyle[heic]'"
            " reads it, or save it as PNG or JPEG."
        ) from error
    return HeifImageFile(file)


def _log_frames(path: str, image: ImageFile.ImageFile) -> None:
    """Logs that a file has several pictures, if they may be meant."""
    if image.format not in MOVING:
        return
    # A damaged file is told of when it is decoded.
    with contextlib.suppress(Exception):
        if image.is_animated:
            logging.warning(
                "Image %r has several pages or frames; the first is read", path
            )


def _is_all_clear(image: Image.Image) -> bool:
    """Whether a picture has an alpha channel, and it is 0 throughout."""
    return image.mode == "RGBA" and image.getchannel("A").getextrema()[1] == 0


def _lower_bytes(image: ImageFile.ImageFile) -> list | None:
    """Returns the tiles that decode the lower bytes of 16-bit colours.

    None if a picture has none.
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
    """Whether the upper bytes of 16-bit colours are nearly empty."""
    tops = [top for _, top in image.getextrema()[:3]]
    return max(tops) < 2 ** (BITS - 8)


def _join_bytes(
    path: str,
    file: BinaryIO,
    upper: Image.Image,
    lower_tiles: list,
    transparent: tuple[int, ...] | None,
) -> Image.Image:
    """Reads 16-bit colours from both of their bytes.

    Dark ones are narrowed; the colour that a PNG calls transparent becomes
    alpha. What is missing of the upper ones may be missing of the lower ones.
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
