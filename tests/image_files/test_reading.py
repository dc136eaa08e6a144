"""Image files: every format and mode, what is refused, what comes back."""

import concurrent.futures
import errno
import io
import os
import re
import struct
import time
import zlib
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy
from PIL import Image
from PIL import ImageCms
from PIL import ImageFile
from PIL import JpegImagePlugin
from PIL.PngImagePlugin import PngInfo

from tfstyle.errors import ImageError
from tfstyle.image_files import signatures
from tfstyle.image_files.reading import read_image
from tfstyle.image_files.reading import read_text
from tfstyle.image_files.writing import ALPHA_ENDINGS
from tfstyle.image_files.writing import WRITE_ENDINGS
from tfstyle.image_files.writing import write_image
from tfstyle.images.resize import fit_size
from tfstyle.images.resize import resize
from tfstyle.images.transparency import lay_on_white

HEIGHT, WIDTH = 20, 24
ROUNDING = 1  # grey level; the other route rounds in another place
TWO_PASSES = 1.5  # grey levels; each pass of Pillow rounds
COLOR = 2  # grey levels; fixed-point tables of a colour conversion
LAB = 5  # grey levels; whole steps of a and b, three times coarser
JPEG = 4  # grey levels; rounded coefficients of a smooth picture
GAMMA = 1.8  # of the profiles made here; sRGB is near 2.2
PROMPT = 2  # seconds; far more than refusing needs, far less than decoding

SAVE_OPTIONS = {
    "JPEG": {"quality": 100, "subsampling": 0},
    "PNG": {},
    "WEBP": {"lossless": True, "exact": True},
    "TIFF": {},
    "BMP": {},
    "GIF": {},
    "JPEG2000": {},
    "PPM": {},
    "AVIF": {"quality": 100, "subsampling": "4:4:4"},
}
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

TEXTS = {
    "ascii": "--seed=1\n# of two lines\n",
    "unicode": "--content_image=B\u00e4r \u732b \U0001f600.png\n",
    "long": "--style_images=a.png\n" * 1000,
}

# Sides of the upright picture where EXIF puts the stored 0th row and column.
ORIENTATIONS = {
    1: ("top", "left"),
    2: ("top", "right"),
    3: ("bottom", "right"),
    4: ("bottom", "left"),
    5: ("left", "top"),
    6: ("right", "top"),
    7: ("right", "bottom"),
    8: ("left", "bottom"),
}
ORIENTATION_TAG = 0x0112
EXIF_IFD = 0x8769
USER_COMMENT = 0x9286


def make_ramps():
    """Returns smooth uint8 `[HEIGHT, WIDTH, 4]`, each channel its own ramp."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    ramps = (10 * x + 5, 12 * y + 3, 240 - 5 * x - 5 * y, 7 * x + 4 * y)
    return np.stack(ramps, -1).astype(np.uint8)


def gray_to_rgb(gray):
    return np.repeat(np.asarray(gray)[..., np.newaxis], 3, -1)


def encode_srgb(light):
    """Returns sRGB levels 0..255 of light 0..1, after IEC 61966-2-1."""
    bright = 1.055 * np.maximum(light, 1e-9) ** (1 / 2.4) - 0.055
    return 255 * np.where(light <= 0.0031308, 12.92 * light, bright)


def make_picture(mode):
    """Returns a Pillow image, the RGB levels to expect, and the alpha."""
    ramps = make_ramps()
    rgb, gray, alpha = ramps[..., :3], ramps[..., 0], ramps[..., 3]
    if mode == "1":
        bits = gray > 100
        return Image.fromarray(bits), gray_to_rgb(bits * 255), None
    if mode == "L":
        return Image.fromarray(gray), gray_to_rgb(gray), None
    if mode == "P":
        indices = gray // 32
        palette = np.random.default_rng(1).integers(0, 256, (8, 3), np.uint8)
        image = Image.frombytes("P", (WIDTH, HEIGHT), indices.tobytes())
        image.putpalette(palette.tobytes())
        return image, palette[indices], None
    if mode == "LA":
        image = Image.fromarray(np.dstack([gray, alpha]))
        return image, gray_to_rgb(gray), alpha
    if mode == "RGB":
        return Image.fromarray(rgb), rgb, None
    if mode == "RGBA":
        return Image.fromarray(ramps), rgb, alpha
    if mode.startswith("I"):
        wide = make_wide_gray()
        dtype = {"I": "<i4", "I;16": "<u2", "I;16B": ">u2"}[mode]
        image = Image.fromarray(wide.astype(dtype))
        return image, gray_to_rgb(np.rint(wide / 257)), None
    if mode == "CMYK":
        image = Image.frombytes(mode, (WIDTH, HEIGHT), ramps.tobytes())
        light = 255 - ramps.astype(float)
        return image, light[..., :3] * light[..., 3:] / 255, None
    if mode == "YCbCr":
        stored = ramps[..., :3] // 4 + 96
        image = Image.frombytes(mode, (WIDTH, HEIGHT), stored.tobytes())
        y, b, r = np.moveaxis(stored - [0.0, 128.0, 128.0], -1, 0)
        red, blue = y + 1.402 * r, y + 1.772 * b
        green = y - 0.344136 * b - 0.714136 * r
        return image, np.stack([red, green, blue], -1), None
    assert mode == "LAB"
    neutral = np.zeros_like(gray)  # a and b are signed
    stored = np.dstack([gray, neutral, neutral])
    image = Image.frombytes(mode, (WIDTH, HEIGHT), stored.tobytes())
    lightness = gray / 255 * 100
    cube = ((lightness + 16) / 116) ** 3
    light = np.where(lightness > 8, cube, lightness / 903.3)
    return image, gray_to_rgb(encode_srgb(light)), None


def make_wide_gray():
    """Returns 16-bit grey levels `[HEIGHT, WIDTH]`, the ends included."""
    wide = make_ramps()[..., 0].astype(int) * 257 + 9 * np.arange(WIDTH)
    wide[0, :4] = (0, 65535, 128, 129)
    return wide


def make_profile(space):
    """Returns an ICC profile of sRGB's primaries, or grey, of gamma 1.8."""

    def fixed(*numbers):
        return struct.pack(
            f">{len(numbers)}i", *(round(65536 * n) for n in numbers)
        )

    white = (0.9642, 1.0, 0.8249)  # D50
    tags = {b"wtpt": b"XYZ \0\0\0\0" + fixed(*white)}
    curve = b"curv" + struct.pack(">IIH", 0, 1, round(256 * GAMMA))
    if space == b"GRAY":
        tags[b"kTRC"] = curve
    else:
        for letter, xyz in (
            (b"r", (0.43607, 0.22249, 0.01392)),
            (b"g", (0.38515, 0.71687, 0.09708)),
            (b"b", (0.14307, 0.06061, 0.71410)),
        ):
            tags[letter + b"XYZ"] = b"XYZ \0\0\0\0" + fixed(*xyz)
            tags[letter + b"TRC"] = curve
    table, body = struct.pack(">I", len(tags)), b""
    for name, value in tags.items():
        offset = 128 + 4 + 12 * len(tags) + len(body)
        table += name + struct.pack(">II", offset, len(value))
        body += value + bytes(-len(value) % 4)
    size = struct.pack(">I", 128 + len(table) + len(body))
    header = size + bytes(4) + b"\x02\x10\0\0" + b"mntr" + space + b"XYZ "
    header += bytes(12) + b"acsp" + bytes(28) + fixed(*white)
    return header + bytes(128 - len(header)) + table + body


