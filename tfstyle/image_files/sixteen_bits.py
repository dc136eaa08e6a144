"""Writing of 16-bit PNG and TIFF files, which Pillow does not support.

TensorFlow's libpng writes the PNG, tifffile the TIFF. Both embed an sRGB
profile, as print software opens untagged files in its own working space.
"""

import struct
import zlib

import numpy as np
from PIL import ExifTags
from PIL.PngImagePlugin import PngInfo
from PIL.PngImagePlugin import putchunk

from tfstyle.image_files.srgb import make_profile
from tfstyle.images.picture import Attribution

HEADER = 33
"""Size of a PNG's signature and IHDR in bytes; other chunks may follow."""
METRES_AN_INCH = 0.0254
ASCII, UNDEFINED = 2, 7
"""TIFF field types for text and for raw bytes."""


def write_png(
    path: str,
    pixels: np.ndarray,
    info: PngInfo,
    dpi: tuple[float, float] | None,
) -> None:
    """Writes a 16-bit PNG.

    Args:
        path: path of the file, with any extension.
        pixels: uint16 `[H, W, 3]` or `[H, W, 4]`, sRGB.
        info: chunks to write before the pixels.
        dpi: pixels per inch, horizontal and vertical, or None.
    """
    import tensorflow as tf  # optional for the rest of the package

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
    path: str, pixels: np.ndarray, comment: bytes, attribution: Attribution
) -> None:
    """Writes an uncompressed 16-bit TIFF, which every program reads.

    Args:
        path: path of the file, with any extension.
        pixels: uint16 `[H, W, 3]` or `[H, W, 4]`, sRGB.
        comment: EXIF UserComment, may be empty; stored in the main IFD, as
            tifffile writes no EXIF IFD.
        attribution: artist, copyright and resolution.
    """
    import tifffile  # slow to import, and rarely needed

    tags = [
        (tag, ASCII, 0, text.encode(), True)
        for tag, text in attribution.texts.items()
    ]
    if comment:
        tag = ExifTags.Base.UserComment
        tags.append((tag, UNDEFINED, len(comment), comment, True))
    tifffile.imwrite(
        path,
        pixels,
        photometric="rgb",
        extrasamples=["unassalpha"] if pixels.shape[2] == 4 else None,
        iccprofile=make_profile(),
        extratags=tags,
        resolution=attribution.dpi,
        resolutionunit="INCH" if attribution.dpi else None,
        metadata=None,  # no JSON description by tifffile
        ome=False,
        software=False,
    )
