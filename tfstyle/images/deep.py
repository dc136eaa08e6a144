"""uint16 arrays to PNG and TIFF of 16 bits a channel, which Pillow lacks.

TensorFlow's libpng writes the PNG, tifffile the TIFF. Both say that they are
sRGB, as print shops open files that do not as whatever their working space is.
"""

import zlib

import numpy as np
from PIL import ImageCms
from PIL.PngImagePlugin import PngInfo
from PIL.PngImagePlugin import putchunk

from tfstyle.images.files import USER_COMMENT

HEADER = 33
"""Bytes of a PNG's signature and IHDR, after which other chunks may come."""
UNDEFINED = 7
"""TIFF's type of bytes that are no text."""


def write_png(path: str, pixels: np.ndarray, info: PngInfo) -> None:
    """Writes a PNG.

    Args:
        path: of the file; its ending does not matter.
        pixels: uint16 `[H, W, 3]` or `[H, W, 4]`, sRGB.
        info: chunks to write before the pixels.
    """
    import tensorflow as tf  # the package is used without it, too

    with tf.device("CPU"):
        encoded = memoryview(tf.io.encode_png(pixels).numpy())
    profile = b"sRGB\0\0" + zlib.compress(_make_profile())
    with open(path, "wb") as file:
        file.write(encoded[:HEADER])
        putchunk(file, b"iCCP", profile)
        for name, data, *_ in info.chunks:
            putchunk(file, name, data)
        file.write(encoded[HEADER:])


def write_tiff(path: str, pixels: np.ndarray, comment: bytes) -> None:
    """Writes an uncompressed TIFF, which every program reads.

    Args:
        path: of the file; its ending does not matter.
        pixels: uint16 `[H, W, 3]` or `[H, W, 4]`, sRGB.
        comment: EXIF UserComment, among the picture's own tags as tifffile
            writes no others; may be empty.
    """
    import tifffile  # slow, and seldom needed

    tags = [(USER_COMMENT, UNDEFINED, len(comment), comment, True)]
    tifffile.imwrite(
        path,
        pixels,
        photometric="rgb",
        extrasamples=["unassalpha"] if pixels.shape[2] == 4 else None,
        iccprofile=_make_profile(),
        extratags=tags if comment else (),
        metadata=None,  # of tifffile's own, as text
        ome=False,
        software=False,
    )


def _make_profile() -> bytes:
    """Returns an sRGB profile, the same at any time of day."""
    made = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    date = np.array([2000, 1, 1, 0, 0, 0], ">u2").tobytes()
    return made[:24] + date + made[36:]
