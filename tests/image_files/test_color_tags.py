"""Colours told otherwise than by an ICC profile, against their formulas."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from tests import hostile
from tfstyle.image_files.hdr import SRGB
from tfstyle.image_files.reading import read_image

Y, X = np.mgrid[:40, :56]
COLORS = np.stack([X * 4, Y * 6, 255 - X * 2 - Y * 3], -1).astype(np.uint8)
D65 = SRGB[:2]
P3 = (*D65, 0.68, 0.32, 0.265, 0.69, 0.15, 0.06)
ADOBE = (*D65, 0.64, 0.33, 0.21, 0.71, 0.15, 0.06)
P3_CODE, BT2020_CODE, SRGB_CURVE, LINEAR, PQ, HLG = 12, 9, 13, 8, 16, 18
ROUNDING = 0.7  # of levels, in the conversion and at its end
LOSSY = 2.5


def to_xyz(chromaticities):
    """Returns the matrix from linear RGB to XYZ, by its definition."""
    white, *colors = (
        np.array([x / y, 1, (1 - x - y) / y])
        for x, y in np.reshape(chromaticities, (4, 2))
    )
    colors = np.array(colors).T
    return colors @ np.diag(np.linalg.inv(colors) @ white)


def to_srgb(colors, chromaticities, gamma=None):
    """Converts to sRGB in float64; the curve is sRGB's without `gamma`."""
    levels = colors / 255
    bright = ((levels + 0.055) / 1.055) ** 2.4
    light = np.where(levels > 0.04045, bright, levels / 12.92)
    light = light if gamma is None else levels**gamma
    matrix = np.linalg.inv(to_xyz(SRGB)) @ to_xyz(chromaticities)
    light = (light @ matrix.T).clip(0, 1)
    bright = 1.055 * light ** (1 / 2.4) - 0.055
    return 255 * np.where(light > 0.0031308, bright, 12.92 * light)


def make_png(*chunks, values=COLORS):
    height, width, channels = values.shape
    depth = 8 * values.dtype.itemsize
    big = values.astype(values.dtype.newbyteorder(">"))
    rows = b"".join(b"\0" + row.tobytes() for row in big)
    made = [hostile.png_chunk(*chunk) for chunk in chunks]
    made.append(hostile.png_chunk(b"IDAT", zlib.compress(rows)))
    return hostile.make_png(
        width, height, *made, depth=depth, color=0 if channels == 1 else 2
    )


def cicp(primaries, transfer):
    return b"cICP", bytes([primaries, transfer, 0, 1])


def gamma_chunk(gamma):
    return b"gAMA", struct.pack(">I", round(gamma * 100000))


def chromaticity_chunk(chromaticities):
    levels = (round(number * 100000) for number in chromaticities)
    return b"cHRM", struct.pack(">8I", *levels)


def make_nclx(kind, primaries, transfer):
    """Returns an AVIF or HEIC that says it has other colours."""
    file = io.BytesIO()
    image = Image.fromarray(COLORS)
    if kind == "AVIF":
        image.save(file, "AVIF", quality=95, subsampling="4:4:4")
    else:
        heif = pytest.importorskip("pillow_heif")
        heif.from_pillow(image).save(file, quality=95, chroma=444)
    content = bytearray(file.getvalue())
    place = content.index(b"colrnclx") + 8
    content[place : place + 4] = struct.pack(">HH", primaries, transfer)
    return bytes(content)


def make_exif_jpeg(version):
    """Returns a JPEG as cameras write it that embed no profile."""
    exif = Image.Exif()
    exif.get_ifd(0x8769).update({0xA001: 65535, 0xA005: {1: version}})
    file = io.BytesIO()
    Image.fromarray(COLORS).save(
        file, "JPEG", quality=97, subsampling=0, exif=exif
    )
    return file.getvalue()


def read(tmp_path, content):
    path = tmp_path / "a"
    path.write_bytes(content)
    return read_image(path)


