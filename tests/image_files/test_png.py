"""PNG files of more text and profile than Pillow allows."""

import zlib

import numpy as np
import pytest
from PIL import Image
from PIL import ImageCms
from PIL.PngImagePlugin import PngInfo

from tests import hostile
from tfstyle.image_files.reading import read_image
from tfstyle.image_files.reading import read_text

LARGE = 1_200_000  # bytes; Pillow takes 1 MiB


@pytest.fixture
def image():
    y, x = np.mgrid[:30, :40]
    return Image.fromarray(np.stack([x * 6, y * 8, x + y], -1).astype(np.uint8))


def add_chunk(path, kind, content):
    """Puts a chunk behind the pixels of a PNG."""
    data = path.read_bytes()
    chunk = hostile.png_chunk(kind, content)
    path.write_bytes(data[:-12] + chunk + data[-12:])


@pytest.mark.parametrize("key", ["XML:com.adobe.xmp", "Comment"])
@pytest.mark.parametrize("is_behind", [False, True])
def test_read_image_reads_on_after_a_long_text(
    tmp_path, image, key, is_behind, caplog
):
    path, info = tmp_path / "a.png", PngInfo()
    info.add_itxt("tfstyle", "--seed=1")
    if not is_behind:
        info.add_itxt(key, "x" * LARGE, zip=True)
    image.save(path, pnginfo=info)
    if is_behind:
        packed = zlib.compress(bytes(LARGE))
        add_chunk(path, b"iTXt", key.encode() + b"\0\1\0\0\0" + packed)
    pixels = read_image(path).pixels
    np.testing.assert_array_equal(pixels, np.asarray(image))
    assert read_text(path) == "--seed=1"
    assert not caplog.records


def test_read_image_converts_from_a_large_profile(tmp_path, image):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    # The red's place in XYZ takes the green's, so that colours change.
    red, green = profile.index(b"rXYZ"), profile.index(b"gXYZ")
    swapped = bytearray(profile)
    swapped[red : red + 4], swapped[green : green + 4] = b"gXYZ", b"rXYZ"
    small, large = str(tmp_path / "a.png"), str(tmp_path / "b.png")
    image.save(small, icc_profile=bytes(swapped))
    image.save(large, icc_profile=bytes(swapped) + bytes(LARGE))
    expected = read_image(small).pixels
    assert (expected != np.asarray(image)).any()
    np.testing.assert_array_equal(read_image(large).pixels, expected)
