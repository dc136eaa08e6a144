"""Reading: every format and mode, what is shown and what is refused."""

import os
import zlib

import numpy as np
import pytest
from PIL import Image
from PIL import ImageFile

from tests import hostile
from tests.image_files.pictures import COLORS
from tests.image_files.pictures import difference
from tests.image_files.pictures import encode
from tests.image_files.pictures import make_picture
from tests.image_files.pictures import read
from tests.refusals import refuses
from tfstyle.errors import ImageError
from tfstyle.image_files import decoding
from tfstyle.image_files.reading import read_image
from tfstyle.image_files.reading import read_text

ROUNDING = 1  # grey level; the other route rounds in another place
COLOR = 2  # grey levels; fixed-point tables of a colour conversion
JPEG = 4  # grey levels; rounded coefficients of a smooth picture
MODES = {
    "JPEG": ("L", "RGB", "CMYK"),
    "PNG": ("1", "L", "P", "LA", "RGB", "RGBA", "I;16"),
    "WEBP": ("RGB", "RGBA"),
    "TIFF": (
        *("1", "L", "P", "LA", "RGB", "RGBA", "I", "I;16", "I;16B"),
        *("CMYK", "YCbCr", "LAB"),
    ),
    "BMP": ("1", "L", "P", "RGB"),
    "GIF": ("1", "L", "P"),
    "JPEG2000": ("L", "LA", "RGB", "RGBA", "I;16"),
    "PPM": ("1", "L", "RGB", "I;16"),
    "AVIF": ("RGB", "RGBA"),
}
TOLERANCES = {"CMYK": ROUNDING, "YCbCr": COLOR, "LAB": COLOR}


def make_gray_png(width, height, depth, data):
    """Returns a PNG of rows that are given as bytes."""
    chunk = hostile.png_chunk(b"IDAT", zlib.compress(data))
    return hostile.make_png(width, height, chunk, depth=depth, color=0)


@pytest.mark.parametrize(
    ("picture_format", "mode"),
    [(name, mode) for name, modes in MODES.items() for mode in modes],
)
def test_read_image_shows_every_mode_of_every_format(
    tmp_path, picture_format, mode
):
    _, expected, alpha = make_picture(mode)
    picture = read(tmp_path, encode(mode, picture_format))
    is_lossy = picture_format in ("JPEG", "AVIF")
    tolerance = JPEG if is_lossy else TOLERANCES.get(mode, 0)
    assert difference(picture, np.clip(expected, 0, 255)).max() <= tolerance
    assert picture.pixels.dtype == np.uint8
    np.testing.assert_array_equal(picture.alpha, alpha)
    assert read_text(tmp_path / "a") is None


@pytest.mark.parametrize("depth", [1, 2, 4, 8])
def test_read_image_scales_grey_levels_of_few_bits(tmp_path, depth):
    levels = np.arange(16 * 16).reshape(16, 16) % 2**depth
    bits = (levels[..., np.newaxis] >> np.arange(depth)[::-1]) & 1
    rows = np.packbits(bits.reshape(16, -1).astype(np.uint8), axis=1)
    data = b"".join(b"\0" + row.tobytes() for row in rows)
    picture = read(tmp_path, make_gray_png(16, 16, depth, data))
    assert difference(picture, levels * 255 / (2**depth - 1)).max() == 0


@pytest.mark.parametrize(
    ("picture_format", "transparency", "alphas"),
    [
        ("PNG", bytes(range(0, 240, 30)), range(0, 240, 30)),
        ("PNG", 3, (255, 255, 255, 0, 255, 255, 255, 255)),
        ("GIF", 3, (255, 255, 255, 0, 255, 255, 255, 255)),
    ],
)
def test_read_image_keeps_a_palettes_transparency_and_the_colors_under_it(
    tmp_path, picture_format, transparency, alphas
):
    image, expected, _ = make_picture("P")
    content = encode("P", picture_format, transparency=transparency)
    picture = read(tmp_path, content)
    np.testing.assert_array_equal(picture.pixels, expected)
    np.testing.assert_array_equal(
        picture.alpha, np.array(alphas)[np.array(image)]
    )


@pytest.mark.parametrize(
    ("mode", "key"),
    [("1", 0), ("L", 96), ("RGB", (96, 60, 177)), ("I;16", 24720)],
)
def test_read_image_makes_a_transparent_color_alpha(tmp_path, mode, key):
    image, expected, _ = make_picture(mode)
    picture = read(tmp_path, encode(mode, "PNG", transparency=key))
    assert difference(picture, expected).max() == 0
    alpha = (np.atleast_3d(np.asarray(image)) != key).any(-1) * 255
    np.testing.assert_array_equal(picture.alpha, alpha)
    assert 0 < np.count_nonzero(alpha) < alpha.size


