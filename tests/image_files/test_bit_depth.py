"""Levels of more than 8 bits: what is scaled, what is guessed, what is said."""

import numpy as np
import pytest

from tfstyle.image_files.bit_depth import to_8_bits


@pytest.mark.parametrize("top", [4096, 9000, 16382, 65535])
def test_to_8_bits_divides_16_bit_levels(caplog, top):
    values = np.array([0, 128, 129, top], np.uint16)
    expected = np.rint(values / 257).astype(np.uint8)
    np.testing.assert_array_equal(to_8_bits("a", values), expected, strict=True)
    assert not caplog.text


@pytest.mark.parametrize(
    ("top", "bits"),
    [(255, 8), (1023, 10), (1000, 10), (4095, 12), (8191, 13), (16383, 14)],
)
@pytest.mark.parametrize("dtype", ["<u2", ">u2", "<i4"])
def test_to_8_bits_takes_levels_by_the_bits_in_use(caplog, top, bits, dtype):
    values = np.array([0, top // 2, top], dtype)
    expected = np.rint(values * (255 / (2**bits - 1)))
    np.testing.assert_array_equal(to_8_bits("a.tif", values), expected)
    assert caplog.messages == [
        f"Image 'a.tif': its 16-bit levels reach {top} only; read as {bits}"
        " bits."
    ]


HALVES = np.array([0.125, 0.25, 0.5])


@pytest.mark.parametrize(
    ("values", "expected", "message"),
    [
        (np.zeros(3, np.uint16), [0, 0, 0], ""),
        (np.array([0, 1, 1], np.uint16), [0, 1, 1], "read as 8 bits."),
        *(
            (HALVES.astype(dtype), [32, 64, 128], "0.125 to 0.5, are read as 0")
            for dtype in (np.float16, np.float32, np.float64)
        ),
        *(
            (values, [0, 128, 255], "are stretched to black and white.")
            for values in (
                np.array([-1, 0, 1], np.int32),
                np.array([0, 50000, 100000], np.int32),
                np.array([0, 2**31, 2**32 - 2], np.uint32),
                np.array([0, 127.5, 255], np.float32),
                np.array([0, 0.005, 0.01]),
                np.array([-7, 0, 7], np.float16),
                np.array([-3e38, 0, 3e38], np.float32),
            )
        ),
    ],
)
def test_to_8_bits_says_what_it_guesses(caplog, values, expected, message):
    values.setflags(write=False)
    np.testing.assert_array_equal(to_8_bits("a", values), expected)
    assert len(caplog.messages) == bool(message)
    assert message in caplog.text


def test_to_8_bits_leaves_out_what_is_no_number():
    values = np.array([np.nan, -np.inf, 2, 4, np.inf], np.float32)
    values.setflags(write=False)
    np.testing.assert_array_equal(to_8_bits("a", values), [0, 0, 0, 255, 255])
    with pytest.raises(ValueError, match="none of its levels is a number"):
        to_8_bits("a", np.full((2, 2), np.nan))
