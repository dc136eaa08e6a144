"""Reading of TIFF files with tifffile."""

from typing import Any

import numpy as np

from tfstyle.errors import ImageError
from tfstyle.image_files.attribution import make_attribution
from tfstyle.image_files.bit_depth import alpha_to_8_bits
from tfstyle.image_files.bit_depth import white_of
from tfstyle.image_files.decoded import SEVERAL
from tfstyle.image_files.decoded import Decoded
from tfstyle.image_files.decoded import Source
from tfstyle.image_files.decoded import orientation_of

PROFILE, DNG = 34675, 50706
PHASE_ONE = (b"IIII", b"MMMM")
"""Bytes 8 to 12 of raw photographs by Phase One."""
REDUCED, MASK = 1, 4
"""Bits of NewSubfileType."""
WHITE_IS_ZERO, PALETTE, YCBCR, LAB = 0, 3, 6, 8
SPACES = {
    **dict.fromkeys((WHITE_IS_ZERO, 1, PALETTE), "L"),
    **dict.fromkeys((2, YCBCR), "RGB"),  # YCbCr is decoded so, if JPEG
    5: "CMYK",
    **dict.fromkeys((LAB, 9), "LAB"),
}
"""Colour spaces by photometric interpretation."""
SENSORS = (32803, 34892)
"""Photometric interpretations of raw sensor data."""
ASSOCIATED, UNASSOCIATED = 1, 2
"""Types of extra samples: premultiplied alpha, and alpha."""
JPEGS = (6, 7)
MOST_PAGES = 100
"""Number of pages among which the one to read is chosen."""
MAX_TILE = 2048 * 2048
"""Maximum size of a tile larger than the picture, pixels."""


def read(source: Source) -> Decoded | None:
    """Reads a TIFF: the first page that is not a reduced copy or a mask.

    Returns:
        The picture, or None for a raw photograph, such as DNG, NEF or CR2.

    Raises:
        Exception: of many types, if it is damaged or not supported.
    """
    import tifffile  # slow to import

    source.file.seek(0)
    with tifffile.TiffFile(source.file, name=source.path) as tiff:
        if not tiff.pages:
            raise ValueError("it is damaged or cut off")
        if _is_raw(source, tiff):
            return None
        page = _choose_page(source, tiff)
        source.check_size((page.imagewidth, page.imagelength))
        _check(source, page)
        values = page.asarray().reshape(page.shaped)
        # [planes, depth, H, W, channels]
        values = np.moveaxis(values[:, 0], 0, -2)
        values = values.reshape(*values.shape[:2], -1)
        return _decode(values, page)


def _is_raw(source: Source, tiff: Any) -> bool:
    """True for sensor data with a preview."""
    head = source.read(12)
    first = tiff.pages.first
    pages = [*_pages_of(tiff), *(first.pages or ())]
    return (
        head[8:10] == b"CR"
        or head[8:12] in PHASE_ONE
        or DNG in first.tags
        or any(getattr(page, "photometric", None) in SENSORS for page in pages)
    )


def _pages_of(tiff: Any) -> list[Any]:
    num = min(len(tiff.pages), MOST_PAGES)
    return [tiff.pages.get(number) for number in range(num)]


def _choose_page(source: Source, tiff: Any) -> Any:
    """Returns the page to read; warns if there are others as large."""
    pages = _pages_of(tiff)
    pages = [p for p in pages if not p.subfiletype & (REDUCED | MASK)] or pages
    if any(page.shape == pages[0].shape for page in pages[1:]):
        source.warnings.append(SEVERAL)
    return pages[0]


def _check(source: Source, page: Any) -> None:
    """Checks a page's layout.

    Raises:
        ImageError: if its tiles are much larger than the picture.
        ValueError: if its channels are not supported.
    """
    space = SPACES.get(page.photometric)
    is_ycbcr = page.photometric == YCBCR and page.compression not in JPEGS
    if space is None or is_ycbcr or page.dtype is None or page.imagedepth != 1:
        raise ValueError("its kind of channels is not supported")
    num = page.samplesperpixel
    if num < len(space) or (space == "L" and num > 2):
        raise ValueError(f"its {num} channels are not supported")
    if space in ("CMYK", "LAB") and page.dtype not in (np.uint8, np.uint16):
        raise ValueError("its kind of channels is not supported")
    # A small picture could claim memory for a huge tile.
    if page.tilewidth * page.tilelength > max(
        page.imagewidth * page.imagelength, MAX_TILE
    ):
        raise ImageError(
            f"Image {source.path!r} has tiles that are larger than the picture."
            " Save it again."
        )


def _decode(values: np.ndarray, page: Any) -> Decoded:
    """Splits channels `[H, W, C]` of a page into colours and alpha."""
    space = SPACES[page.photometric]
    bits, num = page.bitspersample, len(space)
    if values.dtype.kind not in "bu" or bits > 16:
        bits = None
    colors, alpha = values[..., :num], None
    for channel, kind in enumerate(page.extrasamples, num):
        if kind in (ASSOCIATED, UNASSOCIATED) and channel < values.shape[-1]:
            if kind == ASSOCIATED:
                colors = _divide(colors, values[..., channel], bits)
            alpha = alpha_to_8_bits(values[..., channel], bits)
            break
    if page.photometric == PALETTE:
        colors = (page.colormap >> 8).astype(np.uint8).T[colors[..., 0]]
        space, bits = "RGB", 8
    elif page.photometric == WHITE_IS_ZERO:
        colors = _invert(colors, bits)
    elif space == "LAB":
        colors = _offset(colors, page.photometric == LAB)
    tags = {tag.code: tag.value for tag in page.tags}
    return Decoded(
        colors,
        space,
        bits,
        tags.get(PROFILE),
        alpha,
        orientation_of(tags),
        make_attribution(tags, {}),
    )


def _divide(
    colors: np.ndarray, alpha: np.ndarray, bits: int | None
) -> np.ndarray:
    """Divides premultiplied colours by alpha."""
    top = white_of(alpha.dtype, bits)
    share = np.maximum(alpha.astype(np.float32) / top, np.finfo("f").tiny)
    divided = np.minimum(colors / share[..., np.newaxis], top)
    is_float = colors.dtype.kind == "f"
    return (divided if is_float else np.rint(divided)).astype(colors.dtype)


def _invert(values: np.ndarray, bits: int | None) -> np.ndarray:
    """Inverts levels, of which 0 is white."""
    if values.dtype == bool:
        return ~values
    if values.dtype.kind == "f":
        return 1 - values
    return np.array(white_of(values.dtype, bits), values.dtype) - values


def _offset(values: np.ndarray, is_signed: bool) -> np.ndarray:
    """Converts a* and b* of CIELAB to offsets from the middle, as ICC has them.

    16-bit a* and b* are in units of 1/256; in ICC profiles 65535 is 127.
    """
    values = values.copy()
    half = 1 << (8 * values.dtype.itemsize - 1)
    if is_signed:
        values[..., 1:] ^= half
    if values.dtype == np.uint16:
        values[..., 1:] = np.minimum(values[..., 1:] * (257 / 256), 65535)
    return values
