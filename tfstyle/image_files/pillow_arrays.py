"""Conversion between Pillow images and arrays `[H, W, C]`."""

import numpy as np
from PIL import Image

ROWS = 256
"""Rows copied at a time, so that no second picture is held."""
LAB_SIGNS = np.array([0, 128, 128], np.uint8)
"""Pillow reads and writes a* and b* signed; arrays hold them plus 128."""


def to_image(values: np.ndarray, mode: str) -> Image.Image:
    """Makes a picture of mode L, RGB, CMYK or LAB from uint8 `[H, W, C]`."""
    if mode == "LAB":
        values = values ^ LAB_SIGNS
    values = np.ascontiguousarray(values[..., 0] if mode == "L" else values)
    size = values.shape[1::-1]
    return Image.frombuffer(mode, size, values, "raw", mode, 0, 1)


def to_array(image: Image.Image) -> np.ndarray:
    """Returns the pixels of a picture of mode L, RGB, CMYK or LAB, uint8."""
    width, height = image.size
    values = np.empty((height, width, len(image.getbands())), np.uint8)
    for row in range(0, height, ROWS):
        part = image.crop((0, row, width, min(row + ROWS, height)))
        values[row : row + ROWS] = np.atleast_3d(np.asarray(part))
    return values ^ LAB_SIGNS if image.mode == "LAB" else values
