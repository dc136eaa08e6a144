"""Transparency: fully transparent pixels are ignored."""

import numpy as np

from tfstyle.errors import ImageError
from tfstyle.images.picture import Picture
from tfstyle.images.resize import resize_floats


def show(image: Picture, name: str) -> Picture:
    """Replaces the colours of fully transparent pixels.

    Args:
        image: picture as read from its file.
        name: name of the picture in messages, such as "Image 'logo.png'".

    Raises:
        ImageError: if every pixel is fully transparent.
    """
    if image.alpha is not None and not image.alpha.any():
        raise ImageError(f"{name} is fully transparent. Use another picture.")
    return image._replace(pixels=fill_hidden(image.pixels, image.alpha))


def fill_hidden(pixels: np.ndarray, alpha: np.ndarray | None) -> np.ndarray:
    """Fills fully transparent pixels with the colours near them.

    Receptive fields are large: with the hidden colours that a file stores
    under alpha 0, two pictures that look alike would have different features.
    Every such pixel takes the mean of the smallest block of 2, 4, 8 ... pixels
    around it that has visible pixels, smoothly enlarged.

    Args:
        pixels: uint8 `[H, W, 3]`. Never written into.
        alpha: uint8 `[H, W]`, or None.

    Returns:
        uint8 `[H, W, 3]`, unchanged wherever alpha is above 0.
    """
    if alpha is None or alpha.all():
        return pixels
    weights = alpha[..., np.newaxis].astype(np.float32)
    filled = _fill(pixels * weights, weights)
    filled = np.rint(np.clip(filled, 0, 255)).astype(np.uint8)
    return np.where(alpha[..., np.newaxis] > 0, pixels, filled)


def lay_on_white(pixels: np.ndarray, alpha: np.ndarray | None) -> np.ndarray:
    """Composites a picture over a white background.

    Args:
        pixels: uint8 `[H, W, 3]`. Never written into.
        alpha: uint8 `[H, W]`, or None.

    Returns:
        uint8 `[H, W, 3]`.
    """
    if alpha is None:
        return pixels
    share = alpha[..., np.newaxis].astype(np.float32) / 255
    return np.rint(pixels * share + 255 * (1 - share)).astype(np.uint8)


def _fill(sums: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Divides sums by weights, and fills in from coarser levels if 0.

    Args:
        sums: float32 `[H, W, 3]`, colours times weights.
        weights: float32 `[H, W, 1]`, alpha summed over blocks.
    """
    height, width = weights.shape[:2]
    means = sums / np.maximum(weights, np.finfo(np.float32).tiny)
    if weights.all() or height == width == 1:
        return means
    coarse = _fill(_halve(sums), _halve(weights))[np.newaxis]
    near = resize_floats(coarse, 2 * coarse.shape[1], 2 * coarse.shape[2])
    return np.where(weights > 0, means, near[0, :height, :width])


def _halve(values: np.ndarray) -> np.ndarray:
    """Sums blocks of 2 by 2 pixels of `[H, W, C]`; odd sides are padded."""
    height, width, channels = values.shape
    padded = np.pad(values, [(0, height % 2), (0, width % 2), (0, 0)])
    blocks = padded.reshape(-(-height // 2), 2, -(-width // 2), 2, channels)
    return blocks.sum((1, 3))
