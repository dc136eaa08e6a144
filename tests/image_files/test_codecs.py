"""Deep and rare pictures, decoded by imagecodecs and rawpy."""

import struct

import imagecodecs
import numpy as np
import pytest
import tifffile

from tests.image_files.pictures import ALPHA
from tests.image_files.pictures import COLORS
from tests.image_files.pictures import GREY
from tests.image_files.pictures import RGBA
from tests.image_files.pictures import difference
from tests.image_files.pictures import read
from tests.refusals import refuses
from tfstyle.errors import ImageError
from tfstyle.image_files.reading import read_image

FLOATS = (RGBA / 255).astype(np.float32)
LOSSY = 3  # grey levels, in the mean


@pytest.mark.parametrize("kind", ["jp2", "j2k"])
@pytest.mark.parametrize("bits", [8, 10, 12, 16])
@pytest.mark.parametrize("values", [COLORS, GREY, RGBA])
def test_read_image_scales_a_jpeg_2000_by_its_bits(
    tmp_path, kind, bits, values
):
    deep = np.rint(values / 255 * (2**bits - 1)).astype(np.uint16)
    content = imagecodecs.jpeg2k_encode(
        deep.astype(np.uint8) if bits == 8 else deep,
        codecformat=kind,
        bitspersample=bits,
        reversible=True,
    )
    picture = read(tmp_path, content)
    colors = values[..., :3] if values.ndim == 3 else values
    assert difference(picture, colors).max() <= 1
    if values is RGBA and kind == "jp2":
        np.testing.assert_allclose(picture.alpha, ALPHA, atol=1)
    assert picture.warnings == ()


def test_read_image_counts_the_pixels_of_the_codestream_as_well(tmp_path):
    content = imagecodecs.jpeg2k_encode(COLORS, codecformat="jp2")
    place = content.index(b"\xff\x4f\xff\x51") + 8
    large = struct.pack(">II", 65000, 65000)
    content = content[:place] + large + content[place + 8 :]
    with refuses("", "65000x65000", kind=ImageError):
        read(tmp_path, content)


@pytest.mark.parametrize("is_boxed", [False, True])
@pytest.mark.parametrize(
    "values",
    [COLORS, GREY, RGBA, COLORS * np.uint16(257), FLOATS],
    ids=["rgb", "grey", "rgba", "deep", "floats"],
)
def test_read_image_reads_jpeg_xl(tmp_path, values, is_boxed):
    content = imagecodecs.jpegxl_encode(
        values, lossless=True, usecontainer=is_boxed
    )
    picture = read(tmp_path, content)
    expected = values // 257 if values.dtype == np.uint16 else values
    expected = RGBA if values is FLOATS else expected
    colors = expected[..., :3] if expected.ndim == 3 else expected
    assert difference(picture, colors).max() == 0
    assert (picture.alpha is not None) == (expected is RGBA)


@pytest.mark.parametrize(
    "size", [(8, 8), (40, 56), (256, 256), (300, 400), (9000, 16), (90, 160)]
)
def test_read_image_counts_the_pixels_of_jpeg_xl_first(tmp_path, size):
    content = imagecodecs.jpegxl_encode(np.zeros((*size, 3), np.uint8))
    assert read(tmp_path, content).pixels.shape == (*size, 3)
    with refuses("", f"{size[1]}x{size[0]}", kind=ImageError):
        read_image(tmp_path / "a", size[0] * size[1] - 1)


def test_read_image_reads_a_jpeg_of_12_bits(tmp_path):
    deep = np.rint(COLORS / 255 * 4095).astype(np.uint16)
    content = imagecodecs.jpeg_encode(deep, bitspersample=12, level=97)
    assert difference(read(tmp_path, content), COLORS).mean() < LOSSY
    with refuses("", "56x40", kind=ImageError):
        read_image(tmp_path / "a", 40 * 56 - 1)


def test_read_image_tone_maps_radiance(tmp_path):
    light = np.where(COLORS > 200, 20, (COLORS / 255.0) ** 2.2)
    content = imagecodecs.rgbe_encode(light.astype(np.float32), header=True)
    picture = read(tmp_path, content)
    dark = (COLORS < 120).all(-1)
    assert difference(picture, COLORS)[dark].mean() < LOSSY
    (text,) = picture.warnings
    assert "high dynamic range" in text


def make_dng(tmp_path):
    """Writes a small raw photograph of one grey: a Bayer mosaic as DNG."""
    mosaic = np.full((80, 112), 4000, np.uint16)
    mosaic[:40] = 12000
    identity = [number for i in range(9) for number in (int(i % 4 == 0), 1)]
    path = tmp_path / "a.dng"
    tifffile.imwrite(
        path,
        mosaic,
        photometric="cfa",
        metadata=None,
        extratags=[
            (33421, "H", 2, (2, 2), True),  # CFA pattern: RGGB
            (33422, "B", 4, bytes([0, 1, 1, 2]), True),
            (50706, "B", 4, bytes([1, 4, 0, 0]), True),
            (50721, "2i", 9, identity, True),  # camera to XYZ
            (50728, "2I", 3, [1, 1] * 3, True),  # neutral
            (274, "H", 1, 6, True),
        ],
    )
    return path


def test_read_image_develops_a_raw_photograph(tmp_path):
    pytest.importorskip("rawpy")
    pixels = read_image(make_dng(tmp_path)).pixels.astype(int)
    assert pixels.shape == (112, 80, 3)  # turned
    assert (pixels[20:-20, 60:] > pixels[20:-20, :20] + 20).all()