def make_png(width, height, depth, color, data, extra=b""):
    """Returns the bytes of a PNG, put together without Pillow."""

    def chunk(kind, content):
        checksum = zlib.crc32(kind + content)
        return (
            struct.pack(">I", len(content))
            + kind
            + content
            + struct.pack(">I", checksum)
        )

    shape = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", shape)
        + extra
        + chunk(b"IDAT", zlib.compress(data))
        + chunk(b"IEND", b"")
    )


def turn_upright(stored, orientation):
    """Puts the 0th row and column where `ORIENTATIONS` says."""
    row_side, column_side = ORIENTATIONS[orientation]
    sides = (row_side, column_side)
    upright = stored
    if row_side in ("left", "right"):
        upright = np.swapaxes(upright, 0, 1)
    if "right" in sides:
        upright = upright[:, ::-1]
    if "bottom" in sides:
        upright = upright[::-1]
    return upright


def save(image, path, picture_format, **options):
    options = SAVE_OPTIONS[picture_format] | options
    image.save(path, format=picture_format, **options)
    return str(path)


def save_bytes(path, content):
    path.write_bytes(content)
    return str(path)


def make_bytes(picture_format):
    """Returns the content of a small file of a format."""
    mode = "P" if picture_format == "GIF" else "RGB"
    file = io.BytesIO()
    save(make_picture(mode)[0], file, picture_format)
    return file.getvalue()


def make_exif(tag, value, ifd=None):
    exif = Image.Exif()
    (exif if ifd is None else exif.get_ifd(ifd))[tag] = value
    if ifd is not None:
        exif[ifd] = exif.get_ifd(ifd)
    return exif


def assert_within(actual, expected, tolerance):
    assert actual.dtype == np.uint8
    assert actual.shape == np.shape(expected)
    assert np.abs(actual - np.asarray(expected, float)).max() <= tolerance


# Reading: formats and modes.


def test_modes_are_listed_for_every_read_format():
    assert (*MODES, "HEIC") == tuple(signatures.READ)


@pytest.mark.parametrize(
    ("picture_format", "mode"),
    [(name, mode) for name, modes in MODES.items() for mode in modes],
)
def test_read_image_shows_every_mode_of_every_format(
    tmp_path, picture_format, mode
):
    image, expected, alpha = make_picture(mode)
    path = save(image, tmp_path / "picture", picture_format)
    picture = read_image(path)
    is_lossy = picture_format in ("JPEG", "AVIF")
    tolerance = JPEG if is_lossy else TOLERANCES.get(mode, 0)
    assert_within(picture.pixels, np.clip(expected, 0, 255), tolerance)
    if alpha is None:
        assert picture.alpha is None
    else:
        np.testing.assert_array_equal(picture.alpha, alpha, strict=True)


