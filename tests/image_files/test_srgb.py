"""Pixels as a viewer shows them: upright, in sRGB."""

import imagecodecs
import numpy as np
import pytest
from PIL import ExifTags
from PIL import Image

from tests.image_files.pictures import COLORS
from tests.image_files.pictures import difference
from tests.image_files.pictures import encode
from tests.image_files.pictures import encode_srgb
from tests.image_files.pictures import make_picture
from tests.image_files.pictures import read

COLOR = 2  # grey levels; fixed-point tables of a colour conversion
JPEG = 4  # grey levels; rounded coefficients of a smooth picture
GAMMA = 1.8  # of the profiles made here; sRGB is near 2.2

GRAY_PROFILE = imagecodecs.cms_profile("gray", gamma=GAMMA)
RGB_PROFILE = imagecodecs.cms_profile(
    "rgb",
    whitepoint=[0.3127, 0.3290, 1],
    primaries=[0.64, 0.33, 1, 0.30, 0.60, 1, 0.15, 0.06, 1],
    gamma=GAMMA,
)
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


@pytest.mark.parametrize(
    ("picture_format", "mode"),
    [
        *(("JPEG", "RGB"), ("PNG", "RGBA"), ("WEBP", "RGB")),
        *(("TIFF", "RGB"), ("AVIF", "RGB")),
    ],
)
@pytest.mark.parametrize("orientation", TURNS)
def test_read_image_turns_upright(tmp_path, picture_format, mode, orientation):
    turn, exif = TURNS[orientation], Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    stored = read(tmp_path, encode(mode, picture_format))
    turned = read(tmp_path, encode(mode, picture_format, exif=exif))
    np.testing.assert_array_equal(turned.pixels, turn(stored.pixels))
    if mode == "RGBA":
        np.testing.assert_array_equal(turned.alpha, turn(stored.alpha))


@pytest.mark.parametrize("picture_format", ["JPEG", "PNG", "WEBP"])
def test_read_image_reads_on_when_the_exif_is_damaged(tmp_path, picture_format):
    exif = b"Exif\0\0no TIFF header"
    whole = read(tmp_path, encode("RGB", picture_format))
    damaged = read(tmp_path, encode("RGB", picture_format, exif=exif))
    np.testing.assert_array_equal(damaged.pixels, whole.pixels)


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
    _, levels, alpha = make_picture(mode)
    profile = GRAY_PROFILE if mode in ("L", "LA", "I;16") else RGB_PROFILE
    content = encode(mode, picture_format, icc_profile=profile)
    picture = read(tmp_path, content)
    expected = encode_srgb((levels / 255) ** GAMMA)
    assert np.abs(expected - levels).max() > 15
    assert difference(picture, expected).max() <= tolerance
    np.testing.assert_array_equal(picture.alpha, alpha)


@pytest.mark.parametrize(
    "profile",
    [b"no profile", RGB_PROFILE[:150], GRAY_PROFILE],
    ids=["garbage", "truncated", "of another color space"],
)
def test_read_image_warns_and_reads_srgb_when_the_profile_is_unusable(
    tmp_path, caplog, profile
):
    picture = read(tmp_path, encode("RGB", "PNG", icc_profile=profile))
    np.testing.assert_array_equal(picture.pixels, COLORS)
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert str(tmp_path / "a") in record.getMessage()
    assert "profile" in record.getMessage()
