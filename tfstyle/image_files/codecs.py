"""Pictures that Pillow cannot decode, or not in full: imagecodecs and rawpy."""

import io
import re
import struct

import imagecodecs
import numpy as np

from tfstyle.errors import ImageError
from tfstyle.image_files import damaged
from tfstyle.image_files import signatures
from tfstyle.image_files.bit_depth import alpha_to_8_bits
from tfstyle.image_files.decoded import Decoded
from tfstyle.image_files.decoded import Hdr
from tfstyle.image_files.decoded import Source
from tfstyle.image_files.hdr import LINEAR
from tfstyle.image_files.hdr import SRGB

SPACES = {1: ("L", False), 2: ("L", True), 3: ("RGB", False), 4: ("RGB", True)}
"""Colour space, and whether there is alpha, by the number of channels."""
FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
"""Markers of a JPEG's frame headers, with its size."""
JPEG2000_SIZE = b"\xff\x4f\xff\x51"
"""First bytes of a codestream, with its size."""


def read_png(source: Source) -> Decoded:
    """Reads a PNG of 16 bits per channel."""
    data = source.read()
    source.check_size(struct.unpack_from(">II", data, 16))
    return _split(imagecodecs.png_decode(data), 16)


def read_jpeg2000(source: Source) -> Decoded:
    """Reads a JPEG 2000 of any depth, converted from its profile to sRGB."""
    data = source.read()
    # marker, length, capabilities, size, offsets, tiles, channels, bits
    header = struct.unpack_from(">8xIIII16xHB", data, data.index(JPEG2000_SIZE))
    right, bottom, left, top, num_channels, bits = header
    source.check_size((right - left, bottom - top))
    if num_channels > 4:
        raise ImageError(f"Image {source.path!r} has more than four channels.")
    return _split(imagecodecs.jpeg2k_decode(data), (bits & 0x7F) + 1)


def read_jpeg(source: Source) -> Decoded:
    """Reads a JPEG of 12 bits per channel."""
    data = source.read()
    for marker, _, segment in damaged.read_segments(data):
        if marker in FRAMES:
            source.check_size(struct.unpack_from(">xHH", segment)[::-1])
    values = imagecodecs.jpeg_decode(data)
    return _split(values, 12 if values.dtype == np.uint16 else 8)


def read_jpeg_xl(source: Source) -> Decoded:
    """Reads the first frame of a JPEG XL, which is upright."""
    data = source.read()
    source.check_size(_jpeg_xl_size(data))
    values = imagecodecs.jpegxl_decode(data, index=0)
    return _split(values, None)


def read_radiance(source: Source) -> Decoded:
    """Reads a Radiance picture, in linear light."""
    data = source.read()
    size = re.search(rb"\n-Y (\d+) \+X (\d+)\n", data[:4096])
    if size is None:
        raise ValueError("its size is not found")
    source.check_size((int(size[2]), int(size[1])))
    values = imagecodecs.rgbe_decode(data)
    return Decoded(values, "RGB", profile=Hdr(LINEAR, SRGB))


def read_raw(source: Source) -> Decoded:
    """Develops a raw photograph, with its camera's white balance.

    Raises:
        ImageError: if rawpy is not installed, or cannot read it.
    """
    try:
        import rawpy
    except ImportError as error:
        raise ImageError(f"Image {source.path!r} {signatures.RAW}") from error
    try:
        with rawpy.imread(io.BytesIO(source.read())) as raw:
            source.check_size((raw.sizes.width, raw.sizes.height))
            values = raw.postprocess(use_camera_wb=True)
    except rawpy.LibRawError as error:
        raise ImageError(
            f"Image {source.path!r} is a raw photograph that LibRaw cannot"
            f" read ({error}). Develop it in another program and save it as"
            " TIFF or JPEG."
        ) from error
    return Decoded(values, "RGB")


def _split(values: np.ndarray, bits: int | None) -> Decoded:
    """Splits `[H, W]` or `[H, W, C]` into colours and alpha."""
    values = np.atleast_3d(values)
    space, has_alpha = SPACES[values.shape[-1]]
    alpha = None
    if has_alpha:
        alpha = alpha_to_8_bits(values[..., -1], bits)
        values = values[..., :-1]
    return Decoded(values, space, bits, alpha=alpha)


_RATIOS = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))
"""Width to height, by JPEG XL's `ratio` of 1 to 7."""


def _jpeg_xl_size(data: bytes) -> tuple[int, int]:
    """Returns width and height in the header of a JPEG XL (ISO 18181-1)."""
    start = data.find(b"\xff\x0a", 0, 4096)
    bits = int.from_bytes(data[start + 2 : start + 14], "little")

    def take(number):
        nonlocal bits
        value, bits = bits & (1 << number) - 1, bits >> number
        return value

    def take_side(is_small):
        if is_small:
            return 8 * (1 + take(5))
        return 1 + take((9, 13, 18, 30)[take(2)])

    is_small = take(1)
    height = take_side(is_small)
    ratio = take(3)
    if ratio:
        across, down = _RATIOS[ratio - 1]
        return height * across // down, height
    return take_side(is_small), height