@pytest.mark.parametrize("depth", [1, 2, 4, 8])
def test_read_image_scales_grey_levels_of_few_bits(tmp_path, depth):
    levels = np.arange(16 * 16).reshape(16, 16) % 2**depth
    bits = (levels[..., np.newaxis] >> np.arange(depth)[::-1]) & 1
    rows = np.packbits(bits.reshape(16, -1).astype(np.uint8), axis=1)
    data = b"".join(b"\0" + row.tobytes() for row in rows)
    path = save_bytes(tmp_path / "a.png", make_png(16, 16, depth, 0, data))
    expected = gray_to_rgb(levels * 255 / (2**depth - 1))
    assert_within(read_image(path).pixels, expected, 0)


def test_read_image_narrows_16_bit_rgb(tmp_path):
    wide = np.arange(16 * 16 * 3).reshape(16, 16, 3) * 85
    data = b"".join(b"\0" + row.astype(">u2").tobytes() for row in wide)
    path = save_bytes(tmp_path / "a.png", make_png(16, 16, 16, 2, data))
    assert_within(read_image(path).pixels, wide / 257, ROUNDING)


def test_read_image_keeps_a_palettes_transparency(tmp_path):
    image, expected, _ = make_picture("P")
    indices = np.array(image)
    path = save(
        image, tmp_path / "a.png", "PNG", transparency=bytes(range(0, 240, 30))
    )
    picture = read_image(path)
    assert_within(picture.pixels, expected, 0)
    np.testing.assert_array_equal(picture.alpha, indices * 30)


@pytest.mark.parametrize("picture_format", ["PNG", "GIF"])
def test_read_image_keeps_the_colors_under_a_transparent_index(
    tmp_path, picture_format
):
    image, expected, _ = make_picture("P")
    path = save(image, tmp_path / "a", picture_format, transparency=3)
    picture = read_image(path)
    assert_within(picture.pixels, expected, 0)
    np.testing.assert_array_equal(picture.alpha, (np.array(image) != 3) * 255)


@pytest.mark.parametrize(
    ("mode", "key"), [("1", 0), ("L", 95), ("RGB", (95, 87, 160))]
)
def test_read_image_makes_a_transparent_color_alpha(tmp_path, mode, key):
    image, expected, _ = make_picture(mode)
    path = save(image, tmp_path / "a.png", "PNG", transparency=key)
    picture = read_image(path)
    assert_within(picture.pixels, expected, 0)
    alpha = (expected != key).any(-1) * 255
    np.testing.assert_array_equal(picture.alpha, alpha)
    assert 0 < np.count_nonzero(alpha) < alpha.size


def test_read_image_narrows_16_bit_gray_when_a_level_is_transparent(tmp_path):
    wide = make_wide_gray()
    key = int(wide[7, 7])
    image = Image.fromarray(wide.astype(np.uint16))
    path = save(image, tmp_path / "a.png", "PNG", transparency=key)
    picture = read_image(path)
    np.testing.assert_array_equal(picture.alpha, (wide != key) * 255)
    assert_within(picture.pixels, gray_to_rgb(np.rint(wide / 257)), 0)


@pytest.mark.parametrize("picture_format", ["GIF", "PNG", "WEBP", "TIFF"])
def test_read_image_shows_the_first_frame(tmp_path, caplog, picture_format):
    frames = [Image.new("RGB", (16, 16), c) for c in ("red", "blue", "lime")]
    path = save(
        frames[0],
        tmp_path / "a",
        picture_format,
        save_all=True,
        append_images=frames[1:],
    )
    with Image.open(path) as image:
        assert image.n_frames == 3
    picture = read_image(path)
    assert_within(picture.pixels, np.full((16, 16, 3), (255, 0, 0)), 0)
    assert picture.alpha is None
    (record,) = caplog.records
    assert "several pages or frames; the first" in record.getMessage()


def test_read_image_shows_the_first_picture_of_a_phones_mpo(tmp_path):
    frames = [Image.new("RGB", (16, 16), c) for c in ("red", "blue")]
    path = str(tmp_path / "a.jpg")
    frames[0].save(path, "MPO", save_all=True, append_images=frames[1:])
    picture = read_image(path)
    assert_within(picture.pixels, np.full((16, 16, 3), (255, 0, 0)), JPEG)


def test_read_image_takes_the_format_from_the_content(tmp_path):
    image, expected, _ = make_picture("RGB")
    path = save(image, tmp_path / "really_a_png.jpg", "PNG")
    assert_within(read_image(path).pixels, expected, 0)


# Reading: orientation and colour.


@pytest.mark.parametrize(
    "picture_format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"]
)
@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_read_image_turns_upright(tmp_path, picture_format, orientation):
    image, _, _ = make_picture("RGB")
    stored = read_image(save(image, tmp_path / "stored", picture_format))
    exif = make_exif(ORIENTATION_TAG, orientation)
    path = save(image, tmp_path / "turned", picture_format, exif=exif)
    expected = turn_upright(stored.pixels, orientation)
    np.testing.assert_array_equal(read_image(path).pixels, expected)


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_read_image_turns_the_alpha_too(tmp_path, orientation):
    image, _, alpha = make_picture("RGBA")
    exif = make_exif(ORIENTATION_TAG, orientation)
    path = save(image, tmp_path / "a.png", "PNG", exif=exif)
    expected = turn_upright(alpha, orientation)
    np.testing.assert_array_equal(read_image(path).alpha, expected)


