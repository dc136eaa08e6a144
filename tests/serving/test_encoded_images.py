"""The graph decodes the pixels that `read_image` reads."""

import io
import struct

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from PIL import ImageOps

from tests import ROOT
from tfstyle.image_files.reading import read_image
from tfstyle.images.resize import fit_size
from tfstyle.images.resize import resize
from tfstyle.serving import encoded_images

FILES = tf.TensorSpec([None], tf.string)
DIFFERENCES = "\n".join(encoded_images.DIFFERENCES)
SAMPLES = sorted((ROOT / "tfstyle" / "samples").glob("*.jpg"))


@pytest.fixture(scope="module")
def decode_batch():
    return tf.function(encoded_images.decode_batch, input_signature=[FILES])


@pytest.fixture(scope="module")
def resize_batch():
    size = tf.TensorSpec([2], tf.int32)
    return tf.function(
        encoded_images.decode_batch, input_signature=[FILES, size]
    )


def picture(mode="RGB"):
    levels = np.random.default_rng(3).integers(0, 256, (18, 21, 4), np.uint8)
    image = Image.fromarray(levels)
    return image if mode == "RGBA" else image.convert("RGB").convert(mode)


def save(image, name, **options):
    file = io.BytesIO()
    image.save(file, name, **options)
    return file.getvalue()


@pytest.mark.parametrize(
    ("mode", "name"),
    [
        ("RGB", "JPEG"),
        ("L", "JPEG"),
        ("CMYK", "JPEG"),
        ("RGB", "PNG"),
        ("RGBA", "PNG"),
        ("P", "PNG"),
        ("P", "GIF"),
        ("RGB", "BMP"),
        pytest.param(
            *("RGB", "WEBP"),
            marks=pytest.mark.skipif(
                not hasattr(tf.io, "decode_webp"),
                reason="this TensorFlow does not decode WebP",
            ),
        ),
    ],
)
def test_decode_equals_the_program(decode_batch, tmp_path, mode, name):
    file = save(picture(mode), name)
    path = tmp_path / f"picture.{name.lower()}"
    path.write_bytes(file)
    expected = read_image(str(path)).pixels
    found = decode_batch([file, file])
    np.testing.assert_array_equal(found, [expected, expected])


def test_decode_equals_the_program_on_photographs(decode_batch):
    assert len(SAMPLES) == 3
    for path in SAMPLES:
        found = decode_batch([path.read_bytes()])[0]
        np.testing.assert_array_equal(found, read_image(str(path)).pixels)


@pytest.mark.parametrize(
    "file",
    [
        b"",
        b"not a picture",
        save(picture(), "TIFF"),
        save(picture(), "JPEG")[:-40],
        save(picture(), "PNG")[:-40],
        save(picture().rotate(90, expand=True), "PNG"),
    ],
    ids=["empty", "text", "TIFF", "cut JPEG", "cut PNG", "another size"],
)
def test_decode_refuses(decode_batch, file):
    with pytest.raises(tf.errors.InvalidArgumentError):
        decode_batch([save(picture(), "PNG"), file])


@pytest.mark.parametrize("bits", [12, 14])
def test_dark_png_is_not_brightened(decode_batch, tmp_path, bits):
    levels = np.random.default_rng(3).integers(0, 2**bits, (18, 21), np.uint16)
    levels[0, 0] = 2**bits - 1
    path = tmp_path / "dark.png"
    Image.fromarray(levels).save(path)
    read = read_image(str(path))
    assert f"read as {bits} bits" in read.warnings[0]
    found = decode_batch([path.read_bytes()])[0].numpy()
    expected = np.repeat(levels[..., None] / 257, 3, axis=2)
    assert np.abs(found - expected).max() <= 1
    assert read.pixels.max() == 255
    assert "PNG of 16 bits: levels are divided by 257" in DIFFERENCES


@pytest.mark.parametrize(("left", "top"), [(0, 0), (3, 2)])
def test_gif_is_as_large_as_its_first_frame(decode_batch, tmp_path, left, top):
    file = bytearray(save(picture("L").crop((0, 0, 5, 6)), "GIF"))
    canvas = decode_batch([bytes(file)])[0].numpy()  # the frame fills it
    assert canvas.min() > 0
    start = file.index(struct.pack("<c4H", b",", 0, 0, 5, 6))
    struct.pack_into("<2H", file, start + 1, left, top)
    struct.pack_into("<2H", file, 6, 9, 8)  # width and height of the canvas
    path = tmp_path / "frame.gif"
    path.write_bytes(file)
    pixels = read_image(str(path)).pixels
    assert pixels.shape == (8, 9, 3)
    np.testing.assert_array_equal(pixels[top:, left:][:6, :5], canvas)
    found = decode_batch([bytes(file)])[0].numpy()
    expected = np.zeros_like(canvas)
    expected[top:, left:] = canvas[: 6 - top, : 5 - left]
    np.testing.assert_array_equal(found, expected)
    assert "smaller than the canvas" in DIFFERENCES


@pytest.mark.parametrize(
    ("size", "largest", "mean"),
    [
        ((64, 96), 1, 0.01),
        ((96, 64), 1, 0.01),
        ((64, 300), 1, 0.01),
        ((50, 700), 12, 0.3),  # Pillow may resize rows first
    ],
)
def test_resized_fills_a_size_as_pillow_does(resize_batch, size, largest, mean):
    found = resize_batch([path.read_bytes() for path in SAMPLES], size)
    for path, pixels in zip(SAMPLES, found.numpy(), strict=True):
        image = Image.fromarray(read_image(str(path)).pixels)
        fitted = ImageOps.fit(image, size[::-1], Image.Resampling.LANCZOS)
        difference = np.abs(pixels.astype(int) - np.asarray(fitted))
        assert difference.max() <= largest
        assert difference.mean() < mean


def test_resized_to_its_own_shape_equals_the_program(resize_batch):
    pixels = np.asarray(picture().resize((301, 222)))
    size = fit_size(*pixels.shape[:2], 100)
    found = resize_batch([save(Image.fromarray(pixels), "PNG")], size)[0]
    difference = np.abs(found.numpy().astype(int) - resize(pixels, *size))
    assert difference.max() <= 1
