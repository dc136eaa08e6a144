"""The frame: whole positions of the deepest layer around a picture."""

import numpy as np
import pytest

from tfstyle.images.frame import make_frame


@pytest.mark.parametrize(
    ("extent", "before", "behind"),
    [(16, 0, 0), (17, 7, 8), (30, 1, 1), (31, 0, 1), (79, 0, 1), (1, 7, 8)],
)
def test_frame_is_whole_positions_around_the_middle(extent, before, behind):
    frame = make_frame(extent, 64, 16)
    assert (frame.top, frame.bottom) == (before, behind)
    assert (frame.left, frame.right) == (0, 0)
    assert frame.size == (before + extent + behind, 64)
    assert frame.has_border == (extent % 16 > 0)


def test_extend_mirrors_and_crop_undoes_it(generator):
    frame = make_frame(11, 14, 8)
    pixels = generator.integers(0, 256, (11, 14, 3), np.uint8)
    extended = frame.extend(pixels)
    assert extended.shape == (16, 16, 3)
    # Two rows above and three below, one column at either side.
    np.testing.assert_array_equal(extended[1, 1:-1], pixels[1])
    np.testing.assert_array_equal(extended[-1, 1:-1], pixels[-4])
    np.testing.assert_array_equal(extended[2:-3, 0], pixels[:, 1])
    np.testing.assert_array_equal(frame.crop(extended[None])[0], pixels)
    mask = frame.extend(pixels[..., 0])
    np.testing.assert_array_equal(mask, extended[..., 0])