@pytest.mark.parametrize("picture_format", ["JPEG", "PNG", "WEBP"])
def test_read_image_reads_on_when_the_exif_is_damaged(tmp_path, picture_format):
    image, _, _ = make_picture("RGB")
    whole = read_image(save(image, tmp_path / "whole", picture_format))
    exif = b"Exif\0\0no TIFF header"
    path = save(image, tmp_path / "damaged", picture_format, exif=exif)
    np.testing.assert_array_equal(read_image(path).pixels, whole.pixels)


@pytest.mark.parametrize(
    ("picture_format", "mode", "tolerance"),
    [
        ("PNG", "RGB", COLOR),
        ("WEBP", "RGB", COLOR),
        ("TIFF", "RGB", COLOR),
        ("JPEG", "RGB", 2 * JPEG),  # a gamma below sRGB's spreads the dark
        ("PNG", "P", COLOR),
        ("TIFF", "YCbCr", 2 * COLOR),
    ],
)
def test_read_image_converts_from_the_profile(
    tmp_path, picture_format, mode, tolerance
):
    image, levels, _ = make_picture(mode)
    profile = make_profile(b"RGB ")
    path = save(image, tmp_path / "a", picture_format, icc_profile=profile)
    expected = encode_srgb((levels / 255) ** GAMMA)
    assert np.abs(expected - levels).max() > 15
    assert_within(read_image(path).pixels, expected, tolerance)


@pytest.mark.parametrize("mode", ["L", "LA", "I;16"])
def test_read_image_converts_from_a_grey_profile(tmp_path, mode):
    image, levels, alpha = make_picture(mode)
    profile = make_profile(b"GRAY")
    path = save(image, tmp_path / "a.png", "PNG", icc_profile=profile)
    picture = read_image(path)
    assert_within(picture.pixels, encode_srgb((levels / 255) ** GAMMA), COLOR)
    np.testing.assert_array_equal(picture.alpha, alpha)


def test_read_image_leaves_the_alpha_out_of_the_profile(tmp_path):
    image, levels, alpha = make_picture("RGBA")
    profile = make_profile(b"RGB ")
    path = save(image, tmp_path / "a.png", "PNG", icc_profile=profile)
    picture = read_image(path)
    assert_within(picture.pixels, encode_srgb((levels / 255) ** GAMMA), COLOR)
    np.testing.assert_array_equal(picture.alpha, alpha)


def test_read_image_keeps_the_pixels_when_the_profile_is_srgb(tmp_path):
    image, levels, _ = make_picture("RGB")
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    path = save(image, tmp_path / "a.png", "PNG", icc_profile=srgb.tobytes())
    assert_within(read_image(path).pixels, levels, ROUNDING)


@pytest.mark.parametrize(
    "profile",
    [b"no profile", make_profile(b"RGB ")[:150], make_profile(b"GRAY")],
    ids=["garbage", "truncated", "of another color space"],
)
def test_read_image_warns_and_reads_srgb_when_the_profile_is_unusable(
    tmp_path, caplog, profile
):
    image, levels, _ = make_picture("RGB")
    path = save(image, tmp_path / "a.png", "PNG", icc_profile=profile)
    picture = read_image(path)
    assert_within(picture.pixels, levels, 0)
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert record.getMessage().startswith(
        f"Image {path!r}: its colour profile is unusable ("
    )
    assert record.getMessage().endswith("); read as sRGB.")


@pytest.mark.parametrize(
    "color", [(200, 60, 90), (60, 160, 90), (90, 100, 200)]
)
def test_read_image_converts_lab_back_to_the_same_color(tmp_path, color):
    image = Image.new("RGB", (16, 16), color)
    srgb = ImageCms.createProfile("sRGB")
    lab = ImageCms.createProfile("LAB")
    image = ImageCms.profileToProfile(image, srgb, lab, outputMode="LAB")
    path = save(image, tmp_path / "a.tif", "TIFF")
    expected = np.full((16, 16, 3), color)
    assert_within(read_image(path).pixels, expected, LAB)


# Reading: what is refused.


def test_read_image_names_a_missing_file(tmp_path):
    path = str(tmp_path / "missing.png")
    expected = (
        f"Image {path!r} cannot be read (No such file or directory). Check the"
        " path; it is taken from the current folder."
    )
    with pytest.raises(ImageError, match=f"^{re.escape(expected)}$"):
        read_image(path)


def test_read_image_refuses_a_path_below_a_file(tmp_path):
    path = save_bytes(tmp_path / "a.png", make_bytes("PNG"))
    rule = re.escape("cannot be read (Not a directory). Check the path")
    with pytest.raises(ImageError, match=rule):
        read_image(os.path.join(path, "b.png"))


def test_read_image_refuses_an_empty_file(tmp_path):
    path = save_bytes(tmp_path / "a.png", b"")
    expected = f"Image {path!r} is empty. Save it anew."
    with pytest.raises(ImageError, match=f"^{re.escape(expected)}$"):
        read_image(path)


def test_read_image_refuses_a_folder(tmp_path):
    rule = re.escape("is a folder. Name a picture in it")
    with pytest.raises(ImageError, match=rule):
        read_image(str(tmp_path))


def test_read_image_refuses_a_device():
    with pytest.raises(ImageError, match="'/dev/null' is not a regular file"):
        read_image(os.devnull)


