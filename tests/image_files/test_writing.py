"""Writing: what a file of each format holds, and what is refused."""

import errno
import io
import os
import pathlib

import numpy as np
import pytest
from PIL import ExifTags
from PIL import Image
from PIL import ImageFile
from PIL import JpegImagePlugin
from PIL.PngImagePlugin import PngInfo

from tests import hostile
from tests.image_files.pictures import ALPHA
from tests.image_files.pictures import COLORS
from tests.image_files.pictures import RGBA
from tests.image_files.pictures import difference
from tests.refusals import refuses
from tfstyle.errors import ImageError
from tfstyle.image_files.reading import read_image
from tfstyle.image_files.reading import read_text
from tfstyle.image_files.writing import ALPHA_ENDINGS
from tfstyle.image_files.writing import DEEP_ENDINGS
from tfstyle.image_files.writing import WRITE_ENDINGS
from tfstyle.image_files.writing import write_image
from tfstyle.images.transparency import lay_on_white

JPEG = 8  # grey levels; quality 95 of a smooth picture
SMOOTH = RGBA[8:]  # blocks without the corner of black and white
TEXTS = {
    "none": "",
    "ascii": "--seed=1\n# of two lines\n",
    "unicode": "--content_image=B\u00e4r \u732b \U0001f600.png\n",
    "long": "--style_images=a.png\n" * 1000,
}


@pytest.fixture(params=WRITE_ENDINGS)
def path(request, tmp_path):
    """Returns the path of a file of each format that is written."""
    return str(tmp_path / f"a{request.param}")


@pytest.mark.parametrize("ending", ALPHA_ENDINGS)
@pytest.mark.parametrize("has_alpha", [False, True])
def test_write_image_loses_nothing(tmp_path, generator, ending, has_alpha):
    *pixels, alpha = generator.integers(0, 256, (4, 20, 24), np.uint8)
    pixels = np.dstack(pixels)
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
        path = tmp_path / "missing" / "folder" / name
        write_image(path, COLORS)
        with Image.open(path) as image:
            assert (image.format, image.mode) == (picture_format, "RGB")


def test_write_image_writes_jpeg_at_quality_95_without_subsampling(tmp_path):
    path = tmp_path / "a.jpg"
    write_image(path, SMOOTH[..., :3])
    file = io.BytesIO(hostile.save(Image.fromarray(COLORS), "JPEG", quality=95))
    with Image.open(path) as image, Image.open(file) as other:
        assert image.quantization == other.quantization
        assert JpegImagePlugin.get_sampling(image) == 0  # 4:4:4
    assert difference(read_image(path), SMOOTH[..., :3]).max() <= JPEG


def test_write_image_lays_on_white_where_the_format_has_no_alpha(
    tmp_path, caplog
):
    path = tmp_path / "a.jpg"
    pixels, alpha = SMOOTH[..., :3], SMOOTH[..., 3]
    write_image(path, pixels, alpha)
    assert "laid on white" in caplog.text
    shown = read_image(path)
    assert difference(shown, lay_on_white(pixels, alpha)).max() <= JPEG
    assert shown.alpha is None


def test_write_image_takes_views_and_writes_into_none(path):
    rgba = SMOOTH.copy()
    rgba.setflags(write=False)
    pixels, alpha = rgba[::-1, 20:3:-1, 2::-1], rgba[:, 4:21, 3]
    write_image(path, pixels, alpha, "text")
    is_lossy = not path.endswith(ALPHA_ENDINGS)
    expected = lay_on_white(pixels, alpha) if is_lossy else pixels
    assert difference(read_image(path), expected).max() <= 2 * JPEG * is_lossy


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_read_text_returns_what_write_image_put_in(path, text):
    write_image(path, COLORS, text=text)
    assert read_text(path) == (text or None)


def test_write_image_puts_the_text_where_the_docs_say(tmp_path):
    text = "B\u00e4r"
    write_image(tmp_path / "a.png", COLORS, text=text)
    chunk = b"iTXttfstyle\0\0\0\0\0" + text.encode()  # language, keyword: none
    assert chunk in (tmp_path / "a.png").read_bytes()
    comment = b"UNICODE\0" + text.encode("utf-16-be")
    for ending in WRITE_ENDINGS[1:]:
        path = tmp_path / f"a{ending}"
        write_image(path, COLORS, text=text)
        assert comment in path.read_bytes()
        with Image.open(path) as image:
            exif = image.getexif().get_ifd(ExifTags.IFD.Exif)
        assert exif == {ExifTags.Base.UserComment: comment}


def test_write_image_gives_the_same_bytes_again(path):
    contents = set()
    for _ in range(2):
        write_image(path, COLORS, ALPHA, "text")
        contents.add(pathlib.Path(path).read_bytes())
    assert len(contents) == 1


def test_read_text_is_none_for_a_png_of_other_text(tmp_path):
    info = PngInfo()
    info.add_text("Software", "tfstyle")
    info.add_itxt("Comment", "tfstyle")
    Image.fromarray(COLORS).save(tmp_path / "a.png", pnginfo=info)
    assert read_text(tmp_path / "a.png") is None


@pytest.mark.parametrize("picture_format", ["JPEG", "WEBP", "TIFF"])
@pytest.mark.parametrize(
    "comment", [b"", b"short", bytes(8) + b"undefined", "a string", 5]
)
def test_read_text_is_none_for_a_foreign_user_comment(
    tmp_path, picture_format, comment
):
    exif = Image.Exif()
    ifd = exif.get_ifd(ExifTags.IFD.Exif)
    ifd[ExifTags.Base.UserComment] = comment
    exif[ExifTags.IFD.Exif] = ifd
    Image.fromarray(COLORS).save(tmp_path / "a", picture_format, exif=exif)
    assert read_text(tmp_path / "a") is None


def test_read_text_decodes_no_pixels(monkeypatch, path):
    write_image(path, COLORS, text="text")

    def load(self):
        pytest.fail("The picture was decoded, which no limit of pixels guards")

    monkeypatch.setattr(ImageFile.ImageFile, "load", load)
    assert read_text(path) == "text"


@pytest.mark.parametrize(
    ("name", "dtype", "endings"),
    [
        *((name, np.uint8, WRITE_ENDINGS) for name in ("a.gif", "a", ".png")),
        *((name, np.uint16, DEEP_ENDINGS) for name in ("a.jpg", "a.webp")),
    ],
)
def test_write_image_refuses_an_ending_that_cannot_hold_the_pixels(
    tmp_path, name, dtype, endings
):
    with refuses("", tmp_path / name, *endings, kind=ImageError):
        write_image(tmp_path / name, COLORS.astype(dtype))
    assert os.listdir(tmp_path) == []


def test_write_image_refuses_a_folder_in_its_place(tmp_path):
    path = tmp_path / "a.png"
    path.mkdir()
    with refuses("", path, "Is a directory", kind=ImageError):
        write_image(str(path), COLORS)
    assert os.listdir(tmp_path) == ["a.png"]


def test_write_image_leaves_the_previous_file_when_the_disk_is_full(
    tmp_path, monkeypatch, path
):
    write_image(path, COLORS, text="previous")
    previous = pathlib.Path(path).read_bytes()

    def save_half(self, file, **options):
        with open(file, "wb") as half:
            half.write(previous[: len(previous) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", save_half)
    with refuses("", path, "No space left on device", kind=ImageError):
        write_image(path, 255 - COLORS)
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
