"""Sizes of levels, and resizing."""

import numpy as np
import pytest

from tfstyle.images.resize import fit_size
from tfstyle.images.resize import resize
from tfstyle.images.resize import resize_floats
from tfstyle.training.pyramid import level_sizes

TWO_PASSES = 1.5  # grey levels; each pass of Pillow rounds
FLOATS = 1e-3  # grey levels; float32 sums of up to 24 products
SIZES = [(11, 17), (20, 30), (61, 40), (16, 80)]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((384, 512, 1), [(384, 512)]),
        ((384, 512, 3), [(96, 128), (192, 256), (384, 512)]),
        ((75, 101, 2), [(38, 50), (75, 101)]),
        ((2, 64, 3), [(1, 16), (1, 32), (2, 64)]),
    ],
)
def test_level_sizes_halve(arguments, expected):
    assert level_sizes(*arguments) == expected


def lanczos_matrix(num_in, num_out):
    """Returns `[num_out, num_in]`: Lanczos' filter, a = 3, rows of sum 1."""
    scale = num_in / num_out
    stretch = max(scale, 1)  # widened when it makes smaller
    centers = (np.arange(num_out) + 0.5) * scale
    places = (np.arange(num_in) + 0.5 - centers[:, np.newaxis]) / stretch
    weights = np.sinc(places) * np.sinc(places / 3) * (np.abs(places) < 3)
    return weights / weights.sum(1, keepdims=True)


def filter_lanczos(pixels, height, width):
    """Returns `[height, width, C]`, neither clipped nor rounded."""
    rows = lanczos_matrix(pixels.shape[0], height)
    columns = lanczos_matrix(pixels.shape[1], width)
    return np.einsum("yh,xw,hwc->yxc", rows, columns, pixels)


@pytest.mark.parametrize("size", SIZES)
def test_resize_is_lanczos_filter(generator, size):
    pixels = generator.integers(70, 186, (30, 40, 3), np.uint8)  # no clipping
    found = resize(pixels, *size)
    assert found.dtype == np.uint8
    expected = filter_lanczos(pixels, *size)
    np.testing.assert_allclose(found, expected, rtol=0, atol=TWO_PASSES)
    channel = resize(pixels[..., 1], *size)
    np.testing.assert_array_equal(channel, found[..., 1], strict=True)


@pytest.mark.parametrize("size", SIZES)
def test_resize_floats_is_lanczos_filter(generator, size):
    image = generator.uniform(-310, 310, (1, 30, 40, 3)).astype(np.float32)
    found = resize_floats(image, *size)
    assert found.dtype == np.float32
    expected = filter_lanczos(image[0], *size)[np.newaxis]
    np.testing.assert_allclose(found, expected, rtol=0, atol=FLOATS)


@pytest.mark.parametrize("level", [0, 127, 255])
@pytest.mark.parametrize("size", [(1, 1), (7, 90), (333, 11)])
def test_resize_keeps_a_constant_color(level, size):
    color = (level, 255 - level, 77)
    pixels = resize(np.full((30, 40, 3), color, np.uint8), *size)
    expected = np.full((*size, 3), color, np.uint8)
    np.testing.assert_array_equal(pixels, expected, strict=True)


def test_resize_never_writes_into_its_argument(generator):
    pixels = generator.integers(0, 256, (30, 40, 3), np.uint8)
    before = pixels.copy()
    assert resize(pixels, 30, 40) is pixels
    resize(pixels, 15, 20)[:] = 0
    resize(pixels[::-1, ::2], 60, 80)[:] = 0
    np.testing.assert_array_equal(pixels, before)


@pytest.mark.parametrize(
    ("height", "width", "long_edge", "expected"),
    [
        (640, 480, 512, (512, 384)),
        (500, 683, 512, (375, 512)),  # 374.8
        (20, 30, 60, (40, 60)),
        (1, 1000, 16, (1, 16)),  # never 0
        (480, 640, 0, (480, 640)),
    ],
)
def test_fit_size_gives_known_sizes(height, width, long_edge, expected):
    assert fit_size(height, width, long_edge) == expected
