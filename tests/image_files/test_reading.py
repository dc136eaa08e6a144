"""Image files: every format and mode, what is refused, what comes back."""

import concurrent.futures
import errno
import io
import os
import pathlib
import struct
import zlib

import numpy as np
import pytest
from PIL import Image
from PIL import ImageCms
from PIL import ImageFile
from PIL import JpegImagePlugin
from PIL.PngImagePlugin import PngInfo

from tests import hostile
from tests.refusals import refuses
from tfstyle.errors import ImageError
from tfstyle.image_files.reading import read_image
from tfstyle.image_files.reading import read_text
from tfstyle.image_files.writing import ALPHA_ENDINGS
from tfstyle.image_files.writing import WRITE_ENDINGS
from tfstyle.image_files.writing import write_image
from tfstyle.images.transparency import lay_on_white

HEIGHT, WIDTH = 20, 24
ROUNDING = 1  # grey level; the other route rounds in another place
COLOR = 2  # grey levels; fixed-point tables of a colour conversion
LAB = 5  # grey levels; whole steps of a and b, three times coarser
JPEG = 4  # grey levels; rounded coefficients of a smooth picture
GAMMA = 1.8  # of the profiles made here; sRGB is near 2.2
PROMPT = 2  # seconds; far more than refusing needs, far less than decoding

SAVE_OPTIONS = {
    "JPEG": {"quality": 100, "subsampling": 0},
    "WEBP": {"lossless": True, "exact": True},
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
    "none": "",
    "ascii": "--seed=1\n# of two lines\n",
    "unicode": "--content_image=B\u00e4r \u732b \U0001f600.png\n",
    "long": "--style_images=a.png\n" * 1000,
}

TURNS = {  # from the stored picture to what is shown, by EXIF's orientation
    1: lambda stored: stored,
    2: np.fliplr,
    3: lambda stored: np.rot90(stored, 2),
    4: np.flipud,
    5: lambda stored: np.swapaxes(stored, 0, 1),
    6: lambda stored: np.rot90(stored, -1),  # clockwise
    7: lambda stored: np.swapaxes(np.rot90(stored, 2), 0, 1),
    8: np.rot90,
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
    ramps, wide = make_ramps(), make_wide_gray()
    rgb, gray, alpha = ramps[..., :3], ramps[..., 0], ramps[..., 3]
    if mode == "P":
        indices = gray // 32
        palette = np.random.default_rng(1).integers(0, 256, (8, 3), np.uint8)
        image = Image.frombytes("P", (WIDTH, HEIGHT), indices.tobytes())
        image.putpalette(palette.tobytes())
        return image, palette[indices], None
    if mode == "CMYK":
        image = Image.frombytes(mode, (WIDTH, HEIGHT), ramps.tobytes())
        light = 255 - ramps.astype(float)
        return image, light[..., :3] * light[..., 3:] / 255, None
    if mode == "YCbCr":
        stored = rgb // 4 + 96
        image = Image.frombytes(mode, (WIDTH, HEIGHT), stored.tobytes())
        y, b, r = np.moveaxis(stored - [0.0, 128.0, 128.0], -1, 0)
        red, blue = y + 1.402 * r, y + 1.772 * b
        green = y - 0.344136 * b - 0.714136 * r
        return image, np.stack([red, green, blue], -1), None
    if mode == "LAB":
        neutral = np.zeros_like(gray)  # a and b are signed
        stored = np.dstack([gray, neutral, neutral])
        image = Image.frombytes(mode, (WIDTH, HEIGHT), stored.tobytes())
        lightness = gray / 255 * 100
        cube = ((lightness + 16) / 116) ** 3
        light = np.where(lightness > 8, cube, lightness / 903.3)
        return image, gray_to_rgb(encode_srgb(light)), None
    narrow = gray_to_rgb(np.rint(wide / 257))
    stored, levels, alpha = {
        "1": (gray > 100, gray_to_rgb((gray > 100) * 255), None),
        "L": (gray, gray_to_rgb(gray), None),
        "LA": (np.dstack([gray, alpha]), gray_to_rgb(gray), alpha),
        "RGB": (rgb, rgb, None),
        "RGBA": (ramps, rgb, alpha),
        "I": (wide.astype("<i4"), narrow, None),
        "I;16": (wide.astype("<u2"), narrow, None),
        "I;16B": (wide.astype(">u2"), narrow, None),
    }[mode]
    return Image.fromarray(stored), levels, alpha


def make_wide_gray():
    """Returns 16-bit grey levels `[HEIGHT, WIDTH]`, the ends included."""
    wide = make_ramps()[..., 0].astype(int) * 257 + 9 * np.arange(WIDTH)
    wide[0, :4] = (0, 65535, 128, 129)
    return wide


def make_profile(space):
    """Returns an ICC profile of sRGB's primaries, or grey, of gamma 1.8."""

    def xyz(*numbers):
        return b"XYZ \0\0\0\0" + struct.pack(
            ">3i", *(round(65536 * n) for n in numbers)
        )

    white = xyz(0.9642, 1.0, 0.8249)  # D50
    curve = b"curv" + struct.pack(">IIH", 0, 1, round(256 * GAMMA))
    if space == b"GRAY":
        tags = {b"wtpt": white, b"kTRC": curve}
    else:
        tags = {
            b"wtpt": white,
            b"rXYZ": xyz(0.43607, 0.22249, 0.01392),
            b"gXYZ": xyz(0.38515, 0.71687, 0.09708),
            b"bXYZ": xyz(0.14307, 0.06061, 0.71410),
            **dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve),
        }
    table, body = struct.pack(">I", len(tags)), b""
    for name, value in tags.items():
        offset = 128 + 4 + 12 * len(tags) + len(body)
        table += name + struct.pack(">II", offset, len(value))
        body += value + bytes(-len(value) % 4)
    size = struct.pack(">I", 128 + len(table) + len(body))
    header = size + bytes(4) + b"\x02\x10\0\0" + b"mntr" + space + b"XYZ "
    header += bytes(12) + b"acsp" + bytes(28) + white[8:]
    return header + bytes(128 - len(header)) + table + body


