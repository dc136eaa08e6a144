"""Masks averaged to the size of a layer."""

import numpy as np
import pytest

from tfstyle.images.masks import average_mask


def test_average_mask_equals_the_mean_of_each_area(generator):
    mask = generator.integers(0, 256, (24, 40)).astype(np.uint8)
    expected = mask.reshape(6, 4, 10, 4).mean((1, 3)) / 255
    actual = average_mask(mask, 6, 10)
    assert actual.shape == (1, 6, 10, 1)
    assert actual.dtype == np.float32
    np.testing.assert_allclose(actual[0, :, :, 0], expected, rtol=1e-6)


def test_average_mask_weighs_positions_by_their_share():
    mask = np.array([[255, 0, 0]], np.uint8)  # three into two
    np.testing.assert_allclose(
        average_mask(mask, 1, 2).ravel(), [2 / 3, 0], rtol=1e-6
    )


@pytest.mark.parametrize("size", [(37, 50), (18, 25), (2, 3), (80, 90)])
def test_average_of_ones_is_exactly_one(size):
    mask = np.full((37, 50), 255, np.uint8)
    np.testing.assert_array_equal(average_mask(mask, *size), 1)
