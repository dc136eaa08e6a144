"""Decoding of picture files: chooses the decoder and repairs its results.

The caller must hold the lock of Pillow's settings and disable Pillow's pixel
limit; sizes are checked here before decoding.
"""

import contextlib
import io
from collections.abc import Callable

import numpy as np
from PIL import Image
from PIL import ImageFile
from PIL import features

from tfstyle.errors import ImageError
from tfstyle.image_files import codecs
from tfstyle.image_files import damaged
from tfstyle.image_files import documents
from tfstyle.image_files import signatures
from tfstyle.image_files import tiff
from tfstyle.image_files.attribution import read_attribution
from tfstyle.image_files.color_tags import find_profile
from tfstyle.image_files.decoded import SEVERAL
from tfstyle.image_files.decoded import Decoded
from tfstyle.image_files.decoded import Hdr
from tfstyle.image_files.decoded import Source
from tfstyle.image_files.decoded import orientation_of
from tfstyle.image_files.pillow_arrays import to_array

MOVING = ("GIF", "PNG", "WEBP", "AVIF")
"""Formats that may hold several independent frames or pages."""


def decode(source: Source) -> Decoded:
    """Decodes a picture file.

    Raises:
        ImageError: if the format is not supported.
        Exception: of many types, if the file is damaged.
    """
    kind = find_kind(source)
    if kind in READERS:
        return READERS[kind](source)
    if kind in documents.ZIPPED:
        source.file = documents.open_merged(source)
    try:
        image = open_picture(source)
    except Image.UnidentifiedImageError:
        if kind != "JPEG":
            raise
        return codecs.read_jpeg(source)
    return _decode_with_pillow(source, image)


def _decode_tiff(source: Source) -> Decoded:
    """Decodes a TIFF with tifffile, or else with Pillow.

    Pillow decodes the readable part of a truncated file, and rare layouts.
    """
    try:
        return tiff.read(source) or codecs.read_raw(source)
    except (ImageError, MemoryError):
        raise
    except Exception as error:  # of many types
        try:
            return _decode_with_pillow(source, open_picture(source))
        except Image.UnidentifiedImageError:
            raise error from None


READERS: dict[str, Callable[[Source], Decoded]] = {
    "JPEGXL": codecs.read_jpeg_xl,
    "RADIANCE": codecs.read_radiance,
    "RAW": codecs.read_raw,
    "TIFF": _decode_tiff,
}
"""Readers of formats that Pillow does not know, or not in full."""


def _decode_with_pillow(source: Source, image: ImageFile.ImageFile) -> Decoded:
    """Decodes a picture opened by Pillow; deep colour with imagecodecs."""
    source.check_size(image.size)
    # Only EXIF's orientation counts, as in browsers.
    for name in ("xmp", "XML:com.adobe.xmp"):
        image.info.pop(name, None)
    profile = find_profile(source, image)
    deep = None
    try:
        if image.format == "JPEG2000":
            deep, profile = codecs.read_jpeg2000(source), None
        elif image.format == "PNG" and has_16_bits(image):
            deep = codecs.read_png(source)
    except ImageError:
        raise
    except (ValueError, RuntimeError):
        pass  # Pillow finds out below how much of a damaged file is missing
    if deep is not None:
        return deep._replace(
            profile=profile,
            orientation=_find_orientation(image),
            attribution=read_attribution(image),
        )
    _show_first_frame(source, image)
    loaded = damaged.load(source, image)
    if loaded.mode == "RGBA" and not _is_alpha(source, image.format, loaded):
        loaded = loaded.convert("RGB")
    return from_pillow(loaded, profile)