def test_read_image_refuses_a_pipe_without_waiting_for_a_writer(tmp_path):
    path = str(tmp_path / "a.png")
    os.mkfifo(path)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        future = pool.submit(read_image, path)
        waits = bool(concurrent.futures.wait([future], PROMPT).not_done)
        if waits:  # a writer comes and goes, so that the test can end
            os.close(os.open(path, os.O_WRONLY))
        with pytest.raises(ImageError, match="is not a regular file"):
            future.result()
    assert not waits


@pytest.mark.parametrize("other_format", ["EPS", "ICO", "TGA", "PCX"])
def test_read_image_refuses_other_formats(tmp_path, other_format):
    path = tmp_path / "a.png"
    make_picture("RGB")[0].save(path, format=other_format)
    with pytest.raises(
        ImageError, match=r"is (not a JPEG, PNG|an icon|a Post)"
    ):
        read_image(str(path))


@pytest.mark.parametrize("picture_format", MODES)
@pytest.mark.parametrize("share", [0.01, 0.25, 0.4])
def test_read_image_refuses_a_truncated_file(tmp_path, picture_format, share):
    content = make_bytes(picture_format)
    path = save_bytes(tmp_path / "a", content[: 16 + int(len(content) * share)])
    with pytest.raises(ImageError, match=r"Fetch it again(\.|, or save it)"):
        read_image(path)


@pytest.mark.parametrize("size", [(1, 1), (1, 30), (15, 16)])
def test_read_image_takes_a_tiny_picture(tmp_path, size):
    path = save(Image.new("RGB", size, "red"), tmp_path / "a.png", "PNG")
    picture = read_image(path)
    assert_within(picture.pixels, np.full((*size[::-1], 3), (255, 0, 0)), 0)


@pytest.mark.parametrize(("width", "is_taken"), [(4094, True), (4095, False)])
def test_read_image_refuses_a_picture_too_long_for_its_width(
    tmp_path, width, is_taken
):
    path = save(Image.new("L", (width, 1)), tmp_path / "a.png", "PNG")
    if is_taken:
        assert read_image(path).pixels.shape == (1, width, 3)
    else:
        with pytest.raises(
            ImageError, match=r"4094 times the other.*Cut a part"
        ):
            read_image(path)


@pytest.mark.parametrize(("width", "is_taken"), [(65500, True), (65501, False)])
def test_read_image_takes_the_longest_side(tmp_path, width, is_taken):
    data = bytes(16 * (1 + width))
    path = save_bytes(tmp_path / "a.png", make_png(width, 16, 8, 0, data))
    if is_taken:
        assert read_image(path).pixels.shape == (16, width, 3)
    else:
        with pytest.raises(ImageError, match="Received: 65501x16"):
            read_image(path)


def test_read_image_refuses_a_decompression_bomb_by_its_header(tmp_path):
    bomb = make_png(60000, 60000, 8, 2, b"")
    path = save_bytes(tmp_path / "a.png", bomb)
    expected = (
        f"Image {path!r} may have at most 178956970 pixels. Received:"
        " 60000x60000. Make it smaller or raise --max_image_pixels."
    )
    start = time.monotonic()
    with pytest.raises(ImageError, match=f"^{re.escape(expected)}$"):
        read_image(path)
    assert time.monotonic() - start < PROMPT


def test_read_image_counts_max_pixels_inclusively(tmp_path):
    path = save(make_picture("RGB")[0], tmp_path / "a.png", "PNG")
    num_pixels = HEIGHT * WIDTH
    assert read_image(path, num_pixels).pixels.shape == (HEIGHT, WIDTH, 3)
    with pytest.raises(
        ImageError,
        match=r"at most 479 pixels\. Received: 24x20\. .* --max_image_pixels",
    ):
        read_image(path, num_pixels - 1)


def test_read_image_has_its_own_limit_and_restores_pillows(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 7)
    whole = save(make_picture("RGB")[0], tmp_path / "a.png", "PNG")
    broken = save_bytes(tmp_path / "b.png", make_bytes("PNG")[:60])
    assert read_image(whole).pixels.shape == (HEIGHT, WIDTH, 3)
    assert Image.MAX_IMAGE_PIXELS == 7
    assert read_text(whole) is None
    assert Image.MAX_IMAGE_PIXELS == 7
    for path in (broken, str(tmp_path / "missing.png"), str(tmp_path)):
        with pytest.raises(ImageError):
            read_image(path)
        assert Image.MAX_IMAGE_PIXELS == 7


@pytest.mark.parametrize("picture_format", MODES)
@settings(max_examples=40, deadline=None, derandomize=True)
@given(data=st.data())
def test_read_image_raises_nothing_but_image_errors_when_bytes_are_damaged(
    tmp_path_factory, picture_format, data
):
    content = bytearray(make_bytes(picture_format))
    places = st.integers(0, min(len(content), 300) - 1)
    damages = st.lists(st.tuples(places, st.integers(0, 255)), min_size=1)
    for place, value in data.draw(damages):
        content[place] = value
    folder = tmp_path_factory.getbasetemp()
    path = save_bytes(folder / f"damaged.{picture_format}", bytes(content))
    try:
        assert read_image(path, max_pixels=10**5).pixels.dtype == np.uint8
    except ImageError as error:
        assert repr(path) in str(error)  # noqa: PT017 - it may succeed
    try:
        assert read_text(path) is None
    except ImageError as error:
        assert repr(path) in str(error)  # noqa: PT017 - it may succeed


