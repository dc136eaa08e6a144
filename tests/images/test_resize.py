"""Sizes of levels, and the way up."""

import numpy as np
import pytest

from tfstyle.images.resize import resize_floats
from tfstyle.training.pyramid import level_sizes


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


def test_enlarge_keeps_a_constant_and_its_range(generator):
    image = np.full((1, 12, 17, 3), -310.5, np.float32)
    np.testing.assert_allclose(resize_floats(image, 25, 33), -310.5, rtol=1e-6)


def test_enlarge_keeps_a_ramp():
    """Positions of the finer level lie between those of the coarser one."""
    ramp = np.broadcast_to(
        np.arange(40, dtype=np.float32)[:, None, None], (1, 40, 8, 3)
    )
    fine = resize_floats(ramp, 80, 16)
    expected = (np.arange(80) + 0.5) / 2 - 0.5
    # The edges bend; Lanczos' weights are not quite a partition of unity.
    np.testing.assert_allclose(
        fine[0, 10:-10, 5, 1], expected[10:-10], atol=0.02
    )


def test_enlarge_keeps_channels_apart(generator):
    image = generator.normal(size=(1, 9, 7, 3)).astype(np.float32)
    fine = resize_floats(image, 18, 14)
    assert fine.shape == (1, 18, 14, 3)
    assert fine.dtype == np.float32
    for channel in range(3):
        alone = resize_floats(image[..., channel : channel + 1], 18, 14)
        np.testing.assert_array_equal(fine[..., channel], alone[..., 0])
