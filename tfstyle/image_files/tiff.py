"""Reading of TIFF files that Pillow cannot read or misreads.

Pillow has no 16-bit colour modes: it keeps the upper 8 bits of most files, but
mixes up separate planes, leaves white-is-zero inverted, and does not open
colour floats at all. Such files are read by tifffile.
"""

import contextlib
import importlib.util
import logging
import zlib
from collections.abc import Callable
from collections.abc import Iterator
from typing import Any
from typing import BinaryIO

import numpy as np
from PIL import Image
from PIL import TiffImagePlugin

from tfstyle.errors import ImageError
from tfstyle.image_files import signatures
from tfstyle.image_files.bit_depth import to_8_bits

SIZE, TILE_SIZE = (256, 257), (322, 323)
"""Tags of width and height."""
SUBFILE_TYPE, BITS, PHOTOMETRIC, ORIENTATION = 254, 258, 262, 274
PLANAR, SUB_IFDS, SAMPLE_FORMAT, PROFILE, DNG = 284, 330, 339, 34675, 50706
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB = 0, 1, 2
SENSORS = (32803, 34892)
"""Photometric interpretations of raw sensor data."""
UNSIGNED, SIGNED = 1, 2
SEPARATE = 2
ASSOCIATED = 1
"""Extra sample type of premultiplied alpha."""
NONE, LZW, PACK_BITS, DEFLATE = 1, 5, 32773, (8, 32946)
"""Compression schemes."""
FLOATS = 3
"""Floating point predictor."""
MAX_TILE = 2048 * 2048
"""Maximum size of a tile larger than the picture, pixels."""
_INSTALL = ", or pip install imagecodecs"


def check_is_developed(path: str, file: BinaryIO) -> None:
    """Checks that a TIFF holds a picture, not raw sensor data with a preview.

    Raises:
        ImageError: if it is a raw photograph, such as DNG, NEF or CR2.
    """
    head, tags = _read_tags(file)
    is_preview = tags.get(SUBFILE_TYPE, 0) == 1 and SUB_IFDS in tags
    if (
        head[8:10] == b"CR"
        or DNG in tags
        or is_preview
        or tags.get(PHOTOMETRIC) in SENSORS
    ):
        raise ImageError(f"Image {path!r} {signatures.RAW}")


def check_tiles(file: BinaryIO) -> None:
    """Checks that tiles are not much larger than the picture.

    Decoding a small picture would otherwise allocate memory for a huge tile.

    Raises:
        ValueError: if a tile is larger than the picture and `MAX_TILE`.
    """
    _, tags = _read_tags(file)
    width, height, tile_width, tile_height = (
        _numbers(tags, tag, 0)[0] for tag in (*SIZE, *TILE_SIZE)
    )
    if tile_width * tile_height > max(width * height, MAX_TILE):
        raise ValueError("its tiles are larger than the picture")


def is_for_tifffile(file: BinaryIO) -> bool:
    """True if Pillow cannot open a TIFF, or would misread it."""
    _, tags = _read_tags(file)
    file.seek(0)
    try:
        Image.open(file, formats=["TIFF"])
    except Image.UnidentifiedImageError:
        return True
    num_bits = max(_numbers(tags, BITS, 1))
    kind = _numbers(tags, SAMPLE_FORMAT, UNSIGNED)[0]
    if num_bits <= 8:
        return kind == SIGNED
    return (
        tags.get(PLANAR) == SEPARATE
        or tags.get(PHOTOMETRIC) == WHITE_IS_ZERO
        or (num_bits == 32 and kind == UNSIGNED)
    )


def read(
    path: str, file: BinaryIO, check_size: Callable[[tuple[int, int]], None]
) -> Image.Image:
    """Reads the first page of a TIFF with tifffile.

    Args:
        path: path of the picture, for messages.
        file: the opened TIFF.
        check_size: called with (width, height) before decoding.

    Returns:
        Picture with 8 bits per channel, not yet rotated, with its colour
        profile and EXIF orientation.

    Raises:
        ImageError: if its compression is not supported or needs a library
            that is not installed.
        Exception: of many types, if it is damaged.
    """
    import tifffile  # slow to import, and rarely needed

    file.seek(0)
    with _quiet(), tifffile.TiffFile(file, name=path) as tiff:
        page = tiff.pages.first
        check_size((page.imagewidth, page.imagelength))
        _check_channels(page)
        _check_compression(path, page)
        values = page.asarray().reshape(page.shaped)
        # [planes, depth, H, W, channels]
        values = np.moveaxis(values[:, 0], 0, -2)
        values = values.reshape(*values.shape[:2], -1)
        return _to_image(path, values, page)


