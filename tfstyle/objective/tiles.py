"""Tiles: cuts an image so that its layers can be joined exactly."""

import math
from collections.abc import Sequence

import numpy as np

from tfstyle.network.layers import BY_NAME
from tfstyle.network.layers import deepest
from tfstyle.network.layers import make_layers


def halo_of(names: Sequence[str], pooling: str) -> int:
    """Returns the reach of the layers' positions beyond a tile, in pixels.

    It is a multiple of the deepest stride, so that pooling windows cover the
    same pixels as in the whole frame.
    """
    stride = deepest(names).stride
    layers = [layer for layer in make_layers(pooling) if layer.name in names]
    reach = max(
        max(layer.reach_left, layer.reach_right - layer.stride + 1)
        for layer in layers
    )
    return -(-reach // stride) * stride


def cut_frame(
    size: tuple[int, int], tile_size: int, names: Sequence[str], pooling: str
) -> list[np.ndarray]:
    """Cuts a frame into as few tiles of about `tile_size` as possible.

    No view is larger than `tile_size` with a halo on either side; outer tiles
    have a halo on one side only and are larger by the other.

    Args:
        size: height and width of the frame, pixels.
        tile_size: size of a tile, pixels, rounded up to a multiple of the
            deepest stride.
        names: names of the layers to compute.
        pooling: pooling of the network.

    Returns:
        One int32 `[2, 4]` per tile: the span of its rows, then of its columns.
        A span is the first pixel of the tile and its end, exclusive, then the
        first pixel of the view, which includes the halo, and its end. All are
        multiples of the deepest stride, or the image's end.
    """
    stride, halo = deepest(names).stride, halo_of(names, pooling)
    of_tile = -(-tile_size // stride)
    rows, columns = (
        _cut_evenly(extent, -(-(extent // stride) // of_tile), stride, halo)
        for extent in size
    )
    return _cross(rows, columns)


def share_frame(
    size: tuple[int, int], number: int, names: Sequence[str], pooling: str
) -> list[np.ndarray]:
    """Cuts a frame into a number of tiles, minimising the largest view.

    Args:
        size: height and width of the frame, pixels.
        number: number of tiles; fewer are made if the frame has too few
            positions.
        names: names of the layers to compute.
        pooling: pooling of the network.

    Returns:
        Tiles in the format of `cut_frame`.
    """
    stride, halo = deepest(names).stride, halo_of(names, pooling)
    grids = [
        _cross(
            _cut_evenly(size[0], num_rows, stride, halo),
            _cut_evenly(size[1], number // num_rows, stride, halo),
        )
        for num_rows in range(1, number + 1)
    ]
    return min(grids, key=lambda tiles: max(map(num_pixels, tiles)))


def num_pixels(tile: np.ndarray) -> int:
    """Returns the number of pixels of a tile's view."""
    return math.prod((tile[:, 3] - tile[:, 2]).tolist())


def _cut_evenly(extent: int, number: int, stride: int, halo: int) -> np.ndarray:
    """Cuts an axis into spans, int32 `[number, 4]`, with views of equal size.

    All views are as large as the largest required, so that they share a graph;
    views at the end of the axis also include its remainder of less than a
    position.
    """
    positions = max(1, extent // stride)
    number = max(1, min(number, positions))
    # Outer spans have a halo on one side only, and are larger by the other.
    total = positions + 2 * (number - 1) * halo / stride
    ends = [
        round(total * (i + 1) / number - (2 * i + 1) * halo / stride)
        for i in range(number - 1)
    ]
    bounds = np.array([0, *ends, positions])
    if (np.diff(bounds) <= 0).any():
        bounds = positions * np.arange(number + 1) // number
    start, end = stride * bounds[:-1], stride * bounds[1:]
    end[-1] = extent
    left, right = np.maximum(start - halo, 0), np.minimum(end + halo, extent)
    width = ((right - left) // stride).max() * stride
    left = np.minimum(left, max(0, extent // stride * stride - width))
    right = np.where(right == extent, extent, left + width)
    return np.stack([start, end, left, right], axis=1).astype(np.int32)


def _cross(rows: np.ndarray, columns: np.ndarray) -> list[np.ndarray]:
    """Combines every span of rows with every span of columns."""
    return [np.stack([row, column]) for row in rows for column in columns]


def view_of(image, tile):
    """Cuts a tile with its halo from an image `[1, H, W, ...]`."""
    top, bottom, left, right = tile[0, 2], tile[0, 3], tile[1, 2], tile[1, 3]
    return image[:, top:bottom, left:right]


def core_of_frame(whole, name: str, tile):
    """Cuts a tile's own positions from a layer of the whole frame."""
    stride = BY_NAME[name].stride
    top, bottom = tile[0, 0] // stride, tile[0, 1] // stride
    left, right = tile[1, 0] // stride, tile[1, 1] // stride
    return whole[:, top:bottom, left:right]