@pytest.mark.parametrize(
    "picture_format", ["GIF", "PNG", "WEBP", "TIFF", "MPO"]
)
def test_read_image_shows_the_first_frame(tmp_path, caplog, picture_format):
    frames = [Image.new("RGB", (16, 16), c) for c in ("red", "blue", "lime")]
    options = {"append_images": frames[1:], "lossless": True}
    content = hostile.save(frames[0], picture_format, save_all=True, **options)
    picture = read(tmp_path, content)
    is_mpo = picture_format == "MPO"  # of a phone, which adds a preview
    assert difference(picture, np.asarray(frames[0])).max() <= JPEG * is_mpo
    assert picture.alpha is None
    assert len(caplog.records) == (not is_mpo)
    assert ("several pages or frames" in caplog.text) == (not is_mpo)


@pytest.mark.parametrize("read", [read_image, read_text])
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("missing.png", "No such file or directory"),
        ("a.png/b.png", "Not a directory"),
        ("b.png", "empty"),
        (".", "folder"),
        (os.devnull, "not a regular file"),
        ("pipe.png", "not a regular file"),
    ],
)
def test_reading_names_the_file_and_why_it_cannot_be_read(
    tmp_path, read, name, reason
):
    (tmp_path / "a.png").write_bytes(b"a picture")
    (tmp_path / "b.png").touch()
    os.mkfifo(tmp_path / "pipe.png")
    path = os.path.join(tmp_path, name)
    with refuses("", repr(path), reason, kind=ImageError):
        read(path)


@pytest.mark.parametrize("other_format", ["EPS", "ICO", "TGA", "PCX"])
def test_read_image_refuses_other_formats(tmp_path, other_format):
    with refuses("", tmp_path / "a", kind=ImageError) as caught:
        read(tmp_path, encode("RGB", other_format))
    assert caught.value.__cause__ is None  # no decoder was asked


@pytest.mark.parametrize("picture_format", MODES)
@pytest.mark.parametrize("share", [0.01, 0.25, 0.4])
def test_read_image_refuses_a_truncated_file(tmp_path, picture_format, share):
    content = encode(MODES[picture_format][-1], picture_format)
    with refuses("", tmp_path / "a", "Fetch it again", kind=ImageError):
        read(tmp_path, content[: 16 + int(len(content) * share)])


def test_reason_of_a_library_is_cut_off(tmp_path, monkeypatch):
    """tifffile quotes all values of a tag that it does not know."""

    def decode(source):
        raise ValueError(f"{[*range(5000)]} is not a known COMPRESSION")

    monkeypatch.setattr(decoding, "decode", decode)
    with refuses("", "cannot be decoded", kind=ImageError) as caught:
        read(tmp_path, encode("RGB", "PNG"))
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize(
    ("width", "height", "is_taken"),
    [
        *((1, 1, True), (1, 30, True), (4094, 1, True), (65500, 16, True)),
        *((4095, 1, False), (65501, 16, False)),
    ],
)
def test_read_image_limits_the_sides_and_their_ratio(
    tmp_path, width, height, is_taken
):
    data = (b"\0" + bytes([9]) * width) * height
    content = make_gray_png(width, height, 8, data)
    if is_taken:
        picture = read(tmp_path, content)
        assert difference(picture, np.full((height, width), 9)).max() == 0
    else:
        size = f"{width}x{height}"
        with refuses("", "65500", "4094", size, kind=ImageError):
            read(tmp_path, content)


def test_read_image_counts_max_pixels_inclusively(tmp_path):
    read(tmp_path, encode("RGB", "PNG"))
    assert read_image(tmp_path / "a", COLORS[..., 0].size).alpha is None
    with refuses("", 2239, "56x40", "--max_image_pixels", kind=ImageError):
        read_image(tmp_path / "a", 2239)


def test_read_image_has_its_own_settings_and_restores_pillows(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 7)
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    content = encode("RGB", "PNG")
    read(tmp_path, content)
    assert read_text(tmp_path / "a") is None
    with pytest.raises(ImageError):
        read(tmp_path, content[:60])
    assert Image.MAX_IMAGE_PIXELS == 7
    assert ImageFile.LOAD_TRUNCATED_IMAGES


def test_a_warning_is_logged_once_a_file(tmp_path, caplog):
    content = encode("CMYK", "JPEG")
    first, second = (read(tmp_path, content) for _ in range(2))
    assert first.warnings == second.warnings != ()
    (record,) = caplog.records
    assert str(tmp_path / "a") in record.getMessage()
