"""Where frames are cut: every position once, views alike."""

import numpy as np
import pytest

from tfstyle.config.config import Config
from tfstyle.network.layers import LAYERS
from tfstyle.network.layers import make_layers
from tfstyle.objective.tiles import cut_frame
from tfstyle.objective.tiles import halo_of
from tfstyle.objective.tiles import num_pixels
from tfstyle.objective.tiles import share_frame
from tfstyle.objective.tiles import view_of

NAMES = Config().style_layers
SIZES = [(97, 163), (512, 512), (1024, 2048), (33, 4000), (16, 31)]


def check_tiles(tiles, size, halo):
    """Checks that tiles own every pixel once and see their halo."""
    owners = np.zeros(size, int)
    whole, views = [extent // 16 * 16 for extent in size], set()
    for tile in tiles:
        assert (tile.dtype, tile.shape) == (np.int32, (2, 4))
        (top, bottom, *_), (left, right, *_) = tile
        owners[top:bottom, left:right] += 1
        for (start, end, first, last), extent in zip(tile, size, strict=True):
            assert start % 16 == 0
            assert end % 16 == 0 or end == extent
            assert 0 <= first <= max(0, start - halo)
            assert first % 16 == 0
            assert min(extent, end + halo) <= last <= extent
            assert last % 16 == 0 or last == extent
        views.add(tuple(np.minimum(tile[:, 3], whole) - tile[:, 2]))
    assert (owners == 1).all()
    assert len(views) == 1  # but for a rest of less than one position


@pytest.mark.parametrize(
    ("pooling", "halo"), [("average", 80), ("max", 80), ("rms", 96)]
)
def test_halo_is_what_the_windows_of_a_pooling_see(pooling, halo):
    assert halo_of(NAMES, pooling) == halo


@pytest.mark.parametrize("pooling", ["average", "rms"])
@pytest.mark.parametrize("number", range(len(LAYERS)))
def test_halo_covers_the_reach_of_a_layer(pooling, number):
    layer = make_layers(pooling)[number]
    stride, halo = layer.stride, halo_of([layer.name], pooling)
    assert halo % stride == 0
    reach = max(layer.reach_left, layer.reach_right - stride + 1)
    assert reach <= halo < reach + stride


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("tile_size", [16, 48, 512, 4096])
@pytest.mark.parametrize("pooling", ["average", "rms"])
def test_tiles_own_every_pixel_once(size, tile_size, pooling):
    tiles = cut_frame(size, tile_size, NAMES, pooling)
    halo = halo_of(NAMES, pooling)
    check_tiles(tiles, size, halo)
    for tile in tiles:
        view = tile[:, 3] - tile[:, 2]
        assert (view < tile_size + 2 * halo + 16).all()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("number", [1, 2, 3, 4, 7, 8, 64])
def test_shares_own_every_pixel_once(size, number):
    tiles = share_frame(size, number, NAMES, "rms")
    assert len(tiles) <= number
    check_tiles(tiles, size, halo_of(NAMES, "rms"))


def test_one_share_is_the_frame():
    (tile,) = share_frame((97, 163), 1, NAMES, "rms")
    assert tile.tolist() == [[0, 97, 0, 97], [0, 163, 0, 163]]


def test_shares_cut_where_views_are_smallest():
    upright = share_frame((2048, 1024), 2, NAMES, "rms")
    assert [tile[0, 1] for tile in upright] == [1024, 2048]
    square = share_frame((1024, 1024), 4, NAMES, "rms")
    assert {tuple(tile[:, 0]) for tile in square} == {
        (0, 0),
        (0, 512),
        (512, 0),
        (512, 512),
    }


@pytest.mark.parametrize("number", [2, 3, 4, 6, 8, 16])
def test_views_of_shares_are_alike(number):
    """Outer tiles see one halo less, and own that much more."""
    tiles = share_frame((4096, 4096), number, NAMES, "rms")
    areas = [num_pixels(tile) for tile in tiles]
    assert len(tiles) == number
    assert max(areas) < 1.04 * min(areas)


def test_view_is_what_a_tile_sees():
    image = np.arange(4 * 5).reshape(1, 4, 5, 1)
    tile = np.array([[1, 2, 0, 3], [2, 4, 1, 5]])
    np.testing.assert_array_equal(view_of(image, tile), image[:, 0:3, 1:5])