def open_picture(source: Source) -> ImageFile.ImageFile:
    """Opens a picture with Pillow without decoding it.

    Raises:
        ImageError: if the format is not supported.
        Exception: of many types, if the file is damaged.
    """
    kind = find_kind(source)
    if kind == "HEIC":
        return _open_heic(source)
    if kind == "PSD":
        return documents.open_photoshop(source)
    if kind == "AVIF" and not features.check("avif"):
        raise ImageError(
            f"Image {source.path!r} is an AVIF picture. pip install"
            " 'pillow>=11.3' reads it, or save it as PNG or JPEG."
        )
    if kind == "JPEG2000":
        # Pillow reads as many bytes as a box claims to have: a file allocates
        # them all, bytes in memory return only the existing ones.
        source.file = io.BytesIO(source.read())
    try:
        return Image.open(source.file, formats=[kind])
    except Image.UnidentifiedImageError as error:
        error.args = ("it is damaged or cut off",)
        raise


def find_kind(source: Source) -> str:
    """Returns a file's format, one of `signatures.READ`.

    Raises:
        ImageError: if the format is not supported.
    """
    head = source.read(signatures.HEAD)
    kind = signatures.find_kind(head)
    if kind is None:
        raise ImageError(
            f"Image {source.path!r} {signatures.describe_other(head)}"
        )
    return kind


def from_pillow(image: Image.Image, profile: bytes | Hdr | None) -> Decoded:
    """Converts a picture that Pillow has decoded to arrays."""
    attribution = read_attribution(image)
    orientation = _find_orientation(image)
    bits, alpha = 8, None
    if image.mode.startswith("I") or image.mode == "F":
        mode, values, bits = "L", np.array(image)[..., np.newaxis], None
        level = image.info.get("transparency")
        if level is not None:
            alpha = np.where(values[..., 0] == level, 0, 255).astype(np.uint8)
    else:
        clear = _outside_frame(image)
        if image.has_transparency_data:
            image = image.convert("LA" if image.mode == "LA" else "RGBA")
            alpha = np.array(image.getchannel("A"))
            image = image.convert(image.mode[:-1])
        if image.mode not in ("L", "RGB", "CMYK", "LAB"):
            image = image.convert("RGB")
        mode, values = image.mode, to_array(image)
        alpha = clear if alpha is None else alpha
    return Decoded(values, mode, bits, profile, alpha, orientation, attribution)


def _find_orientation(image: Image.Image) -> int:
    """Returns the EXIF orientation, 1 if there is none or EXIF is damaged."""
    with contextlib.suppress(SyntaxError):
        return orientation_of(image.getexif())
    return 1


def has_16_bits(image: ImageFile.ImageFile) -> bool:
    """True if a PNG or TIFF opened by Pillow has 16 bits per channel."""
    # The raw mode ends in ;16B or ;16L.
    return any(";16" in str(tile.args) for tile in image.tile)


def _show_first_frame(source: Source, image: ImageFile.ImageFile) -> None:
    """Goes to the first frame; warns if a file has several frames or pages."""
    if image.format not in MOVING:
        return
    # Damage is reported when the file is decoded.
    with contextlib.suppress(Exception):
        if getattr(image, "default_image", False):
            image.seek(1)  # the first picture of an APNG is for old viewers
        if image.is_animated:
            source.warnings.append(SEVERAL)


def _outside_frame(image: Image.Image) -> np.ndarray | None:
    """Returns alpha that hides what a GIF's first frame does not cover."""
    frame = getattr(image, "dispose_extent", None)
    if image.format != "GIF" or frame in (None, (0, 0, *image.size)):
        return None
    alpha = np.zeros(image.size[::-1], np.uint8)
    left, top, right, bottom = frame
    alpha[top:bottom, left:right] = 255
    return alpha


def _is_alpha(source: Source, kind: str | None, image: Image.Image) -> bool:
    """True if a picture's fourth channel is its transparency."""
    if kind == "BMP":  # most programs leave it at 0
        return image.getchannel("A").getextrema()[1] > 0
    return kind != "PSD" or documents.is_transparent(source)


def _open_heic(source: Source) -> ImageFile.ImageFile:
    """Opens a HEIC picture without registering pillow-heif as a plugin."""
    try:
        from pillow_heif import HeifImageFile
    except ImportError as error:
        raise ImageError(
            f"Image {source.path!r} is a HEIC picture. pip install"
            " 'tfstyle[heic]' reads it, or save it as PNG or JPEG."
        ) from error
    return HeifImageFile(source.file)