def make_png(width, height, depth, data):
    """Returns the bytes of a grey PNG, put together without Pillow."""
    pixels = hostile.png_chunk(b"IDAT", zlib.compress(data))
    return hostile.make_png(width, height, pixels, depth=depth, color=0)


def save(image, path, picture_format, **options):
    options = SAVE_OPTIONS.get(picture_format, {}) | options
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


def assert_within(actual, expected, tolerance):
    assert actual.dtype == np.uint8
    assert actual.shape == np.shape(expected)
    assert np.abs(actual - np.asarray(expected, float)).max() <= tolerance


# Reading: formats and modes.


@pytest.mark.parametrize(
    ("picture_format", "mode"),
    [(name, mode) for name, modes in MODES.items() for mode in modes],
)
def test_read_image_shows_every_mode_of_every_format(
    tmp_path, picture_format, mode
):
    image, expected, alpha = make_picture(mode)
    path = save(image, tmp_path / "named.jpg", picture_format)
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
    path = save_bytes(tmp_path / "a.png", make_png(16, 16, depth, data))
    expected = gray_to_rgb(levels * 255 / (2**depth - 1))
    assert_within(read_image(path).pixels, expected, 0)


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
    path = save(
        image, tmp_path / "a", picture_format, transparency=transparency
    )
    picture = read_image(path)
    assert_within(picture.pixels, expected, 0)
    np.testing.assert_array_equal(
        picture.alpha, np.array(alphas)[np.array(image)]
    )


@pytest.mark.parametrize(
    ("mode", "key"),
    [("1", 0), ("L", 95), ("RGB", (95, 87, 160)), ("I;16", 19338)],
)
def test_read_image_makes_a_transparent_color_alpha(tmp_path, mode, key):
    image, expected, _ = make_picture(mode)
    path = save(image, tmp_path / "a.png", "PNG", transparency=key)
    picture = read_image(path)
    assert_within(picture.pixels, expected, 0)
    alpha = (np.atleast_3d(np.asarray(image)) != key).any(-1) * 255
    np.testing.assert_array_equal(picture.alpha, alpha)
    assert 0 < np.count_nonzero(alpha) < alpha.size


