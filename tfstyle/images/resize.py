"""Resizing of pictures and masks."""

import numpy as np
from PIL import Image


def resize_floats(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resizes a float image with a Lanczos filter (a = 3), without clipping.

    Args:
        image: float32 `[1, H, W, C]`, of any range. Never written into.
        height: height of the output, pixels.
        width: width of the output, pixels.

    Returns:
        float32 `[1, height, width, C]`, neither clipped nor rounded.
    """
    channels = [
        _resample(channel, height, width, Image.Resampling.LANCZOS)
        for channel in np.moveaxis(image[0], -1, 0)
    ]
    return np.stack(channels, axis=-1)[np.newaxis]


def resize(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resizes with a Lanczos filter (a = 3), widened for downscaling.

    Args:
        pixels: uint8 `[H, W, 3]` or `[H, W]`. Never written into.
        height: height of the output, pixels.
        width: width of the output, pixels.

    Returns:
        uint8 `[height, width, 3]` or `[height, width]`.
    """
    if pixels.shape[:2] == (height, width):
        return pixels
    return _resample(pixels, height, width, Image.Resampling.LANCZOS)


def resize_mask(
    mask: np.ndarray, height: int, width: int, *, is_smooth: bool = False
) -> np.ndarray:
    """Resizes a mask by averaging over the area of each output pixel.

    Args:
        mask: uint8 `[H, W]`. Never written into.
        height: height of the output, pixels.
        width: width of the output, pixels.
        is_smooth: True for a linear filter instead, which leaves no steps.

    Returns:
        uint8 `[height, width]`.
    """
    window = Image.Resampling.BILINEAR if is_smooth else Image.Resampling.BOX
    return _resample(mask, height, width, window)


def _resample(
    pixels: np.ndarray, height: int, width: int, window: Image.Resampling
) -> np.ndarray:
    image = Image.fromarray(np.ascontiguousarray(pixels))
    return np.array(image.resize((width, height), window))


def fit_size(height: int, width: int, long_edge: int) -> tuple[int, int]:
    """Returns the height and width of a picture scaled to a long edge.

    Args:
        height: height of the picture, pixels.
        width: width of the picture, pixels.
        long_edge: longer side of the result, pixels; 0 keeps the size.
    """
    if long_edge == 0:
        return height, width
    scale = long_edge / max(height, width)
    return max(1, round(height * scale)), max(1, round(width * scale))
