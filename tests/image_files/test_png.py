"""PNG files of more text and profile than Pillow allows."""

import zlib

import numpy as np
import pytest
from PIL import Image
from PIL import ImageCms

from tests import hostile
from tests.image_files.pictures import COLORS
from tests.image_files.pictures import make_png
from tests.image_files.pictures import read
from tfstyle.image_files.reading import read_text

LARGE = 1_200_000  # bytes; Pillow takes 1 MiB
OURS = b"iTXt", b"tfstyle\0\0\0\0\0--seed=1"


@pytest.mark.parametrize("key", [b"XML:com.adobe.xmp", b"Comment"])
@pytest.mark.parametrize("is_behind", [False, True])
def test_read_image_reads_on_after_a_long_text(
    tmp_path, key, is_behind, caplog
):
    text = b"iTXt", key + b"\0\1\0\0\0" + zlib.compress(bytes(LARGE))
    if is_behind:  # the pixels
        content = make_png(COLORS, OURS)
        chunk = hostile.png_chunk(*text)
        content = content[:-12] + chunk + content[-12:]
    else:
        content = make_png(COLORS, OURS, text)
    np.testing.assert_array_equal(read(tmp_path, content).pixels, COLORS)
    assert read_text(tmp_path / "a") == "--seed=1"
    assert not caplog.records


def test_read_image_converts_from_a_large_profile(tmp_path):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    # The red's place in XYZ takes the green's, so that colours change.
    red, green = profile.index(b"rXYZ"), profile.index(b"gXYZ")
    swapped = bytearray(profile)
    swapped[red : red + 4], swapped[green : green + 4] = b"gXYZ", b"rXYZ"
    expected, pixels = (
        read(
            tmp_path,
            hostile.save(Image.fromarray(COLORS), "PNG", icc_profile=data),
        ).pixels
        for data in (bytes(swapped), bytes(swapped) + bytes(LARGE))
    )
    assert (expected != COLORS).any()
    np.testing.assert_array_equal(pixels, expected)