@pytest.mark.parametrize(
    "picture_format", ["GIF", "PNG", "WEBP", "TIFF", "MPO"]
)
def test_read_image_shows_the_first_frame(tmp_path, caplog, picture_format):
    frames = [Image.new("RGB", (16, 16), c) for c in ("red", "blue", "lime")]
    path = str(tmp_path / "a")
    frames[0].save(
        *(path, picture_format),
        save_all=True,
        append_images=frames[1:],
        lossless=True,
    )
    with Image.open(path) as image:
        assert image.n_frames == 3
    picture = read_image(path)
    is_mpo = picture_format == "MPO"  # of a phone, which adds a preview
    expected = np.full((16, 16, 3), (255, 0, 0))
    assert_within(picture.pixels, expected, JPEG * is_mpo)
    assert picture.alpha is None
    assert len(caplog.records) == (not is_mpo)
    assert ("several pages or frames" in caplog.text) == (not is_mpo)


# Reading: orientation and colour.


@pytest.mark.parametrize(
    ("picture_format", "mode"),
    [
        *(("JPEG", "RGB"), ("PNG", "RGBA"), ("WEBP", "RGB")),
        *(("TIFF", "RGB"), ("AVIF", "RGB")),
    ],
)
@pytest.mark.parametrize("orientation", TURNS)
def test_read_image_turns_upright(tmp_path, picture_format, mode, orientation):
    image, turn = make_picture(mode)[0], TURNS[orientation]
    stored = read_image(save(image, tmp_path / "stored", picture_format))
    exif = Image.Exif()
    exif[ORIENTATION_TAG] = orientation
    path = save(image, tmp_path / "turned", picture_format, exif=exif)
    turned = read_image(path)
    np.testing.assert_array_equal(turned.pixels, turn(stored.pixels))
    if mode == "RGBA":
        np.testing.assert_array_equal(turned.alpha, turn(stored.alpha))


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
        ("PNG", "RGBA", COLOR),
        ("WEBP", "RGB", COLOR),
        ("TIFF", "RGB", COLOR),
        ("JPEG", "RGB", 2 * JPEG),  # a gamma below sRGB's spreads the dark
        ("PNG", "P", COLOR),
        ("TIFF", "YCbCr", 2 * COLOR),
        ("PNG", "L", COLOR),
        ("PNG", "LA", COLOR),
        ("PNG", "I;16", COLOR),
    ],
)
def test_read_image_converts_from_the_profile_but_not_the_alpha(
    tmp_path, picture_format, mode, tolerance
):
    image, levels, alpha = make_picture(mode)
    profile = make_profile(b"GRAY" if mode in ("L", "LA", "I;16") else b"RGB ")
    path = save(image, tmp_path / "a", picture_format, icc_profile=profile)
    picture = read_image(path)
    expected = encode_srgb((levels / 255) ** GAMMA)
    assert np.abs(expected - levels).max() > 15
    assert_within(picture.pixels, expected, tolerance)
    np.testing.assert_array_equal(picture.alpha, alpha)


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
    assert_within(read_image(path).pixels, levels, 0)
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert path in record.getMessage()
    assert "profile" in record.getMessage()


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


@pytest.mark.parametrize("read", [read_image, read_text])
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("missing.png", "No such file or directory"),
        ("a.png/b.png", "Not a directory"),
        ("b.png", "empty"),
        (".", "folder"),
        (os.devnull, "not a regular file"),
    ],
)
def test_reading_names_the_file_and_why_it_cannot_be_read(
    tmp_path, read, name, reason
):
    save_bytes(tmp_path / "a.png", make_bytes("PNG"))
    save_bytes(tmp_path / "b.png", b"")
    path = os.path.join(tmp_path, name)
    with refuses("", repr(path), reason, kind=ImageError):
        read(path)


def test_read_image_refuses_a_pipe_without_waiting_for_a_writer(tmp_path):
    path = str(tmp_path / "a.png")
    os.mkfifo(path)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        future = pool.submit(read_image, path)
        waits = bool(concurrent.futures.wait([future], PROMPT).not_done)
        if waits:  # a writer comes and goes, so that the test can end
            os.close(os.open(path, os.O_WRONLY))
        with refuses("", path, kind=ImageError):
            future.result()
    assert not waits


