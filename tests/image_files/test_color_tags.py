"""Colours told otherwise than by an ICC profile, against their formulas."""

import io
import struct

import numpy as np
import pytest
from PIL import ExifTags
from PIL import Image

from tests.image_files.pictures import COLORS
from tests.image_files.pictures import decode_srgb
from tests.image_files.pictures import difference
from tests.image_files.pictures import encode_srgb
from tests.image_files.pictures import make_png
from tests.image_files.pictures import read
from tfstyle.image_files.hdr import SRGB

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
    light = decode_srgb(colors) if gamma is None else (colors / 255) ** gamma
    matrix = np.linalg.inv(to_xyz(SRGB)) @ to_xyz(chromaticities)
    return encode_srgb((light @ matrix.T).clip(0, 1))


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
    interop = {ExifTags.Interop.InteropIndex: version}
    exif.get_ifd(ExifTags.IFD.Exif).update(
        {ExifTags.Base.ColorSpace: 65535, ExifTags.IFD.Interop: interop}
    )
    file = io.BytesIO()
    Image.fromarray(COLORS).save(
        file, "JPEG", quality=97, subsampling=0, exif=exif
    )
    return file.getvalue()


@pytest.mark.parametrize(
    ("chunks", "colors"),
    [
        ([cicp(P3_CODE, SRGB_CURVE)], (P3,)),
        ([cicp(1, LINEAR)], (SRGB, 1)),
        ([cicp(1, SRGB_CURVE)], None),
        ([cicp(2, 2)], None),  # unspecified
        ([gamma_chunk(1)], (SRGB, 1)),
        ([gamma_chunk(1 / 1.8)], (SRGB, 1.8)),
        ([gamma_chunk(0.45455)], None),
        ([gamma_chunk(1 / 2.2), chromaticity_chunk(ADOBE)], (ADOBE, 2.2)),
        ([gamma_chunk(0.45455), chromaticity_chunk(SRGB)], None),
        ([(b"sRGB", b"\0"), gamma_chunk(1)], None),
        ([gamma_chunk(1), cicp(1, SRGB_CURVE)], None),
    ],
)
def test_read_image_converts_from_the_colour_chunks_of_a_png(
    tmp_path, chunks, colors
):
    picture = read(tmp_path, make_png(COLORS, *chunks))
    expected = to_srgb(COLORS, *colors) if colors else COLORS
    assert difference(picture, expected).max() <= (ROUNDING if colors else 0)
    assert picture.warnings == ()


@pytest.mark.parametrize(
    ("version", "expected"),
    [("R03", to_srgb(COLORS, ADOBE, 563 / 256)), ("R98", COLORS)],
)
def test_read_image_converts_from_adobe_rgb_in_exif(
    tmp_path, version, expected
):
    picture = read(tmp_path, make_exif_jpeg(version))
    assert difference(picture, expected).mean() <= LOSSY


@pytest.mark.parametrize("kind", ["AVIF", "HEIC"])
def test_read_image_converts_from_nclx(tmp_path, kind):
    picture = read(tmp_path, make_nclx(kind, P3_CODE, SRGB_CURVE))
    expected = to_srgb(COLORS, P3)
    error = difference(picture, expected).mean()
    assert error < min(LOSSY, np.abs(COLORS - expected).mean() / 2)


@pytest.mark.parametrize("transfer", [PQ, HLG])
@pytest.mark.parametrize(
    "make",
    [
        lambda transfer: make_png(COLORS, cicp(BT2020_CODE, transfer)),
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
    levels = np.broadcast_to(np.arange(256)[:, np.newaxis], (8, 256, 3))
    values = np.rint(decode_srgb(levels) * 65535).astype(np.uint16)
    picture = read(tmp_path, make_png(values, gamma_chunk(1)))
    np.testing.assert_array_equal(picture.pixels, levels)


@pytest.mark.parametrize("transfer", [LINEAR, PQ])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_grey_is_converted_like_colours(tmp_path, transfer, dtype):
    values = np.repeat(COLORS[..., :1], 3, -1).astype(dtype)
    values *= np.iinfo(dtype).max // 255
    chunk = cicp(1, transfer)
    colored = read(tmp_path, make_png(values, chunk))
    grey = read(tmp_path, make_png(values[..., :1], chunk))
    assert difference(colored, grey.pixels).max() <= 1
    assert grey.warnings == colored.warnings
