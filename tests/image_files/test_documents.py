"""The merged pictures of Photoshop's, Krita's and OpenRaster's documents."""

import io
import struct
import zipfile

import numpy as np
import pytest
from PIL import Image

from tests.refusals import refuses
from tfstyle.errors import ImageError
from tfstyle.image_files.reading import read_image

Y, X = np.mgrid[:40, :56]
COLORS = np.stack([X * 4, Y * 6, 255 - X * 2 - Y * 3], -1).astype(np.uint8)
GREY, RGB, CMYK, MULTICHANNEL = 1, 3, 4, 7


def make_psd(values, mode, num_layers=0, is_merged=True):
    depth = 8 * values.dtype.itemsize
    height, width, num = values.shape
    version = struct.pack(">IBx", 1, is_merged)
    resource = struct.pack(">4sHHI", b"8BIM", 1057, 0, 5) + version
    layers = struct.pack(">Ih", 2, num_layers) if num_layers else b""
    planes = np.moveaxis(values, -1, 0).astype(values.dtype.newbyteorder(">"))
    return b"".join(
        (
            struct.pack(
                ">4sH6xHIIHH", b"8BPS", 1, num, height, width, depth, mode
            ),
            struct.pack(">II", 0, len(resource)),
            resource,
            struct.pack(">I", len(layers)),
            layers,
            b"\0\0",
            planes.tobytes(),
        )
    )


def read(tmp_path, content):
    path = tmp_path / "a.psd"
    path.write_bytes(content)
    return read_image(path)


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
    picture = read(tmp_path, make_psd(values, mode))
    expected = COLORS if mode != GREY else np.dstack([COLORS[..., 0]] * 3)
    np.testing.assert_array_equal(picture.pixels, expected)
    assert picture.alpha is None


@pytest.mark.parametrize("num_layers", [-1, 1, 0])
def test_a_fourth_channel_is_transparency_if_the_number_of_layers_is_negative(
    tmp_path, num_layers
):
    alpha = (X * 4).astype(np.uint8)
    content = make_psd(np.dstack([COLORS, alpha]), RGB, num_layers)
    picture = read(tmp_path, content)
    np.testing.assert_array_equal(picture.pixels, COLORS)
    if num_layers < 0:
        np.testing.assert_array_equal(picture.alpha, alpha)
    else:  # a saved selection
        assert picture.alpha is None


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (make_psd(COLORS, RGB, is_merged=False), "without its merged picture"),
        (make_psd(COLORS.astype(np.uint16), RGB), "Photoshop document"),
        (make_psd(COLORS, MULTICHANNEL), "Photoshop document"),
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
    merged, document = io.BytesIO(), io.BytesIO()
    Image.fromarray(COLORS).save(merged, "PNG")
    with zipfile.ZipFile(document, "w") as archive:
        archive.writestr("mimetype", kind)
        archive.writestr(name, merged.getvalue())
    if name == "other.png":
        with refuses("", "without a merged picture", kind=ImageError):
            read(tmp_path, document.getvalue())
    else:
        picture = read(tmp_path, document.getvalue())
        np.testing.assert_array_equal(picture.pixels, COLORS)
