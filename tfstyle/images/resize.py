"""Resizing of pictures and masks."""

import numpy as np
from PIL import Image


def resize_floats(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resizes as `resize` does, but neither clips nor rounds.

    Args:
        image: float32 `[1, H, W, C]`, of any range. Never written into.
        height: pixels.
        width: pixels.

    Returns:
        float32 `[1, height, width, C]`, neither clipped nor rounded.
    """
    channels = [
        np.asarray(
            Image.fromarray(np.ascontiguousarray(channel)).resize(
                (width, height), Image.Resampling.LANCZOS
            )
        )
        for channel in np.moveaxis(image[0], -1, 0)
    ]
    return np.stack(channels, axis=-1)[np.newaxis]


def resize(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resizes by Lanczos' filter (a = 3), widened when it makes smaller.

    Args:
        pixels: uint8 `[H, W, 3]` or `[H, W]`. Never written into.
        height: pixels.
        width: pixels.

    Returns:
        uint8 `[height, width, 3]` or `[height, width]`.
    """
    if pixels.shape[:2] == (height, width):
        return pixels
    image = Image.fromarray(pixels)
    return np.array(image.resize((width, height), Image.Resampling.LANCZOS))


def resize_mask(mask: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resizes a mask, each pixel the average of the area that it covers.

    Args:
        mask: uint8 `[H, W]`. Never written into.
        height: pixels.
        width: pixels.

    Returns:
        uint8 `[height, width]`.
    """
    image = Image.fromarray(mask)
    return np.array(image.resize((width, height), Image.Resampling.BOX))


def fit_size(height: int, width: int, long_edge: int) -> tuple[int, int]:
    """Returns the height and width of a picture with a given long edge.

    Args:
        height: pixels.
        width: pixels.
        long_edge: pixels; 0 keeps the size as it is.
    """
    if long_edge == 0:
        return height, width
    scale = long_edge / max(height, width)
    return max(1, round(height * scale)), max(1, round(width * scale))
