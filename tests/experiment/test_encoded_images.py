"""What the graph decodes is what `read_image` reads, pixel by pixel."""

import io
import struct
import zlib

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from PIL import ImageOps

from tests import ROOT
from tfstyle.experiment import encoded_images
from tfstyle.images.files import read_image
from tfstyle.images.resize import fit_size
from tfstyle.images.resize import resize

FILES = tf.TensorSpec([None], tf.string)
DECODES_WEBP = hasattr(tf.io, "decode_webp")


@pytest.fixture(scope="module")
def decode_batch():
    return tf.function(encoded_images.decode_batch, input_signature=[FILES])


@pytest.fixture(scope="module")
def resize_batch():
    return tf.function(
        lambda files, size: encoded_images.decode_and_resize_batch(
            files, size, 16
        ),
        input_signature=[FILES, tf.TensorSpec([2], tf.int32)],
    )


def picture(mode="RGB"):
    levels = np.random.default_rng(3).integers(0, 256, (18, 21, 4), np.uint8)
    image = Image.fromarray(levels)
    return image if mode == "RGBA" else image.convert("RGB").convert(mode)


def save(image, name, **options):
    file = io.BytesIO()
    image.save(file, name, **options)
    return file.getvalue()


def wide_png(color_type, channels):
    """Returns a PNG of 16 bits a channel."""

    def chunk(name, data):
        check = struct.pack(">I", zlib.crc32(name + data))
        return struct.pack(">I", len(data)) + name + data + check

    shape = (18, 21 * channels)
    rows = np.random.default_rng(4).integers(0, 65536, shape).astype(">u2")
    head = struct.pack(">IIBBBBB", 21, 18, 16, color_type, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    start = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head)
    return start + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def oriented(name, **options):
    exif = Image.Exif()
    exif[0x0112] = 6
    return save(picture(), name, exif=exif, **options)


needs_webp = pytest.mark.skipif(
    not DECODES_WEBP, reason="this TensorFlow does not decode WebP"
)


@pytest.mark.parametrize(
    ("suffix", "file"),
    [
        pytest.param(suffix, file, id=name)
        for name, suffix, file in [
            ("jpeg", "jpg", save(picture(), "JPEG")),
            ("progressive", "jpg", save(picture(), "JPEG", progressive=True)),
            ("grey_jpeg", "jpg", save(picture("L"), "JPEG")),
            ("cmyk", "jpg", save(picture("CMYK"), "JPEG")),
            ("turned_jpeg", "jpg", oriented("JPEG")),
            ("png", "png", save(picture(), "PNG")),
            ("turned_png", "png", oriented("PNG")),
            ("alpha", "png", save(picture("RGBA"), "PNG")),
            ("grey_alpha", "png", save(picture("LA"), "PNG")),
            ("palette", "png", save(picture("P"), "PNG")),
            ("one_bit", "png", save(picture("1"), "PNG")),
            ("wide_grey", "png", wide_png(0, 1)),
            ("wide_color", "png", wide_png(2, 3)),
            ("wide_alpha", "png", wide_png(6, 4)),
            ("gif", "gif", save(picture("P"), "GIF")),
            (
                "moving_gif",
                "gif",
                save(
                    picture("P"),
                    "GIF",
                    save_all=True,
                    append_images=[Image.new("RGB", (21, 18))],
                ),
            ),
            ("bmp", "bmp", save(picture(), "BMP")),
            ("alpha_bmp", "bmp", save(picture("RGBA"), "BMP")),
            ("grey_bmp", "bmp", save(picture("L"), "BMP")),
            ("palette_bmp", "bmp", save(picture().quantize(9), "BMP")),
        ]
    ]
    + [
        pytest.param(suffix, file, id=name, marks=needs_webp)
        for name, suffix, file in [
            ("webp", "webp", save(picture(), "WEBP")),
            ("alpha_webp", "webp", save(picture("RGBA"), "WEBP", exact=True)),
            ("turned_webp", "webp", oriented("WEBP", lossless=True)),
        ]
    ],
)
def test_decode_equals_the_program(decode_batch, tmp_path, suffix, file):
    path = tmp_path / f"picture.{suffix}"
    path.write_bytes(file)
    expected = read_image(str(path)).pixels
    np.testing.assert_array_equal(decode_batch([file])[0], expected)


def test_decode_equals_the_program_on_photographs(decode_batch):
    paths = sorted((ROOT / "tfstyle" / "samples").glob("*.jpg"))
    assert len(paths) == 3
    for path in paths:
        found = decode_batch([path.read_bytes()])[0]
        np.testing.assert_array_equal(found, read_image(str(path)).pixels)


KINDS = "must hold JPEG, PNG, GIF, BMP .* or WebP"


@pytest.mark.parametrize(
    ("file", "text"),
    [
        (b"", KINDS),
        (b"not a picture", KINDS),
        (save(picture(), "TIFF"), KINDS),
        (save(picture("1"), "BMP"), KINDS),
        (
            save(
                picture(),
                "WEBP",
                save_all=True,
                append_images=[Image.new("RGB", (21, 18))],
            ),
            KINDS,
        ),
        (save(picture(), "JPEG")[:-40], "is cut off"),
        (save(picture(), "PNG")[:-40], "is cut off"),
        (save(picture(), "BMP")[:-40], "is cut off"),
        (save(picture(), "WEBP")[:-40], "is cut off"),
    ],
)
def test_decode_names_the_file_it_refuses(decode_batch, file, text):
    good = save(picture(), "PNG")
    match = rf"{text}[\s\S]* file number \(from 0\):\] \[1\]"
    with pytest.raises(tf.errors.InvalidArgumentError, match=match):
        decode_batch([good, file])


def test_batch_of_two_sizes_names_the_other_signature(decode_batch):
    files = [save(picture(), "PNG"), oriented("PNG")]
    match = r"Use `encoded_resized`.*\[\[18 21 3\]\[21 18 3\]\]"
    with pytest.raises(tf.errors.InvalidArgumentError, match=match):
        decode_batch(files)


def test_empty_batch_is_refused(decode_batch):
    with pytest.raises(tf.errors.InvalidArgumentError, match="at least one"):
        decode_batch(tf.constant([], tf.string))


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
    paths = sorted((ROOT / "tfstyle" / "samples").glob("*.jpg"))
    found = resize_batch([path.read_bytes() for path in paths], size)
    for path, pixels in zip(paths, found.numpy(), strict=True):
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


def test_resized_refuses_too_small_a_size(resize_batch):
    match = r"`size` must be height and width, at least 16 .* \[15 40\]"
    with pytest.raises(tf.errors.InvalidArgumentError, match=match):
        resize_batch([save(picture(), "PNG")], (15, 40))
