"""Writing of arrays to image files."""

import contextlib
import os

import numpy as np
from absl import logging
from PIL import ExifTags
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from tfstyle.errors import ImageError
from tfstyle.image_files import sidecar
from tfstyle.image_files import sixteen_bits
from tfstyle.image_files.attribution import IN_PNG
from tfstyle.image_files.attribution import INCH
from tfstyle.image_files.attribution import RESOLUTIONS
from tfstyle.image_files.reading import CHARSETS
from tfstyle.image_files.reading import MAX_SIDE
from tfstyle.image_files.srgb import make_profile
from tfstyle.images.picture import NOTHING
from tfstyle.images.picture import Attribution
from tfstyle.images.picture import mask_of
from tfstyle.images.resize import resize
from tfstyle.images.transparency import lay_on_white
from tfstyle.system import atomic_file
from tfstyle.system.paths import expand_path

WRITE_ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff")
DEEP_ENDINGS = (".png", ".tif", ".tiff")
"""Extensions of formats that support 16 bits per channel."""
ALPHA_ENDINGS = (".png", ".webp", ".tif", ".tiff")
JPEG_ENDINGS = (".jpg", ".jpeg")
MAX_WEBP_SIDE = 16383
MAX_JPEG_EXIF = 65533
"""Maximum size of EXIF data, bytes; the limit of a JPEG segment."""


def write_image(
    path: str | os.PathLike[str],
    pixels: np.ndarray,
    alpha: np.ndarray | None = None,
    text: str = "",
    record: str = "",
    attribution: Attribution = NOTHING,
) -> None:
    """Writes an image file atomically; missing folders are created.

    The file is marked as sRGB.

    Args:
        path: path of the file; its extension, one of `WRITE_ENDINGS`, selects
            the format. JPEG is written at quality 95 without chroma
            subsampling, all other formats are lossless.
        pixels: uint8 `[H, W, 3]`, sRGB, or uint16 for a PNG or TIFF with 16
            bits per channel.
        alpha: uint8 `[H, W]` of any size; if the format does not support it,
            the picture is composited over white, with a warning.
        text: stored as iTXt `tfstyle` in a PNG, else as EXIF UserComment. A
            text too long for a JPEG becomes the record.
        record: text of the sidecar file; if empty, the record of a replaced
            picture is removed.
        attribution: artist, copyright and resolution.

    Raises:
        ImageError: if the extension is unknown or does not support the pixels,
            or the file cannot be written.
    """
    path = expand_path(os.fspath(path))
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
    if alpha is not None:
        alpha = resize(alpha, *pixels.shape[:2])
    if mask_of(alpha) is not None and ending not in ALPHA_ENDINGS:
        logging.warning(
            "Image %r is laid on white, as %s files have no transparency. Write"
            " a .png to keep it.",
            path,
            ending,
        )
        pixels = lay_on_white(pixels, alpha)
    elif alpha is not None and ending in ALPHA_ENDINGS:
        if is_deep:
            alpha = alpha.astype(np.uint16) * 257
        pixels = np.dstack([pixels, alpha])
    exif_size = len(_make_exif(text, attribution).tobytes())
    if ending in JPEG_ENDINGS and exif_size > MAX_JPEG_EXIF:
        logging.warning(
            "The metadata of %r is too long for a JPEG and is written to %r.",
            path,
            path + sidecar.ENDING,
        )
        text, record = "", text
    former_record = sidecar.find_record(path)
    try:
        os.makedirs(os.path.dirname(os.path.realpath(path)), exist_ok=True)
        with atomic_file.replacing(path) as temporary:
            if not is_deep:
                options = _save_options(ending, text, attribution)
                Image.fromarray(pixels).save(temporary, **options)
            elif ending == ".png":
                info = _make_info(text, attribution)
                sixteen_bits.write_png(temporary, pixels, info, attribution.dpi)
            else:
                comment = _encode_comment(text)
                sixteen_bits.write_tiff(temporary, pixels, comment, attribution)
            if record:
                sidecar.write_record(path, record, temporary)
        if former_record and not record:
            with contextlib.suppress(OSError):
                os.unlink(former_record)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ImageError(
            f"Image {path!r} cannot be written ({reason})."
        ) from error


def check_side(path: str, height: int, width: int) -> None:
    """Checks that the path's format supports an image's size.

    Raises:
        ImageError: if a side is longer than the format allows.
    """
    ending = os.path.splitext(path)[1].lower()
    longest = MAX_WEBP_SIDE if ending == ".webp" else MAX_SIDE
    if max(height, width) > longest:
        raise ImageError(
            f"Image {path!r} can be at most {longest} pixels high and wide."
            f" Received: {width}x{height}. Write a .png or .tif."
        )


def _save_options(ending: str, text: str, attribution: Attribution) -> dict:
    """Returns the arguments of `Image.save` for a format, with metadata."""
    options = {"dpi": attribution.dpi} if attribution.dpi else {}
    if ending == ".png":
        info = _make_info(text, attribution)
        info.add(b"sRGB", b"\0")
        return options | {"format": "PNG", "pnginfo": info}
    if ending in JPEG_ENDINGS:
        options |= {"format": "JPEG", "quality": 95, "subsampling": 0}
    elif ending == ".webp":
        options |= {"format": "WEBP", "lossless": True, "exact": True}
    else:
        options |= {"format": "TIFF"}  # uncompressed, as libtiff drops the EXIF
    options["icc_profile"] = make_profile()
    exif = _make_exif(text, attribution)
    if ending == ".webp" and attribution.dpi:  # Pillow omits it
        exif.update(zip(RESOLUTIONS, attribution.dpi, strict=True))
        exif[ExifTags.Base.ResolutionUnit] = INCH
    if exif:
        # Given as bytes, a TIFF would keep ASCII characters only.
        options["exif"] = exif if ending in DEEP_ENDINGS else exif.tobytes()
    return options


def _make_info(text: str, attribution: Attribution) -> PngInfo:
    """Returns the text chunks of a PNG."""
    info = PngInfo()
    for tag, line in attribution.texts.items():
        info.add_itxt(IN_PNG[tag], line)
    if text:
        info.add_itxt("tfstyle", text, zip=False)
    return info


def _make_exif(text: str, attribution: Attribution) -> Image.Exif:
    """Returns EXIF data with the texts; empty if there are none."""
    exif = Image.Exif()
    for tag, line in attribution.texts.items():
        exif[tag] = line.encode()
    if text:
        ifd = exif.get_ifd(ExifTags.IFD.Exif)
        ifd[ExifTags.Base.UserComment] = _encode_comment(text)
        exif[ExifTags.IFD.Exif] = ifd  # TIFF needs both
    return exif


def _encode_comment(text: str) -> bytes:
    """Encodes a text as EXIF UserComment; empty if the text is."""
    if not text:
        return b""
    charset = b"ASCII\0\0\0" if text.isascii() else b"UNICODE\0"
    return charset + text.encode(CHARSETS[charset])
