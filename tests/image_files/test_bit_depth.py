"""Levels of more than 8 bits: what is scaled, what is guessed, what is said."""

import numpy as np
import pytest

from tfstyle.image_files.bit_depth import to_8_bits


@pytest.fixture
def said(caplog):
    """Returns a function that returns the one line that was said, if any."""

    def take():
        assert len(caplog.records) <= 1
        return caplog.records[0].getMessage() if caplog.records else ""

    return take


@pytest.mark.parametrize("top", [4096, 9000, 16382, 65535])
def test_to_8_bits_divides_16_bit_levels(said, top):
    values = np.array([0, 128, 129, top], np.uint16)
    expected = np.rint(values / 257).astype(np.uint8)
    np.testing.assert_array_equal(to_8_bits("a", values), expected, strict=True)
    assert said() == ""


@pytest.mark.parametrize(
    ("top", "bits"),
    [(255, 8), (1023, 10), (1000, 10), (4095, 12), (8191, 13), (16383, 14)],
)
@pytest.mark.parametrize("dtype", ["<u2", ">u2", "<i4"])
def test_to_8_bits_takes_levels_by_the_bits_in_use(said, top, bits, dtype):
    values = np.array([0, top // 2, top], dtype)
    expected = np.rint(values * (255 / (2**bits - 1)))
    np.testing.assert_array_equal(to_8_bits("a.tif", values), expected)
    assert said() == (
        f"Image 'a.tif': its 16-bit levels reach {top} only; read as {bits}"
        " bits."
    )


def test_to_8_bits_keeps_black_and_masks_of_0_and_1(said):
    assert to_8_bits("a", np.zeros((2, 2), np.uint16)).max() == 0
    assert said() == ""
    values = np.array([0, 1], np.uint16)
    np.testing.assert_array_equal(to_8_bits("a", values), [0, 1])


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_to_8_bits_takes_floats_from_0_to_1_as_they_are(said, dtype):
    values = np.array([0.125, 0.25, 0.5], dtype)
    np.testing.assert_array_equal(to_8_bits("a", values), [32, 64, 128])
    assert "0.125 to 0.5, are read as 0 black, 1 white." in said()


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
def test_to_8_bits_stretches_levels_without_a_scale(said, values):
    np.testing.assert_array_equal(to_8_bits("a", values), [0, 128, 255])
    assert said().endswith("are stretched to black and white.")


def test_to_8_bits_leaves_out_what_is_no_number():
    values = np.array([np.nan, -np.inf, 2, 4, np.inf], np.float32)
    np.testing.assert_array_equal(to_8_bits("a", values), [0, 0, 0, 255, 255])
    with pytest.raises(ValueError, match="none of its levels is a number"):
        to_8_bits("a", np.full((2, 2), np.nan))


def test_to_8_bits_never_writes_into_its_argument():
    values = np.array([np.nan, 2, 4], np.float32)
    values.setflags(write=False)
    to_8_bits("a", values)