@pytest.mark.parametrize("other_format", ["EPS", "ICO", "TGA", "PCX"])
def test_read_image_refuses_other_formats(tmp_path, other_format):
    path = tmp_path / "a.png"
    make_picture("RGB")[0].save(path, format=other_format)
    with refuses("", path, kind=ImageError) as caught:
        read_image(str(path))
    assert caught.value.__cause__ is None  # no decoder was asked


@pytest.mark.parametrize("picture_format", MODES)
@pytest.mark.parametrize("share", [0.01, 0.25, 0.4])
def test_read_image_refuses_a_truncated_file(tmp_path, picture_format, share):
    content = make_bytes(picture_format)
    path = save_bytes(tmp_path / "a", content[: 16 + int(len(content) * share)])
    with refuses("", path, "Fetch it again", kind=ImageError):
        read_image(path)


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
    path = save_bytes(tmp_path / "a.png", make_png(width, height, 8, data))
    if is_taken:
        assert_within(
            read_image(path).pixels, np.full((height, width, 3), 9), 0
        )
    else:
        size = f"{width}x{height}"
        with refuses("", path, "65500", "4094", size, kind=ImageError):
            read_image(path)


def test_read_image_counts_max_pixels_inclusively(tmp_path):
    path = save(make_picture("RGB")[0], tmp_path / "a.png", "PNG")
    num_pixels = HEIGHT * WIDTH
    assert read_image(path, num_pixels).pixels.shape == (HEIGHT, WIDTH, 3)
    with refuses("", "479", "24x20", "--max_image_pixels", kind=ImageError):
        read_image(path, num_pixels - 1)


def test_read_image_has_its_own_limit_and_restores_pillows(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 7)
    whole = save(make_picture("RGB")[0], tmp_path / "a.png", "PNG")
    assert read_image(whole).pixels.shape == (HEIGHT, WIDTH, 3)
    assert Image.MAX_IMAGE_PIXELS == 7
    assert read_text(whole) is None
    assert Image.MAX_IMAGE_PIXELS == 7
    broken = save_bytes(tmp_path / "b.png", make_bytes("PNG")[:60])
    with pytest.raises(ImageError):
        read_image(broken)
    assert Image.MAX_IMAGE_PIXELS == 7


# Writing.


@pytest.fixture(params=WRITE_ENDINGS)
def path(request, tmp_path):
    """Returns the path of a file of each format that is written."""
    return str(tmp_path / f"a{request.param}")


@pytest.mark.parametrize("ending", ALPHA_ENDINGS)
@pytest.mark.parametrize("has_alpha", [False, True])
def test_write_image_loses_nothing(tmp_path, generator, ending, has_alpha):
    pixels = generator.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    alpha = generator.integers(0, 256, (HEIGHT, WIDTH), np.uint8)
    alpha[:5] = 0  # the colours under it stay
    alpha = alpha if has_alpha else None
    path = str(tmp_path / f"a{ending}")
    write_image(path, pixels, alpha, TEXTS["unicode"])
    picture = read_image(path)
    np.testing.assert_array_equal(picture.pixels, pixels, strict=True)
    np.testing.assert_array_equal(picture.alpha, alpha)
    assert read_text(path) == TEXTS["unicode"]


@pytest.mark.parametrize(
    ("names", "picture_format"),
    [
        ("a.png a.PNG", "PNG"),
        ("a.jpg a.jpeg a.JPG", "JPEG"),
        ("a.webp", "WEBP"),
        ("a.tif a.tiff", "TIFF"),
    ],
)
def test_write_image_chooses_the_format_by_the_ending(
    tmp_path, names, picture_format
):
    for name in names.split():
        write_image(tmp_path / name, make_ramps()[..., :3])
        with Image.open(tmp_path / name) as image:
            assert (image.format, image.mode) == (picture_format, "RGB")


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


def test_write_image_lays_on_white_where_the_format_has_no_alpha(
    tmp_path, caplog
):
    ramps, path = make_ramps(), str(tmp_path / "a.jpg")
    write_image(path, ramps[..., :3], ramps[..., 3])
    assert "laid on white" in caplog.text
    shown = read_image(path)
    expected = lay_on_white(ramps[..., :3], ramps[..., 3])
    assert_within(shown.pixels, expected, 2 * JPEG)
    assert shown.alpha is None


