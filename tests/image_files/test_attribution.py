"""Artist, copyright, resolution and colour space go with the picture."""

import io

import numpy as np
import pytest
from PIL import ExifTags
from PIL import Image
from PIL import ImageCms
from PIL.PngImagePlugin import PngInfo

from tests.image_files.test_sidecar import PIXELS
from tfstyle.image_files import attribution
from tfstyle.image_files.reading import read_image
from tfstyle.image_files.writing import DEEP_ENDINGS
from tfstyle.image_files.writing import WRITE_ENDINGS
from tfstyle.image_files.writing import write_image
from tfstyle.images.picture import NOTHING
from tfstyle.images.picture import Attribution

ARTIST, COPYRIGHT = ExifTags.Base.Artist, ExifTags.Base.Copyright
OF = Attribution(
    {ARTIST: "A. Müller", COPYRIGHT: "© 2026 A. Müller"}, (300, 300)
)


def check_profile(path):
    """Checks that a file is marked as sRGB, in the same bytes every time."""
    with Image.open(path) as image:
        if "srgb" in image.info:
            return
        profile = io.BytesIO(image.info["icc_profile"])
    profile = ImageCms.ImageCmsProfile(profile).profile
    assert "sRGB" in profile.profile_description
    assert profile.creation_date.year == 2000


@pytest.mark.parametrize(
    ("ending", "dtype"),
    [
        *((ending, np.uint8) for ending in WRITE_ENDINGS),
        *((ending, np.uint16) for ending in DEEP_ENDINGS),
    ],
)
def test_picture_keeps_what_its_content_said(tmp_path, ending, dtype):
    path = str(tmp_path / f"a{ending}")
    write_image(path, PIXELS.astype(dtype), text="text", attribution=OF)
    found = read_image(path).attribution
    assert found.texts == OF.texts
    assert found.dpi == pytest.approx(OF.dpi, abs=0.01)
    check_profile(path)


@pytest.mark.parametrize("ending", WRITE_ENDINGS)
def test_profile_of_ours_changes_no_pixel(tmp_path, ending):
    path = str(tmp_path / f"a{ending}")
    write_image(path, PIXELS)
    with Image.open(path) as image:
        plain = np.array(image.convert("RGB"))
    np.testing.assert_array_equal(read_image(path).pixels, plain)
    assert read_image(path).attribution == NOTHING


def test_texts_of_a_png_are_read(tmp_path):
    info = PngInfo()
    info.add_itxt("Author", "A. Müller")
    info.add_text("Copyright", "free")
    path = tmp_path / "a.png"
    Image.fromarray(PIXELS).save(path, pnginfo=info, dpi=(72, 96))
    found = read_image(str(path)).attribution
    assert found.texts == {ARTIST: "A. Müller", COPYRIGHT: "free"}
    assert found.dpi == pytest.approx((72, 96), abs=0.02)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (b"A. M\xfcller", "A. Müller"),
        ("A. Müller".encode(), "A. Müller"),
        (b"a\nb\x00c", "a b"),
        (b"x" * 5000, "x" * 1000),
    ],
)
def test_texts_of_exif_are_one_line(tmp_path, value, text):
    exif = Image.Exif()
    exif[ARTIST] = value
    Image.fromarray(PIXELS).save(tmp_path / "a.jpg", exif=exif)
    found = read_image(str(tmp_path / "a.jpg")).attribution.texts[ARTIST]
    assert found[:3] == text[:3]
    assert len(found) <= attribution.LONGEST
    assert found.isprintable()


@pytest.mark.parametrize("dpi", [(0, 0), (1e9, 72), None, "72", (72,)])
def test_resolution_that_is_none_is_left_out(dpi):
    image = Image.fromarray(PIXELS)
    image.info["dpi"] = dpi
    assert attribution.read_attribution(image).dpi is None


def test_resolution_of_exif_alone_and_in_centimetres_is_read(tmp_path):
    exif = Image.Exif()
    exif.update({0x011A: 100.0, 0x011B: 50.0, 0x0128: 3})
    for name in ("a.png", "a.tif"):
        Image.fromarray(PIXELS).save(tmp_path / name, exif=exif)
        found = read_image(tmp_path / name).attribution
        assert found.dpi == pytest.approx((254, 127), abs=0.1)
