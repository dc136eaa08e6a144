"""Levels of more than 8 bits: what is scaled, what is guessed, what is said."""

import numpy as np
import pytest

from tfstyle.image_files.bit_depth import make_scale
from tfstyle.image_files.decoded import Source


def scale(values, dtype=np.uint8, bits=None):
    """Returns the scaled levels, and the one warning, if any."""
    source = Source("a.tif", None, None)
    convert = make_scale(source, values, bits, dtype)
    (text,) = source.warnings or [""]
    return (values if convert is None else convert(values)), text


@pytest.mark.parametrize("top", [4096, 9000, 16382, 65535])
def test_16_bit_levels_are_divided(top):
    values = np.array([0, 128, 129, top], np.uint16)
    found, said = scale(values)
    expected = np.rint(values / 257).astype(np.uint8)
    np.testing.assert_array_equal(found, expected, strict=True)
    assert said == ""


@pytest.mark.parametrize(
    ("top", "bits"),
    [(255, 8), (1023, 10), (1000, 10), (4095, 12), (8191, 13), (16383, 14)],
)
@pytest.mark.parametrize("source_dtype", ["<u2", ">u2", "<i4"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_dark_levels_are_scaled_by_the_bits_in_use(
    top, bits, source_dtype, dtype
):
    values = np.array([0, top // 2, top], source_dtype)
    found, said = scale(values, dtype)
    expected = values * (np.iinfo(dtype).max / (2**bits - 1))
    np.testing.assert_allclose(found, expected, atol=0.51)
    assert f"up to {top} only; read as {bits} bits." in said


@pytest.mark.parametrize("bits", [1, 4, 10, 12, 14])
def test_known_bits_are_no_guess(bits):
    top = 2**bits - 1
    values = np.array([0, top // 3, top], np.uint16)
    found, said = scale(values, bits=bits)
    np.testing.assert_array_equal(found, np.rint(values / top * 255))
    assert said == ""


def test_black_and_masks_of_0_and_1_are_kept():
    assert scale(np.zeros((2, 2), np.uint16)) == (pytest.approx(0), "")
    found, _ = scale(np.array([0, 1], np.uint16))
    np.testing.assert_array_equal(found, [0, 1])


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_floats_from_0_to_1_are_read_as_they_are(dtype):
    found, said = scale(np.array([0.125, 0.25, 0.5], dtype))
    np.testing.assert_array_equal(found, [32, 64, 128])
    assert "0.125 to 0.5; 0 is read as black, 1 as white." in said


@pytest.mark.parametrize(
    "values",
    [
        np.array([-1, 0, 1], np.int32),
        np.array([0, 50000, 100000], np.int32),
        np.array([0, 2**31, 2**32 - 2], np.uint32),
        np.array([0, 127.5, 255], np.float32),
        np.array([0, 0.005, 0.01]),
        np.array([-7, 0, 7], np.float16),
        np.array([-3e38, 0, 3e38], np.float32),
    ],
)
def test_levels_without_a_scale_are_stretched(values):
    found, said = scale(values)
    np.testing.assert_array_equal(found, [0, 128, 255])
    assert said.endswith("are stretched from black to white.")


def test_levels_that_are_no_numbers_are_black():
    values = np.array([np.nan, -np.inf, 2, 4, np.inf], np.float32)
    values.setflags(write=False)
    found, _ = scale(values)
    np.testing.assert_array_equal(found, [0, 0, 0, 255, 255])
    with pytest.raises(ValueError, match="none of its levels is a number"):
        scale(np.full((2, 2), np.nan))
