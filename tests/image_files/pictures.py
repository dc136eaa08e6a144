"""Pictures, files and formulas for the tests of image files."""

import zlib

import numpy as np
from PIL import Image

from tests import hostile
from tfstyle.image_files.reading import read_image

Y, X = np.mgrid[:40, :56]
COLORS = np.stack([X * 4, Y * 6, 255 - X * 2 - Y * 3], -1).astype(np.uint8)
COLORS[0, :2] = [[0, 0, 0], [255, 255, 255]]
GREY = COLORS[..., 0]
ALPHA = (X * 4).astype(np.uint8)
RGBA = np.dstack([COLORS, ALPHA])
SAVE_OPTIONS = {
    "JPEG": {"quality": 100, "subsampling": 0},
    "WEBP": {"lossless": True, "exact": True},
    "AVIF": {"quality": 100, "subsampling": "4:4:4"},
}


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


def make_picture(mode):
    """Returns a Pillow image, the RGB or grey levels to expect, and alpha."""
    size = GREY.shape[::-1]
    if mode == "P":
        image = Image.fromarray(COLORS).quantize(8)
        return image, np.asarray(image.convert("RGB")), None
    if mode == "CMYK":
        image = Image.frombytes(mode, size, RGBA.tobytes())
        light = 255 - RGBA.astype(float)
        return image, light[..., :3] * light[..., 3:] / 255, None
    if mode == "YCbCr":
        stored = COLORS // 4 + 96
        image = Image.frombytes(mode, size, stored.tobytes())
        y, b, r = np.moveaxis(stored - [0.0, 128.0, 128.0], -1, 0)
        red, blue = y + 1.402 * r, y + 1.772 * b
        green = y - 0.344136 * b - 0.714136 * r
        return image, np.stack([red, green, blue], -1), None
    if mode == "LAB":
        stored = np.dstack([GREY, np.zeros((*GREY.shape, 2), np.uint8)])
        image = Image.frombytes(mode, size, stored.tobytes())
        lightness = GREY / 255 * 100
        cube = ((lightness + 16) / 116) ** 3
        light = np.where(lightness > 8, cube, lightness / 903.3)
        return image, encode_srgb(light), None
    wide = GREY.astype(int) * 257 + 2 * X
    wide[0, :4] = (0, 65535, 128, 129)
    narrow = np.rint(wide / 257)
    stored, levels, alpha = {
        "1": (GREY > 100, (GREY > 100) * 255, None),
        "L": (GREY, GREY, None),
        "LA": (np.dstack([GREY, ALPHA]), GREY, ALPHA),
        "RGB": (COLORS, COLORS, None),
        "RGBA": (RGBA, COLORS, ALPHA),
        "I": (wide.astype("<i4"), narrow, None),
        "I;16": (wide.astype("<u2"), narrow, None),
        "I;16B": (wide.astype(">u2"), narrow, None),
    }[mode]
    return Image.fromarray(stored), levels, alpha


def encode(mode, picture_format, **options):
    """Returns the bytes of a file of a mode and a format."""
    options = SAVE_OPTIONS.get(picture_format, {}) | options
    return hostile.save(make_picture(mode)[0], picture_format, **options)