# Writing.


@pytest.mark.parametrize("ending", [e for e in WRITE_ENDINGS if "jp" not in e])
def test_write_image_loses_nothing(tmp_path, generator, ending):
    pixels = generator.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    path = str(tmp_path / f"a{ending}")
    write_image(path, pixels)
    picture = read_image(path)
    np.testing.assert_array_equal(picture.pixels, pixels, strict=True)
    assert picture.alpha is None


@pytest.mark.parametrize(
    ("ending", "picture_format"),
    [
        (".png", "PNG"),
        (".jpg", "JPEG"),
        (".jpeg", "JPEG"),
        (".webp", "WEBP"),
        (".tif", "TIFF"),
        (".tiff", "TIFF"),
        (".PNG", "PNG"),
        (".JPG", "JPEG"),
    ],
)
def test_write_image_chooses_the_format_by_the_ending(
    tmp_path, ending, picture_format
):
    path = str(tmp_path / f"a{ending}")
    write_image(path, make_ramps()[..., :3])
    with Image.open(path) as image:
        assert image.format == picture_format
        assert image.mode == "RGB"


def test_write_image_writes_jpeg_at_quality_95_without_subsampling(tmp_path):
    pixels = make_ramps()[..., :3]
    path = str(tmp_path / "a.jpg")
    write_image(path, pixels)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=95)
    with Image.open(path) as image, Image.open(file) as other:
        assert image.quantization == other.quantization
        assert JpegImagePlugin.get_sampling(image) == 0  # 4:4:4
    assert_within(read_image(path).pixels, pixels, 2 * JPEG)


@pytest.mark.parametrize("ending", ALPHA_ENDINGS)
def test_write_image_keeps_the_alpha_and_the_colors_under_it(
    tmp_path, generator, ending
):
    pixels = generator.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    alpha = generator.integers(0, 256, (HEIGHT, WIDTH), np.uint8)
    alpha[:5] = 0
    path = str(tmp_path / f"a{ending}")
    write_image(path, pixels, alpha)
    picture = read_image(path)
    np.testing.assert_array_equal(picture.pixels, pixels, strict=True)
    np.testing.assert_array_equal(picture.alpha, alpha, strict=True)


@pytest.mark.parametrize("ending", [".jpg", ".jpeg"])
def test_write_image_lays_on_white_where_the_format_has_no_alpha(
    tmp_path, ending, caplog
):
    ramps = make_ramps()
    with_alpha = tmp_path / f"a{ending}"
    without = tmp_path / f"b{ending}"
    write_image(str(with_alpha), ramps[..., :3], ramps[..., 3])
    assert "laid on white" in caplog.text
    paper = Image.new("RGBA", (ramps.shape[1], ramps.shape[0]), "white")
    paper.alpha_composite(Image.fromarray(ramps))
    write_image(str(without), np.array(paper.convert("RGB")))
    shown = read_image(str(with_alpha))
    assert_within(shown.pixels, read_image(str(without)).pixels, JPEG)
    assert shown.alpha is None


@pytest.mark.parametrize("ending", WRITE_ENDINGS)
def test_write_image_takes_views_and_writes_into_none(tmp_path, ending):
    ramps = make_ramps()
    pixels, alpha = ramps[::-1, 20:3:-1, 2::-1], ramps[:, 4:21, 3]
    before = ramps.copy()
    ramps.setflags(write=False)
    path = str(tmp_path / f"a{ending}")
    write_image(path, pixels, alpha, "text")
    np.testing.assert_array_equal(ramps, before)
    tolerance = 0
    if ending not in ALPHA_ENDINGS:
        pixels, tolerance = lay_on_white(pixels, alpha), 4 * JPEG
    assert_within(read_image(path).pixels, pixels, tolerance)


@pytest.mark.parametrize("ending", WRITE_ENDINGS)
@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_read_text_returns_what_write_image_put_in(tmp_path, ending, text):
    path = str(tmp_path / f"a{ending}")
    write_image(path, make_ramps()[..., :3], text=text)
    assert read_text(path) == text


@pytest.mark.parametrize("ending", ALPHA_ENDINGS)
def test_write_image_keeps_text_and_alpha_together(tmp_path, ending):
    ramps = make_ramps()
    path = str(tmp_path / f"a{ending}")
    write_image(path, ramps[..., :3], ramps[..., 3], TEXTS["unicode"])
    picture = read_image(path)
    np.testing.assert_array_equal(picture.pixels, ramps[..., :3])
    np.testing.assert_array_equal(picture.alpha, ramps[..., 3])
    assert read_text(path) == TEXTS["unicode"]


def test_write_image_puts_the_text_where_the_docs_say(tmp_path):
    pixels, text = make_ramps()[..., :3], "B\u00e4r"
    write_image(str(tmp_path / "a.png"), pixels, text=text)
    chunk = b"iTXttfstyle\0\0\0\0\0" + text.encode()  # language, keyword: none
    assert chunk in (tmp_path / "a.png").read_bytes()
    comment = b"UNICODE\0" + text.encode("utf-16-be")
    for ending in WRITE_ENDINGS[1:]:
        path = tmp_path / f"a{ending}"
        write_image(str(path), pixels, text=text)
        assert comment in path.read_bytes()
        with Image.open(path) as image:
            exif = image.getexif().get_ifd(EXIF_IFD)
        assert exif == {USER_COMMENT: comment}


