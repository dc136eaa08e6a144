"""Tiles: cuts an image so that its layers can be joined exactly."""

import dataclasses
import itertools
from collections.abc import Sequence

import numpy as np

from tfstyle.network.layers import BY_NAME
from tfstyle.network.layers import deepest
from tfstyle.network.layers import make_layers


@dataclasses.dataclass(frozen=True)
class Span:
    """A tile along one axis, in pixels of the image.

    Attributes:
        start: first pixel of the tile; a multiple of the deepest stride.
        end: end of the tile, exclusive; a multiple of the deepest stride, or
            the image's end.
        left: first pixel of the view, which includes the halo.
        right: end of the view, exclusive.
    """

    start: int
    end: int
    left: int
    right: int


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


def cut(
    extent: int, tile_size: int, names: Sequence[str], pooling: str
) -> list[Span]:
    """Cuts an axis into as few spans of about `tile_size` as possible.

    No view is larger than `tile_size` with a halo on either side; outer spans
    have a halo on one side only and are larger by the other.

    Args:
        extent: length of the axis, pixels.
        tile_size: size of a span, pixels, rounded up to a multiple of the
            deepest stride.
        names: names of the layers to compute.
        pooling: pooling of the network.
    """
    stride = deepest(names).stride
    positions, of_tile = extent // stride, -(-tile_size // stride)
    number = max(1, -(-positions // of_tile))
    return _cut_evenly(extent, number, stride, halo_of(names, pooling))


def cut_frame(
    size: tuple[int, int], tile_size: int, names: Sequence[str], pooling: str
) -> list[np.ndarray]:
    """Cuts a frame into tiles of about `tile_size`.

    Returns:
        One int32 `[2, 4]` per tile: the fields of the `Span` of its rows, then
        of its columns.
    """
    rows, columns = (cut(extent, tile_size, names, pooling) for extent in size)
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
    """
    stride, halo = deepest(names).stride, halo_of(names, pooling)
    grids = []
    for num_rows in range(1, number + 1):
        rows = _cut_evenly(size[0], num_rows, stride, halo)
        columns = _cut_evenly(size[1], number // num_rows, stride, halo)
        largest = max(s.right - s.left for s in columns) * max(
            s.right - s.left for s in rows
        )
        grids.append((largest, num_rows, _cross(rows, columns)))
    return min(grids, key=lambda grid: grid[:2])[2]


def _cut_evenly(extent: int, number: int, stride: int, halo: int) -> list[Span]:
    """Cuts an axis into a number of spans with views of about equal size."""
    positions = max(1, extent // stride)
    number = min(number, positions)
    # Outer spans have a halo on one side only, and are larger by the other.
    total = positions + 2 * (number - 1) * halo / stride
    ends = [
        round(total * (i + 1) / number - (2 * i + 1) * halo / stride)
        for i in range(number - 1)
    ]
    even = [positions * (i + 1) // number for i in range(number - 1)]
    bounds = [0, *ends, positions]
    if any(b <= a for a, b in itertools.pairwise(bounds)):
        bounds = [0, *even, positions]
    starts = [stride * bound for bound in bounds[:-1]]
    return _widen(starts, extent, halo, stride)


def _widen(
    starts: list[int], extent: int, halo: int, stride: int
) -> list[Span]:
    """Makes spans with views of equal size from their starts.

    All views are as large as the largest required, so that they share a graph;
    views at the end of the axis also include its remainder of less than a
    position.
    """
    ends = [*starts[1:], extent]
    views = [
        (max(0, start - halo), min(extent, end + halo))
        for start, end in zip(starts, ends, strict=True)
    ]
    width = max((right - left) // stride for left, right in views) * stride
    last = extent // stride * stride - width
    spans = []
    for start, end, (left, right) in zip(starts, ends, views, strict=True):
        left = min(left, max(0, last))
        right = extent if right == extent else left + width
        spans.append(Span(start, end, left, right))
    return spans


def _cross(rows: list[Span], columns: list[Span]) -> list[np.ndarray]:
    return [
        np.array([dataclasses.astuple(r), dataclasses.astuple(c)], np.int32)
        for r in rows
        for c in columns
    ]


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
