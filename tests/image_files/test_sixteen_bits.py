"""Pictures of 16 bits a channel, read back by readers of three kinds."""

import re

import numpy as np
import pytest
import tensorflow as tf
import tifffile
from PIL import Image

from tfstyle.image_files import reading
from tfstyle.image_files.writing import WRITE_ENDINGS
from tfstyle.image_files.writing import write_image

ENDINGS = (".png", ".tif")
TEXT = "--content_image=Z\u00fcrich \U0001f5bc.png\n# steps"


def make_ramp():
    """Returns uint16 `[16, 80, 3]`, more than 256 levels a channel."""
    ramp = np.linspace(0, 65535, 80 * 16 * 3).astype(np.uint16)
    return ramp.reshape(16, 80, 3)


def read_deep(path):
    """Returns a file's own uint16 values."""
    if str(path).endswith(".tif"):
        return tifffile.imread(path)
    return tf.io.decode_png(tf.io.read_file(str(path)), dtype=tf.uint16).numpy()


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("has_alpha", [False, True])
def test_write_image_keeps_all_16_bits(tmp_path, generator, ending, has_alpha):
    path, ramp = str(tmp_path / f"deep{ending}"), make_ramp()
    alpha = generator.integers(0, 256, ramp.shape[:2]).astype(np.uint8)
    write_image(path, ramp, alpha if has_alpha else None, TEXT)
    pixels = read_deep(path)
    np.testing.assert_array_equal(pixels[..., :3], ramp, strict=True)
    assert pixels.shape[2] == (4 if has_alpha else 3)
    with Image.open(path) as image:
        shown = np.asarray(image.convert("RGBA"))
    assert np.abs(shown[..., :3].astype(int) - ramp / 257).max() <= 1
    read = reading.read_image(path)
    assert np.abs(read.pixels.astype(int) - ramp / 257).max() <= 1.5
    if has_alpha:
        np.testing.assert_array_equal(pixels[..., 3], alpha.astype(int) * 257)
        np.testing.assert_array_equal(shown[..., 3], alpha)
    assert reading.read_text(path) == TEXT
    assert reading.read_bits(path) == 16


@pytest.mark.parametrize("ending", WRITE_ENDINGS)
def test_read_bits_of_an_8_bit_picture_is_8(tmp_path, ending):
    path, pixels = str(tmp_path / f"a{ending}"), make_ramp().astype(np.uint8)
    for alpha in (None, pixels[..., 0]):
        write_image(path, pixels, alpha)
        assert reading.read_bits(path) == 8


def test_png_has_text_and_profile_before_its_pixels(tmp_path):
    path = tmp_path / "deep.png"
    write_image(str(path), make_ramp(), text=TEXT)
    names = re.findall(b"IHDR|iCCP|iTXt|IDAT|IEND", path.read_bytes())
    assert names[:4] == [b"IHDR", b"iCCP", b"iTXt", b"IDAT"]
    assert names[-1] == b"IEND"


def test_tiff_says_how_its_samples_lie(tmp_path):
    path = tmp_path / "deep.tif"
    alpha = np.zeros((16, 80), np.uint8)
    write_image(str(path), make_ramp(), alpha, text=TEXT)
    with tifffile.TiffFile(path) as file:
        tags = file.pages[0].tags
        assert tags["BitsPerSample"].value == (16, 16, 16, 16)
        assert tags["PhotometricInterpretation"].value == 2
        assert tags["ExtraSamples"].value == (2,)  # straight, as PNG's
        assert tags["Compression"].value == 1
        assert "ImageDescription" not in tags  # a caption of its owner's
        assert "Software" not in tags