@pytest.mark.parametrize("ending", WRITE_ENDINGS)
def test_write_image_gives_the_same_bytes_again(tmp_path, ending):
    ramps = make_ramps()
    paths = [tmp_path / f"{name}{ending}" for name in ("a", "b")]
    for path in paths:
        write_image(str(path), ramps[..., :3], ramps[..., 3], "text")
    assert paths[0].read_bytes() == paths[1].read_bytes()


@pytest.mark.parametrize("ending", WRITE_ENDINGS)
def test_read_text_is_none_when_no_text_was_written(tmp_path, ending):
    path = str(tmp_path / f"a{ending}")
    write_image(path, make_ramps()[..., :3])
    assert read_text(path) is None


@pytest.mark.parametrize("picture_format", MODES)
def test_read_text_is_none_for_a_foreign_picture(tmp_path, picture_format):
    path = save_bytes(tmp_path / "a", make_bytes(picture_format))
    assert read_text(path) is None


def test_read_text_is_none_for_a_png_of_other_text(tmp_path):
    info = PngInfo()
    info.add_text("Software", "tfstyle")
    info.add_itxt("Comment", "tfstyle")
    image = make_picture("RGB")[0]
    path = save(image, tmp_path / "a.png", "PNG", pnginfo=info)
    assert read_text(path) is None


@pytest.mark.parametrize("picture_format", ["JPEG", "WEBP", "TIFF"])
@pytest.mark.parametrize(
    "comment", [b"", b"short", bytes(8) + b"undefined", "a string", 5]
)
def test_read_text_is_none_for_a_foreign_user_comment(
    tmp_path, picture_format, comment
):
    exif = make_exif(USER_COMMENT, comment, EXIF_IFD)
    image = make_picture("RGB")[0]
    path = save(image, tmp_path / "a", picture_format, exif=exif)
    assert read_text(path) is None


@pytest.mark.parametrize("ending", WRITE_ENDINGS)
def test_read_text_decodes_no_pixels(tmp_path, monkeypatch, ending):
    path = str(tmp_path / f"a{ending}")
    write_image(path, make_ramps()[..., :3], text="text")

    def load(self):
        pytest.fail("The picture was decoded, which no limit of pixels guards")

    monkeypatch.setattr(ImageFile.ImageFile, "load", load)
    assert read_text(path) == "text"


def test_read_text_names_a_missing_file(tmp_path):
    path = str(tmp_path / "missing.png")
    with pytest.raises(
        ImageError, match=re.escape(f"Image {path!r} cannot be")
    ):
        read_text(path)


@pytest.mark.parametrize(
    "name", ["a.gif", "a.bmp", "a.pdf", "a", ".png", "png"]
)
def test_write_image_refuses_an_unknown_ending(tmp_path, name):
    path = str(tmp_path / name)
    expected = (
        f"Image {path!r} must end in one of"
        " .png, .jpg, .jpeg, .webp, .tif, .tiff."
    )
    with pytest.raises(ImageError, match=f"^{re.escape(expected)}$"):
        write_image(path, make_ramps()[..., :3])
    assert os.listdir(tmp_path) == []


def test_write_image_makes_missing_folders(tmp_path):
    path = tmp_path / "missing" / "folder" / "a.png"
    write_image(str(path), np.zeros((4, 5, 3), np.uint8))
    with Image.open(path) as image:
        assert image.size == (5, 4)


def test_write_image_refuses_a_folder_that_is_not_writable(
    tmp_path, monkeypatch
):
    def refuse(*_):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)  # root may do anything
    path = str(tmp_path / "a.png")
    expected = f"{path!r} cannot be written (Permission denied)."
    with pytest.raises(ImageError, match=f"^Image {re.escape(expected)}$"):
        write_image(path, make_ramps()[..., :3])


def test_write_image_refuses_a_folder_in_its_place(tmp_path):
    path = tmp_path / "a.png"
    path.mkdir()
    with pytest.raises(ImageError, match=r"written \(Is a directory\)"):
        write_image(str(path), make_ramps()[..., :3])
    assert os.listdir(tmp_path) == ["a.png"]


