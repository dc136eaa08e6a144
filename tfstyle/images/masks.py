"""Regions: grey masks brought to the size of a layer's features."""

import numpy as np
from PIL import Image


def to_mask(pixels: np.ndarray) -> np.ndarray:
    """Returns how light pixels are, uint8 `[H, W]`.

    Args:
        pixels: uint8 `[H, W, 3]`, RGB.
    """
    return np.array(Image.fromarray(pixels).convert("L"))


def average_mask(mask: np.ndarray, height: int, width: int) -> np.ndarray:
    """Averages a mask over the area of each position of a layer.

    Args:
        mask: uint8 `[H, W]` of any size, 0 outside and 255 inside the region.
        height: positions.
        width: positions.

    Returns:
        float32 `[1, height, width, 1]`, T of the region, 0..1; exactly 1
        wherever the mask is 255 throughout.
    """
    rows = _average_rows(mask / 255, height)
    average = _average_rows(rows.T, width).T
    return average.astype(np.float32)[np.newaxis, :, :, np.newaxis]


def _average_rows(values: np.ndarray, size: int) -> np.ndarray:
    """Averages `[N, M]` to `[size, M]`, rows cut by an edge by their share."""
    edges = np.linspace(0, len(values), size + 1)
    last = np.minimum(edges.astype(int), len(values) - 1)
    before = np.zeros_like(values)
    before[1:] = np.cumsum(values[:-1], axis=0)
    sums = before[last] + (edges - last)[:, np.newaxis] * values[last]
    return np.diff(sums, axis=0) * (size / len(values))
