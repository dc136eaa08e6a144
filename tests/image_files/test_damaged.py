"""Files cut at many places: what is left if nearly all is there."""

import re

import numpy as np
import pytest
from PIL import Image
from PIL import ImageFile

from tests import ROOT
from tests.hostile import save
from tests.image_files.pictures import read
from tests.refusals import refuses
from tfstyle.errors import ImageError

SIZE = (160, 128)
SMALL_CUTS = (0.995, 0.97, 0.95)
LARGE_CUTS = (0.8, 0.5, 0.3)
KINDS = {
    "jpeg": ("JPEG", "RGB", {"quality": 95}),
    "grey jpeg": ("JPEG", "L", {}),
    "cmyk jpeg": ("JPEG", "CMYK", {}),
    "png": ("PNG", "RGB", {}),
    "alpha png": ("PNG", "RGBA", {}),
    "palette png": ("PNG", "P", {}),
    "16-bit png": ("PNG", "I;16", {}),
    "gif": ("GIF", "P", {"interlace": 0}),
    "bmp": ("BMP", "RGB", {}),
    "ppm": ("PPM", "RGB", {}),
    "tiff": ("TIFF", "RGB", {}),
    "16-bit tiff": ("TIFF", "I;16", {}),
}


@pytest.fixture(scope="module")
def photo():
    with Image.open(ROOT / "tfstyle" / "samples" / "scene.jpg") as image:
        return image.resize(SIZE)


def encode(photo, name):
    kind, mode, options = KINDS[name]
    if mode == "P":
        image = photo.quantize(200)
    elif mode == "I;16":
        wide = np.asarray(photo.convert("L")).astype(np.uint16) * 257
        image = Image.fromarray(wide)
    else:
        image = photo.convert(mode)
    return save(image, kind, **options)


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("share", SMALL_CUTS)
def test_read_image_shows_what_is_left(tmp_path, caplog, photo, name, share):
    content = encode(photo, name)
    whole = read(tmp_path, content)
    caplog.clear()
    rest = read(tmp_path, content[: int(len(content) * share)])
    upside = slice(None, None, -1) if name == "bmp" else slice(None)
    differs = (rest.pixels != whole.pixels).any((1, 2))[upside]
    # A block of 16 rows lies in part beyond the cut, and those next to it mix.
    assert not differs[: int(SIZE[1] * 0.9) - 17].any()
    text = caplog.records[-1].getMessage()  # CMYK has another
    assert str(tmp_path / "a") in text
    found = re.search(r"(less than 1|\d+)% of it is missing", text)[1]
    missing = 0 if found == "less than 1" else int(found)
    assert abs(missing - 100 * (1 - share)) < 5
    assert not ImageFile.LOAD_TRUNCATED_IMAGES


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("share", LARGE_CUTS)
def test_read_image_refuses_when_more_than_a_tenth_is_missing(
    tmp_path, photo, name, share
):
    content = encode(photo, name)
    with refuses("", tmp_path / "a", "a tenth", kind=ImageError):
        read(tmp_path, content[: int(len(content) * share)])
    assert not ImageFile.LOAD_TRUNCATED_IMAGES


@pytest.mark.parametrize("color", ["black", "white", (128, 128, 128)])
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_plain_ground_is_not_taken_for_a_missing_part(
    tmp_path, photo, kind, color
):
    image = photo.copy()
    noise = photo.crop((0, 0, SIZE[0], 30)).resize((SIZE[0], 28))
    image.paste(color, (0, 30, *SIZE))
    image.paste(noise, (0, SIZE[1] - 28))
    content = save(image, kind, quality=95)
    rest = read(tmp_path, content[: -len(content) // 50])
    np.testing.assert_allclose(
        rest.pixels[48:80], np.asarray(image)[48:80], atol=3
    )


@pytest.mark.parametrize("share", [0.99, 0.9])
def test_a_progressive_jpeg_may_lack_the_end_of_its_last_scan(
    tmp_path, caplog, photo, share
):
    content = save(photo, "JPEG", progressive=True, quality=90)
    whole = read(tmp_path, content)
    rest = read(tmp_path, content[: int(len(content) * share)])
    assert np.abs(rest.pixels.astype(int) - whole.pixels).mean() < 2
    (record,) = caplog.records
    assert "some detail of it is missing" in record.getMessage()


def test_a_progressive_jpeg_may_end_within_the_header_of_a_scan(
    tmp_path, photo
):
    content = save(photo, "JPEG", progressive=True)
    start = content.rindex(b"\xff\xda")
    for place in (len(content) // 2, *range(start, start + 10)):
        with refuses("", tmp_path / "a", "a tenth", kind=ImageError):
            read(tmp_path, content[:place])


def test_lack_of_memory_is_not_taken_for_damage(tmp_path, photo, monkeypatch):
    def load(image):
        monkeypatch.undo()
        raise MemoryError

    monkeypatch.setattr(ImageFile.ImageFile, "load", load)
    with pytest.raises(MemoryError):
        read(tmp_path, encode(photo, "bmp"))


def test_a_file_that_lacks_no_pixel_is_read_without_a_word(
    tmp_path, caplog, photo
):
    content = encode(photo, "png")
    rest = read(tmp_path, content[:-12])  # the end's own mark
    np.testing.assert_array_equal(rest.pixels, np.asarray(photo))
    assert not caplog.records


@pytest.mark.parametrize("share", [0.97, 0.6])
@pytest.mark.parametrize("is_longer", [False, True])
def test_an_end_marker_amid_the_data_is_found(
    tmp_path, caplog, photo, share, is_longer
):
    content = save(photo, "JPEG", quality=90)
    place = int(len(content) * share)
    rest = content[place:] if is_longer else b""
    content = content[:place] + b"\xff\xd9" + rest
    if share < 0.9:
        with refuses("", tmp_path / "a", "a tenth", kind=ImageError):
            read(tmp_path, content)
    else:
        read(tmp_path, content)
        assert "% of it is missing" in caplog.text


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_a_grey_jpeg_is_whole(tmp_path, caplog, mode):
    image = Image.new("RGB", SIZE, (128, 128, 128)).convert(mode)
    read(tmp_path, save(image, "JPEG"))
    assert "missing" not in caplog.text
