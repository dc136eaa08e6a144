"""Orientations of JPEG, PNG and WebP files, read in a graph as Pillow does."""

import io
import struct

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from PIL import ImageOps

from tfstyle.experiment import exif_orientation

KINDS = {"JPEG": 0, "PNG": 1, "WEBP": 4}
PIXELS = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)


@pytest.fixture(scope="module")
def read():
    """Returns a function of a file's bytes and its kind."""

    @tf.function(
        input_signature=[
            tf.TensorSpec([], tf.string),
            tf.TensorSpec([], tf.int32),
        ]
    )
    def graph(file, kind):
        return exif_orientation.read(tf.io.decode_raw(file, tf.uint8), kind)

    def run(file, name):
        orientation, has_end = graph(file, KINDS[name])
        return int(orientation), bool(has_end)

    return run


def make_exif(value, endian="<", kind=3, count=1, tag=0x0112, entries=1):
    head = b"II*\0" if endian == "<" else b"MM\0*"
    head += struct.pack(endian + "IH", 8, entries)
    form = "HHIHH" if kind == 3 else "HHII"
    tail = (value, 0) if kind == 3 else (value,)
    return head + struct.pack(endian + form, tag, kind, count, *tail) + bytes(4)


def make_file(name, exif):
    file = io.BytesIO()
    image = Image.new("RGB", (16, 16))
    image.save(file, name, exif=b"Exif\0\0" + exif)
    return file.getvalue()


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("endian", ["<", ">"])
def test_read_finds_every_orientation(read, name, endian):
    for value in range(1, 9):
        file = make_file(name, make_exif(value, endian))
        assert read(file, name) == (value, True)


@pytest.mark.parametrize(
    ("exif", "expected"),
    [
        (make_exif(6, kind=4), 6),
        (make_exif(6, entries=65535), 6),
        (make_exif(6, count=2), 1),
        (make_exif(6, kind=2), 1),
        (make_exif(6, tag=0x0113), 1),
        (make_exif(6, entries=0), 1),
        (make_exif(0), 1),
        (make_exif(9), 1),
        (make_exif(6)[:15], 1),
        (b"MM\0*\xff\xff\xff\xff", 1),
        (b"XX" + make_exif(6)[2:], 1),
        (b"", 1),
    ],
)
def test_read_takes_damaged_exif_as_it_lies(read, exif, expected):
    assert read(make_file("JPEG", exif), "JPEG") == (expected, True)


def test_read_skips_other_segments_of_jpeg(read):
    file = make_file("JPEG", make_exif(8))
    for more in (b"\xff\xe1\0\x0cabcdefghij", b"\xff\xff", b"\xff\xfe\0\2"):
        assert read(file[:2] + more + file[2:], "JPEG") == (8, True)


@pytest.mark.parametrize("name", KINDS)
def test_read_tells_a_file_without_its_end(read, name):
    file = make_file(name, make_exif(3))
    for length in (20, len(file) // 2, len(file) - 9):
        assert not read(file[:length], name)[1]


@pytest.mark.parametrize("name", KINDS)
def test_read_survives_any_bytes(read, name, generator):
    whole = np.frombuffer(make_file(name, make_exif(5)), np.uint8)
    for _ in range(100):
        file = whole.copy()
        places = generator.integers(0, min(len(file), 80), 4)
        file[places] = generator.choice([0, 1, 127, 128, 255], 4)
        end = generator.integers(0, len(file) + 1)
        assert 1 <= read(file[:end].tobytes(), name)[0] <= 8


def test_turn_upright_equals_pillow():
    for value in range(1, 9):
        image = Image.fromarray(PIXELS)
        image.getexif()[0x0112] = value
        found = exif_orientation.turn_upright(
            tf.constant(PIXELS), tf.constant(value, tf.int64)
        )
        expected = np.asarray(ImageOps.exif_transpose(image))
        np.testing.assert_array_equal(found, expected)
