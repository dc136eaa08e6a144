"""Pictures of 16 bits a channel, read back by readers of three kinds."""

import io
import struct
import zlib

import numpy as np
import pytest
import tensorflow as tf
import tifffile
from PIL import Image
from PIL import ImageCms

from tfstyle.errors import ImageError
from tfstyle.image_files import reading
from tfstyle.image_files.writing import write_image

ENDINGS = (".png", ".tif")
TEXTS = ("", "--seed=1\n# steps", "--content_image=Zürich 🖼.png\n")


def make_ramp():
    """Returns uint16 `[16, 80, 3]`, more than 256 levels a channel."""
    ramp = np.linspace(0, 65535, 80 * 16 * 3).astype(np.uint16)
    return ramp.reshape(16, 80, 3)


def read_deep(path):
    """Returns a file's own uint16 values."""
    if str(path).endswith(".tif"):
        return tifffile.imread(path)
    return tf.io.decode_png(tf.io.read_file(str(path)), dtype=tf.uint16).numpy()


def read_chunks(data):
    """Returns a PNG's chunks as pairs of name and data, once checked."""
    chunks, start = [], 8
    while start < len(data):
        (length,) = struct.unpack_from(">I", data, start)
        body = data[start + 4 : start + 8 + length]
        (crc,) = struct.unpack_from(">I", data, start + 8 + length)
        assert zlib.crc32(body) == crc
        chunks.append((body[:4], body[4:]))
        start += 12 + length
    return chunks


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("has_alpha", [False, True])
def test_write_image_keeps_all_16_bits(tmp_path, generator, ending, has_alpha):
    path, ramp = tmp_path / f"deep{ending}", make_ramp()
    alpha = generator.integers(0, 256, ramp.shape[:2]).astype(np.uint8)
    write_image(str(path), ramp, alpha if has_alpha else None)
    pixels = read_deep(path)
    np.testing.assert_array_equal(pixels[..., :3], ramp, strict=True)
    assert pixels.shape[2] == (4 if has_alpha else 3)
    if has_alpha:
        np.testing.assert_array_equal(pixels[..., 3], alpha.astype(int) * 257)


@pytest.mark.parametrize("ending", ENDINGS)
def test_pillow_shows_the_same_picture(tmp_path, ending):
    path, ramp = tmp_path / f"deep{ending}", make_ramp()
    alpha = np.full(ramp.shape[:2], 200, np.uint8)
    write_image(str(path), ramp, alpha)
    with Image.open(path) as image:
        shown = np.asarray(image.convert("RGBA"))
    assert np.abs(shown[..., :3].astype(int) - ramp / 257).max() <= 1
    np.testing.assert_array_equal(shown[..., 3], alpha)


@pytest.mark.parametrize("ending", ENDINGS)
def test_read_image_takes_it_as_it_would_8_bits(tmp_path, ending):
    path, ramp = tmp_path / f"deep{ending}", make_ramp()
    write_image(str(path), ramp)
    pixels = reading.read_image(str(path)).pixels.astype(int)
    assert np.abs(pixels - ramp / 257).max() <= 1.5


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("text", TEXTS)
def test_read_text_finds_the_text(tmp_path, ending, text):
    path = str(tmp_path / f"deep{ending}")
    write_image(path, make_ramp(), text=text)
    assert reading.read_text(path) == (text or None)


def test_png_has_text_and_profile_before_its_pixels(tmp_path):
    path = tmp_path / "deep.png"
    write_image(str(path), make_ramp(), text=TEXTS[1])
    names = [name for name, _ in read_chunks(path.read_bytes())]
    assert names[:4] == [b"IHDR", b"iCCP", b"iTXt", b"IDAT"]
    assert names[-1] == b"IEND"


def test_tiff_says_how_its_samples_lie(tmp_path):
    path = tmp_path / "deep.tif"
    alpha = np.zeros((16, 80), np.uint8)
    write_image(str(path), make_ramp(), alpha, text=TEXTS[1])
    with tifffile.TiffFile(path) as file:
        tags = file.pages[0].tags
        assert tags["BitsPerSample"].value == (16, 16, 16, 16)
        assert tags["PhotometricInterpretation"].value == 2
        assert tags["ExtraSamples"].value == (2,)  # straight, as PNG's
        assert tags["Compression"].value == 1
        assert "ImageDescription" not in tags  # a caption of its owner's
        assert "Software" not in tags


@pytest.mark.parametrize("ending", ENDINGS)
def test_profile_is_srgb(tmp_path, ending):
    path = tmp_path / f"deep{ending}"
    write_image(str(path), make_ramp())
    with Image.open(path) as image:
        profile = image.info["icc_profile"]
    found = ImageCms.ImageCmsProfile(io.BytesIO(profile)).profile
    srgb = ImageCms.createProfile("sRGB")
    for name in ("red_colorant", "green_colorant", "blue_colorant"):
        np.testing.assert_allclose(
            getattr(found, name), getattr(srgb, name), atol=2**-15
        )
    assert found.profile_description == srgb.profile_description
    assert found.creation_date.year == 2000


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("has_alpha", [False, True])
def test_read_bits_tells_16_from_8(tmp_path, ending, has_alpha):
    path, ramp = str(tmp_path / f"deep{ending}"), make_ramp()
    alpha = np.zeros(ramp.shape[:2], np.uint8) if has_alpha else None
    write_image(path, ramp, alpha)
    assert reading.read_bits(path) == 16
    write_image(path, ramp.astype(np.uint8), alpha)
    assert reading.read_bits(path) == 8


@pytest.mark.parametrize("ending", [".jpg", ".jpeg", ".webp"])
def test_read_bits_of_other_formats_is_8(tmp_path, ending):
    path = str(tmp_path / f"flat{ending}")
    write_image(path, make_ramp().astype(np.uint8))
    assert reading.read_bits(path) == 8


@pytest.mark.parametrize("ending", [".jpg", ".jpeg", ".webp"])
def test_write_image_refuses_16_bits_where_8_fit(tmp_path, ending):
    path = tmp_path / f"deep{ending}"
    with pytest.raises(ImageError, match=r"16 bits must end in one of \.png"):
        write_image(str(path), make_ramp())
    assert not path.exists()
