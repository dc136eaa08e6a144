"""The merged pictures of Photoshop's, Krita's and OpenRaster's documents."""

import numpy as np
import pytest
from PIL import Image

from tests import hostile
from tests.image_files.pictures import ALPHA
from tests.image_files.pictures import COLORS
from tests.image_files.pictures import RGBA
from tests.image_files.pictures import difference
from tests.image_files.pictures import read
from tests.refusals import refuses
from tfstyle.errors import ImageError

GREY, RGB, CMYK, MULTICHANNEL = 1, 3, 4, 7


@pytest.mark.parametrize(
    ("values", "mode"),
    [
        (COLORS, RGB),
        (COLORS[..., :1], GREY),
        (np.insert(COLORS, 3, 255, -1), CMYK),  # inks are stored inverted
    ],
    ids=["rgb", "grey", "cmyk"],
)
def test_read_image_reads_the_merged_picture_of_photoshop(
    tmp_path, values, mode
):
    picture = read(tmp_path, hostile.make_psd(values, mode))
    expected = COLORS[..., 0] if mode == GREY else COLORS
    assert difference(picture, expected).max() == 0
    assert picture.alpha is None


@pytest.mark.parametrize("num_layers", [-1, 1, 0])
def test_a_fourth_channel_is_transparency_if_the_number_of_layers_is_negative(
    tmp_path, num_layers
):
    picture = read(tmp_path, hostile.make_psd(RGBA, RGB, num_layers))
    np.testing.assert_array_equal(picture.pixels, COLORS)
    alpha = ALPHA if num_layers < 0 else None  # else it is a saved selection
    np.testing.assert_array_equal(picture.alpha, alpha)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (hostile.make_psd(COLORS, is_merged=False), "without its merged"),
        (hostile.make_psd(COLORS.astype(np.uint16)), "colour mode or depth"),
        (hostile.make_psd(COLORS, MULTICHANNEL), "colour mode or depth"),
    ],
    ids=["not merged", "deep", "multichannel"],
)
def test_read_image_says_what_a_photoshop_document_lacks(
    tmp_path, content, reason
):
    with refuses("", reason, "PNG or JPEG", kind=ImageError):
        read(tmp_path, content)


@pytest.mark.parametrize("kind", ["application/x-krita", "image/openraster"])
@pytest.mark.parametrize("name", ["mergedimage.png", "other.png"])
def test_read_image_reads_the_merged_picture_of_krita_and_openraster(
    tmp_path, kind, name
):
    merged = hostile.save(Image.fromarray(COLORS), "PNG")
    document = hostile.make_document(merged, kind, name)
    if name == "other.png":
        with refuses("", "without a merged picture", kind=ImageError):
            read(tmp_path, document)
    else:
        np.testing.assert_array_equal(read(tmp_path, document).pixels, COLORS)
