"""Pixels to VGG19's input space and back."""

import keras
import numpy as np
import pytest

from tfstyle.images.preprocessing import IMAGENET_MEAN_BGR
from tfstyle.images.preprocessing import deprocess
from tfstyle.images.preprocessing import preprocess
from tfstyle.images.preprocessing import to_pixels


def make_image(bgr):
    """Returns float32 `[1, 1, W, 3]` whose pixels with the mean are `bgr`."""
    bgr = np.array(bgr, np.float32)
    return (bgr - np.float32(IMAGENET_MEAN_BGR))[np.newaxis, np.newaxis]


def test_preprocess_is_keras_preprocess_input(samples):
    for pixels in samples:
        expected = keras.applications.vgg19.preprocess_input(
            pixels[np.newaxis].astype(np.float32)
        )
        np.testing.assert_array_equal(preprocess(pixels), expected, strict=True)


def test_preprocess_takes_a_view(generator):
    pixels = generator.integers(0, 256, (6, 8, 3), np.uint8)
    view = pixels[::-2, 1::3]
    np.testing.assert_array_equal(preprocess(view), preprocess(view.copy()))


def test_deprocess_swaps_channels_and_adds_the_mean():
    pixels = deprocess(make_image([[1, 2, 3], [30, 20, 10]]))
    expected = np.array([[[3, 2, 1], [10, 20, 30]]], np.uint8)
    np.testing.assert_array_equal(pixels, expected, strict=True)


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        *((-1e9, 0), (-256.0, 0), (-0.6, 0), (0.4, 0), (0.6, 1)),
        *((0.5, 0), (1.5, 2), (2.5, 2), (3.5, 4)),  # to even
        *((254.4, 254), (254.6, 255), (255.6, 255), (256.0, 255), (1e9, 255)),
        *((np.inf, 255), (-np.inf, 0)),
    ],
)
def test_deprocess_rounds_and_clips(level, expected):
    pixels = deprocess(make_image([[level, level, level]]))
    np.testing.assert_array_equal(pixels, [[[expected] * 3]])


def test_neither_direction_writes_into_its_argument(generator):
    pixels = generator.integers(0, 256, (5, 7, 3), np.uint8)
    image = generator.normal(0, 200, (1, 5, 7, 3)).astype(np.float32)
    for convert, argument in ((preprocess, pixels), (deprocess, image)):
        argument.setflags(write=False)
        result = convert(argument)
        result[:] = 0
        assert not np.shares_memory(result, argument)
        assert result.flags.c_contiguous


def test_deprocess_returns_every_grey_level_of_preprocess():
    levels = np.arange(256, dtype=np.uint8)
    # Each channel another level, so that none can stand in for another.
    pixels = np.stack([levels, levels[::-1], np.roll(levels, 99)], -1)[None]
    np.testing.assert_array_equal(
        deprocess(preprocess(pixels)), pixels, strict=True
    )


def test_deprocess_to_16_bits_rounds_the_floats_once(generator):
    image = generator.uniform(-160, 180, (1, 9, 11, 3)).astype(np.float32)
    before = image.copy()
    levels = image[0].astype(np.float64) + IMAGENET_MEAN_BGR
    exact = np.clip(levels, 0, 255)[..., ::-1] * 65535 / 255
    pixels = deprocess(image, bits=16)
    assert pixels.dtype == np.uint16
    assert pixels.flags.c_contiguous
    # Half a level of 16 bits, and the floats' last place.
    assert np.abs(pixels - exact).max() <= 0.5 + 257 * 2e-5
    assert {pixels.min(), pixels.max()} == {0, 65535}
    np.testing.assert_array_equal(image, before)


def test_deprocess_to_16_bits_rounds_half_to_even():
    levels = np.array([[[0.5, 1.5, 2.5]]]) / 257
    np.testing.assert_array_equal(to_pixels(levels, 16), [[[0, 2, 2]]])