@pytest.mark.parametrize(
    ("content", "expected", "tolerance"),
    [
        (make_png(cicp(P3_CODE, SRGB_CURVE)), to_srgb(COLORS, P3), ROUNDING),
        (make_png(cicp(1, LINEAR)), to_srgb(COLORS, SRGB, 1), ROUNDING),
        (make_png(cicp(1, SRGB_CURVE)), COLORS, 0),
        (make_png(cicp(2, 2)), COLORS, 0),  # unspecified
        (make_png(gamma_chunk(1)), to_srgb(COLORS, SRGB, 1), ROUNDING),
        (make_png(gamma_chunk(1 / 1.8)), to_srgb(COLORS, SRGB, 1.8), ROUNDING),
        (make_png(gamma_chunk(0.45455)), COLORS, 0),
        (
            make_png(gamma_chunk(1 / 2.2), chromaticity_chunk(ADOBE)),
            to_srgb(COLORS, ADOBE, 2.2),
            ROUNDING,
        ),
        (
            make_png(gamma_chunk(0.45455), chromaticity_chunk(SRGB)),
            COLORS,
            0,
        ),
        (make_png((b"sRGB", b"\0"), gamma_chunk(1)), COLORS, 0),
        (make_png(gamma_chunk(1), cicp(1, SRGB_CURVE)), COLORS, 0),
        (make_exif_jpeg("R03"), to_srgb(COLORS, ADOBE, 563 / 256), LOSSY),
        (make_exif_jpeg("R98"), COLORS, LOSSY),
    ],
)
def test_read_image_converts_from_the_colours_that_a_file_tells(
    tmp_path, content, expected, tolerance
):
    picture = read(tmp_path, content)
    difference = np.abs(picture.pixels.astype(float) - expected)
    assert (difference.mean() if tolerance == LOSSY else difference.max()) <= (
        tolerance
    )
    assert picture.warnings == ()


@pytest.mark.parametrize("kind", ["AVIF", "HEIC"])
def test_read_image_converts_from_nclx(tmp_path, kind):
    picture = read(tmp_path, make_nclx(kind, P3_CODE, SRGB_CURVE))
    difference = np.abs(picture.pixels - to_srgb(COLORS, P3))
    assert difference.mean() < LOSSY
    before = np.abs(COLORS - to_srgb(COLORS, P3))
    assert difference.mean() < before.mean() / 2


@pytest.mark.parametrize("transfer", [PQ, HLG])
@pytest.mark.parametrize(
    "make",
    [
        lambda transfer: make_png(cicp(BT2020_CODE, transfer)),
        lambda transfer: make_nclx("AVIF", BT2020_CODE, transfer),
        lambda transfer: make_nclx("HEIC", BT2020_CODE, transfer),
    ],
    ids=["PNG", "AVIF", "HEIC"],
)
def test_read_image_says_that_it_darkens_high_dynamic_range(
    tmp_path, caplog, transfer, make
):
    picture = read(tmp_path, make(transfer))
    (text,) = picture.warnings
    assert "high dynamic range" in text
    (record,) = caplog.records
    assert text in record.getMessage()


def test_read_image_converts_16_bits_before_it_narrows_them(tmp_path):
    levels = np.arange(256) / 255
    light = np.where(
        levels > 0.04045, ((levels + 0.055) / 1.055) ** 2.4, levels / 12.92
    )
    row = np.rint(light * 65535).astype(np.uint16)
    values = np.repeat(np.repeat(row[None, :, None], 8, 0), 3, -1)
    picture = read(tmp_path, make_png(gamma_chunk(1), values=values))
    expected = np.broadcast_to(np.arange(256)[None, :, None], values.shape)
    np.testing.assert_array_equal(picture.pixels, expected)


@pytest.mark.parametrize("transfer", [LINEAR, PQ])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_grey_is_converted_like_colours(tmp_path, transfer, dtype):
    values = np.repeat(COLORS[..., :1], 3, -1).astype(dtype)
    values *= np.iinfo(dtype).max // 255
    chunk = cicp(1, transfer)
    colored = read(tmp_path, make_png(chunk, values=values))
    grey = read(tmp_path, make_png(chunk, values=values[..., :1]))
    difference = colored.pixels.astype(int) - grey.pixels
    assert np.abs(difference).max() <= 1
    assert grey.warnings == colored.warnings
