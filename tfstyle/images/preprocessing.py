"""Conversion of pixels to VGG19's input values, and back."""

import numpy as np

IMAGENET_MEAN_BGR = (103.939, 116.779, 123.68)
"""Mean of ImageNet's training images, grey levels, in BGR order."""


def preprocess(pixels: np.ndarray) -> np.ndarray:
    """Converts pixels to VGG19's input space.

    Example:
        >>> preprocess(np.full((16, 16, 3), 255, np.uint8)).shape
        (1, 16, 16, 3)

    Args:
        pixels: uint8 `[H, W, 3]`, RGB. Never written into.

    Returns:
        float32 `[1, H, W, 3]`, BGR with ImageNet's mean removed.
    """
    bgr = pixels[..., ::-1].astype(np.float32)
    bgr -= np.float32(IMAGENET_MEAN_BGR)
    return bgr[np.newaxis]


def deprocess(image: np.ndarray, bits: int = 8) -> np.ndarray:
    """Converts an image in VGG19's input space to pixels.

    Example:
        >>> deprocess(np.zeros((1, 16, 16, 3), np.float32))[0, 0]
        array([124, 117, 104], dtype=uint8)

    Args:
        image: float32 `[1, H, W, 3]`, BGR with ImageNet's mean removed, of any
            range. Never written into.
        bits: bits per channel of the result, 8 or 16.

    Returns:
        uint8 or uint16 `[H, W, 3]`, RGB, clipped and rounded half to even.
    """
    return to_pixels(to_levels(image), bits).copy()


def to_levels(image: np.ndarray) -> np.ndarray:
    """Converts an image in VGG19's input space to RGB levels, unclipped.

    Args:
        image: float32 `[1, H, W, 3]`, BGR with ImageNet's mean removed, of any
            range. Never written into.

    Returns:
        float32 `[H, W, 3]`, RGB, a new array; 0 is black and 255 white.
    """
    bgr = np.asarray(image)[0] + np.float32(IMAGENET_MEAN_BGR)
    return bgr[..., ::-1]


def to_pixels(levels: np.ndarray, bits: int = 8) -> np.ndarray:
    """Clips levels to 0..255 and rounds them half to even.

    Example:
        >>> to_pixels(np.array([0.5, 127.5, 300.0]), bits=16)
        array([  128, 32768, 65535], dtype=uint16)

    Args:
        levels: float array of any shape. Overwritten, as it may take 200 MB.
        bits: bits per channel of the result, 8 or 16; in 16 bits, level 255
            becomes 65535.

    Returns:
        uint8 or uint16, with the shape of `levels`.
    """
    dtype = np.dtype(f"uint{bits}")
    np.clip(levels, 0, 255, out=levels)
    levels *= np.iinfo(dtype).max // 255
    np.rint(levels, out=levels)
    return levels.astype(dtype)