def test_write_image_takes_views_and_writes_into_none(path):
    ramps = make_ramps()
    pixels, alpha = ramps[::-1, 20:3:-1, 2::-1], ramps[:, 4:21, 3]
    before = ramps.copy()
    ramps.setflags(write=False)
    write_image(path, pixels, alpha, "text")
    np.testing.assert_array_equal(ramps, before)
    tolerance = 0
    if not path.endswith(ALPHA_ENDINGS):
        pixels, tolerance = lay_on_white(pixels, alpha), 4 * JPEG
    assert_within(read_image(path).pixels, pixels, tolerance)


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_read_text_returns_what_write_image_put_in(path, text):
    write_image(path, make_ramps()[..., :3], text=text)
    assert read_text(path) == (text or None)


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


def test_write_image_gives_the_same_bytes_again(path):
    ramps, contents = make_ramps(), set()
    for _ in range(2):
        write_image(path, ramps[..., :3], ramps[..., 3], "text")
        contents.add(pathlib.Path(path).read_bytes())
    assert len(contents) == 1


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
    exif = Image.Exif()
    exif.get_ifd(EXIF_IFD)[USER_COMMENT] = comment
    exif[EXIF_IFD] = exif.get_ifd(EXIF_IFD)
    image = make_picture("RGB")[0]
    path = save(image, tmp_path / "a", picture_format, exif=exif)
    assert read_text(path) is None


def test_read_text_decodes_no_pixels(monkeypatch, path):
    write_image(path, make_ramps()[..., :3], text="text")

    def load(self):
        pytest.fail("The picture was decoded, which no limit of pixels guards")

    monkeypatch.setattr(ImageFile.ImageFile, "load", load)
    assert read_text(path) == "text"


@pytest.mark.parametrize("name", ["a.gif", "a", ".png", "png"])
def test_write_image_refuses_an_unknown_ending(tmp_path, name):
    path = str(tmp_path / name)
    with refuses("", path, *WRITE_ENDINGS, kind=ImageError):
        write_image(path, make_ramps()[..., :3])
    assert os.listdir(tmp_path) == []


def test_write_image_makes_missing_folders(tmp_path):
    path = tmp_path / "missing" / "folder" / "a.png"
    write_image(str(path), np.zeros((4, 5, 3), np.uint8))
    with Image.open(path) as image:
        assert image.size == (5, 4)


def test_write_image_refuses_a_folder_in_its_place(tmp_path):
    path = tmp_path / "a.png"
    path.mkdir()
    with refuses("", path, "Is a directory", kind=ImageError):
        write_image(str(path), make_ramps()[..., :3])
    assert os.listdir(tmp_path) == ["a.png"]


def test_write_image_leaves_the_previous_file_when_the_disk_is_full(
    tmp_path, monkeypatch, path
):
    write_image(path, make_ramps()[..., :3], text="previous")
    previous = pathlib.Path(path).read_bytes()

    def save_half(self, file, **options):
        with open(file, "wb") as half:
            half.write(previous[: len(previous) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", save_half)
    with refuses("", path, "No space left on device", kind=ImageError):
        write_image(path, 255 - make_ramps()[..., :3])
    assert pathlib.Path(path).read_bytes() == previous
    assert len(os.listdir(tmp_path)) == 1


@pytest.mark.parametrize(
    ("ending", "width"), [(".webp", 16384), (".jpg", 65501)]
)
def test_write_image_refuses_a_side_that_the_format_cannot_hold(
    tmp_path, ending, width
):
    path = tmp_path / f"a{ending}"
    path.write_bytes(b"previous")
    with refuses("", path, "cannot be written", kind=ImageError):
        write_image(str(path), np.zeros((16, width, 3), np.uint8))
    assert path.read_bytes() == b"previous"
    assert os.listdir(tmp_path) == [path.name]


def test_a_warning_is_logged_once_a_file(tmp_path, caplog):
    path = tmp_path / "a.jpg"
    make_picture("CMYK")[0].save(path)
    first, second = read_image(path), read_image(path)
    assert first.warnings == second.warnings != ()
    (record,) = caplog.records
    assert str(path) in record.getMessage()