@pytest.mark.parametrize("ending", WRITE_ENDINGS)
def test_write_image_leaves_the_previous_file_when_the_disk_is_full(
    tmp_path, monkeypatch, ending
):
    path = tmp_path / f"a{ending}"
    write_image(str(path), make_ramps()[..., :3], text="previous")
    previous = path.read_bytes()

    def save_half(self, file, **options):
        with open(file, "wb") as half:
            half.write(previous[: len(previous) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", save_half)
    with pytest.raises(ImageError, match=r"\(No space left on device\)\.$"):
        write_image(str(path), 255 - make_ramps()[..., :3])
    assert path.read_bytes() == previous
    assert os.listdir(tmp_path) == [path.name]


@pytest.mark.parametrize(
    ("ending", "width", "text"),
    [(".webp", 16384, ""), (".jpg", 65501, "")],
    ids=["webp's side", "jpeg's side"],
)
def test_write_image_refuses_what_the_format_cannot_hold(
    tmp_path, ending, width, text
):
    path = tmp_path / f"a{ending}"
    path.write_bytes(b"previous")
    with pytest.raises(ImageError, match=r"a\.\w+' cannot be written \(.+\)"):
        write_image(str(path), np.zeros((16, width, 3), np.uint8), text=text)
    assert path.read_bytes() == b"previous"
    assert os.listdir(tmp_path) == [path.name]


@settings(max_examples=25, deadline=None)
@given(
    pixels=st_numpy.arrays(
        np.uint8,
        st.tuples(st.integers(16, 24), st.integers(16, 24), st.just(4)),
    ),
    has_alpha=st.booleans(),
    text=st.text(
        st.characters(exclude_categories=["Cs"], exclude_characters="\0")
    ),
)
def test_png_round_trip_loses_nothing(
    tmp_path_factory, pixels, has_alpha, text
):
    path = str(tmp_path_factory.getbasetemp() / "round_trip.png")
    alpha = pixels[..., 3] if has_alpha else None
    write_image(path, pixels[..., :3], alpha, text)
    picture = read_image(path)
    np.testing.assert_array_equal(picture.pixels, pixels[..., :3])
    np.testing.assert_array_equal(picture.alpha, alpha)
    assert read_text(path) == (text or None)


# Sizes.


def lanczos_matrix(num_in, num_out):
    """Returns `[num_out, num_in]`: Lanczos' filter, a = 3, rows of sum 1."""
    scale = num_in / num_out
    stretch = max(scale, 1)  # widened when it makes smaller
    centers = (np.arange(num_out) + 0.5) * scale
    places = (np.arange(num_in) + 0.5 - centers[:, np.newaxis]) / stretch
    weights = np.sinc(places) * np.sinc(places / 3) * (np.abs(places) < 3)
    return weights / weights.sum(1, keepdims=True)


@pytest.mark.parametrize("size", [(11, 17), (20, 30), (61, 40), (16, 80)])
def test_resize_is_lanczos_filter(generator, size):
    pixels = generator.integers(70, 186, (30, 40, 3), np.uint8)  # no clipping
    rows = lanczos_matrix(30, size[0])
    columns = lanczos_matrix(40, size[1])
    expected = np.einsum("yh,xw,hwc->yxc", rows, columns, pixels)
    assert_within(resize(pixels, *size), expected, TWO_PASSES)


@pytest.mark.parametrize("level", [0, 1, 127, 254, 255])
@pytest.mark.parametrize("size", [(1, 1), (7, 90), (20, 20), (333, 11)])
def test_resize_keeps_a_constant_color(level, size):
    pixels = np.full((30, 40, 3), (level, 255 - level, 77), np.uint8)
    expected = np.full((*size, 3), (level, 255 - level, 77), np.uint8)
    np.testing.assert_array_equal(resize(pixels, *size), expected, strict=True)


@pytest.mark.parametrize("size", [(15, 20), (60, 80), (45, 31)])
def test_resize_keeps_the_mean(generator, size):
    pixels = generator.integers(60, 196, (30, 40, 3), np.uint8)
    means = resize(pixels, *size).mean((0, 1))
    np.testing.assert_allclose(means, pixels.mean((0, 1)), atol=ROUNDING)


def test_resize_takes_one_channel(generator):
    alpha = generator.integers(0, 256, (30, 40), np.uint8)
    small = resize(alpha, 15, 16)
    whole = resize(np.dstack([alpha] * 3), 15, 16)
    np.testing.assert_array_equal(small, whole[..., 1], strict=True)


def test_resize_returns_the_same_when_the_size_is_the_same(generator):
    pixels = generator.integers(0, 256, (30, 40, 3), np.uint8)
    assert resize(pixels, 30, 40) is pixels


def test_resize_never_writes_into_its_argument(generator):
    pixels = generator.integers(0, 256, (30, 40, 3), np.uint8)
    before = pixels.copy()
    small = resize(pixels, 15, 20)
    large = resize(pixels[::-1, ::2], 60, 80)
    small[:] = 0
    large[:] = 0
    np.testing.assert_array_equal(pixels, before)


@pytest.mark.parametrize(
    ("height", "width", "long_edge", "expected"),
    [
        (480, 640, 512, (384, 512)),
        (640, 480, 512, (512, 384)),
        (576, 768, 512, (384, 512)),
        (500, 683, 512, (375, 512)),  # 374.8
        (100, 100, 512, (512, 512)),
        (20, 30, 60, (40, 60)),
        (1, 1000, 16, (1, 16)),  # never 0
        (480, 640, 0, (480, 640)),
        (17, 9, 0, (17, 9)),
    ],
)
def test_fit_size_gives_known_sizes(height, width, long_edge, expected):
    assert fit_size(height, width, long_edge) == expected


@given(
    height=st.integers(1, 65500),
    width=st.integers(1, 65500),
    long_edge=st.integers(1, 65500),
)
def test_fit_size_keeps_the_aspect_ratio_and_the_long_edge(
    height, width, long_edge
):
    fitted = fit_size(height, width, long_edge)
    scale = Fraction(long_edge, max(height, width))
    half = Fraction(1, 2) + Fraction(1, 10**9)  # a tie, in floating point
    for actual, before in zip(fitted, (height, width), strict=True):
        if before == max(height, width):
            assert actual == long_edge
        else:
            assert actual == 1 or abs(actual - before * scale) <= half
    assert min(fitted) >= 1