def _read_tags(file: BinaryIO) -> tuple[bytes, dict[int, Any]]:
    """Returns the header and the tags of the first page.

    Raises:
        ValueError: if there are no tags, as in truncated files: they are often
            at the end.
    """
    file.seek(0)
    head = file.read(16)
    is_big = 43 in head[2:4]
    tags = TiffImagePlugin.ImageFileDirectory_v2(head[: 16 if is_big else 8])
    file.seek(tags.next)
    tags.load(file)
    if not tags:
        raise ValueError("it is cut off")
    return head, tags


def _numbers(tags: dict[int, Any], tag: int, default: int) -> tuple[int, ...]:
    numbers = tags.get(tag, default)
    return numbers if isinstance(numbers, tuple) else (numbers,)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Suppresses tifffile's log messages about defects of a file."""
    logger = logging.getLogger("tifffile")
    before = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(before)


def _check_channels(page: Any) -> None:
    """Checks that the channels are grey or RGB, with or without alpha.

    Raises:
        ValueError: if the channels or the data type are not supported.
    """
    num = page.samplesperpixel
    is_grey = page.photometric in (WHITE_IS_ZERO, BLACK_IS_ZERO) and num <= 2
    is_rgb = page.photometric == RGB and 3 <= num <= 4
    dtype = page.dtype
    if not (is_grey or is_rgb) or dtype is None or page.imagedepth != 1:
        raise ValueError("it has channels other than grey or RGB and alpha")


def _check_compression(path: str, page: Any) -> None:
    """Checks that a TIFF's compression is supported, and its segments' sizes.

    Raises:
        ImageError: if the compression is not supported.
        ValueError: if a strip or tile unpacks to more than its pixels.
    """
    needs_codecs = (
        page.compression in (LZW, PACK_BITS) or page.predictor == FLOATS
    )
    has_codecs = importlib.util.find_spec("imagecodecs") is not None
    is_usual = page.compression in (NONE, LZW, PACK_BITS, *DEFLATE)
    if not is_usual or (needs_codecs and not has_codecs):
        raise ImageError(
            f"Image {path!r} is a TIFF of deep colour in an unusual"
            f" compression. Save it uncompressed{_INSTALL * is_usual}."
        )
    if page.compression not in DEFLATE:
        return
    limit = int(np.prod(page.chunks)) * page.dtype.itemsize
    handle = page.parent.filehandle
    for offset, size in zip(page.dataoffsets, page.databytecounts, strict=True):
        handle.seek(offset)
        unpacker = zlib.decompressobj()
        unpacker.decompress(handle.read(size), limit)
        if unpacker.unconsumed_tail:
            raise ValueError("a part of it unpacks to more than its pixels")


def _to_image(path: str, values: np.ndarray, page: Any) -> Image.Image:
    """Converts levels `[H, W, C]` to an 8-bit picture."""
    num_colors = 3 if page.photometric == RGB else 1
    colors = to_8_bits(path, values[..., :num_colors])
    if page.photometric == WHITE_IS_ZERO:
        colors = 255 - colors
    image = Image.fromarray(colors if num_colors == 3 else colors[..., 0])
    if values.shape[-1] > num_colors:
        alpha = Image.fromarray(_narrow_alpha(values[..., num_colors]))
        if page.extrasamples[:1] == (ASSOCIATED,):
            bands = (*image.split(), alpha)
            multiplied = Image.merge("RGBa" if num_colors == 3 else "La", bands)
            image = multiplied.convert("RGBA" if num_colors == 3 else "LA")
        else:
            image.putalpha(alpha)
    if PROFILE in page.tags:
        image.info["icc_profile"] = page.tags[PROFILE].value
    if ORIENTATION in page.tags:
        image.getexif()[ORIENTATION] = int(page.tags[ORIENTATION].value)
    return image


def _narrow_alpha(alpha: np.ndarray) -> np.ndarray:
    """Converts alpha to uint8 from the range of its type, 0..1 for floats."""
    is_float = alpha.dtype.kind == "f"
    top = 1.0 if is_float else float(np.iinfo(alpha.dtype).max)
    share = np.nan_to_num(alpha.astype(np.float32) / top).clip(0, 1)
    return np.rint(share * 255).astype(np.uint8)
