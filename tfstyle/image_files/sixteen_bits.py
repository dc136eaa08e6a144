"""uint16 arrays to PNG and TIFF of 16 bits a channel, which Pillow lacks.

TensorFlow's libpng writes the PNG, tifffile the TIFF. Both say that they are
sRGB, as print shops open files that do not as whatever their working space is.
"""

import struct
import zlib

import numpy as np
from PIL.PngImagePlugin import PngInfo
from PIL.PngImagePlugin import putchunk

from tfstyle.image_files.reading import USER_COMMENT
from tfstyle.image_files.srgb import make_profile
from tfstyle.images.picture import NOTHING
from tfstyle.images.picture import Attribution

HEADER = 33
"""Bytes of a PNG's signature and IHDR, after which other chunks may come."""
METRES_AN_INCH = 0.0254
ASCII, UNDEFINED = 2, 7
"""TIFF's types of bytes: of text, and of others."""


def write_png(
    path: str,
    pixels: np.ndarray,
    info: PngInfo,
    dpi: tuple[float, float] | None = None,
) -> None:
    """Writes a PNG.

    Args:
        path: of the file; its ending does not matter.
        pixels: uint16 `[H, W, 3]` or `[H, W, 4]`, sRGB.
        info: chunks to write before the pixels.
        dpi: pixels an inch, across and down.
    """
    import tensorflow as tf  # the package is used without it, too

    with tf.device("CPU"):
        encoded = memoryview(tf.io.encode_png(pixels).numpy())
    profile = b"sRGB\0\0" + zlib.compress(make_profile())
    with open(path, "wb") as file:
        file.write(encoded[:HEADER])
        putchunk(file, b"iCCP", profile)
        if dpi:
            across, down = (round(number / METRES_AN_INCH) for number in dpi)
            putchunk(file, b"pHYs", struct.pack(">IIB", across, down, 1))
        for name, data, *_ in info.chunks:
            putchunk(file, name, data)
        file.write(encoded[HEADER:])


def write_tiff(
    path: str,
    pixels: np.ndarray,
    comment: bytes,
    attribution: Attribution = NOTHING,
) -> None:
    """Writes an uncompressed TIFF, which every program reads.

    Args:
        path: of the file; its ending does not matter.
        pixels: uint16 `[H, W, 3]` or `[H, W, 4]`, sRGB.
        comment: EXIF UserComment, among the picture's own tags as tifffile
            writes no others; may be empty.
        attribution: of the picture.
    """
    import tifffile  # slow, and seldom needed

    tags = [
        (tag, ASCII, 0, text.encode(), True)
        for tag, text in attribution.texts.items()
    ]
    if comment:
        tags.append((USER_COMMENT, UNDEFINED, len(comment), comment, True))
    tifffile.imwrite(
        path,
        pixels,
        photometric="rgb",
        extrasamples=["unassalpha"] if pixels.shape[2] == 4 else None,
        iccprofile=make_profile(),
        extratags=tags,
        resolution=attribution.dpi,
        resolutionunit="INCH" if attribution.dpi else None,
        metadata=None,  # of tifffile's own, as text
        ome=False,
        software=False,
    )
