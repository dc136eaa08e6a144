"""Pictures, files and formulas for the tests of image files."""

import zlib

import numpy as np

from tests import hostile
from tfstyle.image_files.reading import read_image

Y, X = np.mgrid[:40, :56]
COLORS = np.stack([X * 4, Y * 6, 255 - X * 2 - Y * 3], -1).astype(np.uint8)
COLORS[0, :2] = [[0, 0, 0], [255, 255, 255]]
GREY = COLORS[..., 0]
ALPHA = (X * 4).astype(np.uint8)
RGBA = np.dstack([COLORS, ALPHA])


def read(tmp_path, content):
    """Reads a file's bytes as a picture."""
    path = tmp_path / "a"
    path.write_bytes(content)
    return read_image(path)


def difference(picture, colors):
    """Returns how far a picture is from colours or grey levels."""
    if np.ndim(colors) == 2:
        colors = np.dstack([colors] * 3)
    assert picture.pixels.shape == np.shape(colors)
    return np.abs(picture.pixels - np.asarray(colors, float))


def make_png(values, *chunks):
    """Returns a PNG of `[H, W, C]`, put together without Pillow."""
    big = values.astype(values.dtype.newbyteorder(">"))
    rows = b"".join(b"\0" + row.tobytes() for row in big)
    chunks = [*chunks, (b"IDAT", zlib.compress(rows))]
    height, width, channels = values.shape
    return hostile.make_png(
        *(width, height),
        *(hostile.png_chunk(*chunk) for chunk in chunks),
        depth=8 * values.dtype.itemsize,
        color=(0, 4, 2, 6)[channels - 1],
    )


def encode_srgb(light):
    """Returns sRGB levels 0..255 of light 0..1, after IEC 61966-2-1."""
    bright = 1.055 * np.maximum(light, 1e-9) ** (1 / 2.4) - 0.055
    return 255 * np.where(light <= 0.0031308, 12.92 * light, bright)


def decode_srgb(levels):
    """Returns the light 0..1 of sRGB levels 0..255."""
    levels = np.asarray(levels) / 255
    bright = ((levels + 0.055) / 1.055) ** 2.4
    return np.where(levels > 0.04045, bright, levels / 12.92)
