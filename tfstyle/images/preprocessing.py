"""Converts pixels to the values VGG19 was trained on, and back."""

import numpy as np

IMAGENET_MEAN_BGR = (103.939, 116.779, 123.68)
"""Mean of ImageNet's training images, grey levels, in BGR order."""


def preprocess(pixels: np.ndarray) -> np.ndarray:
    """Turns an image file's pixels into VGG19's input space.

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


def deprocess(image: np.ndarray) -> np.ndarray:
    """Turns an image in VGG19's input space into pixels.

    Example:
        >>> deprocess(np.zeros((1, 16, 16, 3), np.float32))[0, 0]
        array([124, 117, 104], dtype=uint8)

    Args:
        image: float32 `[1, H, W, 3]`, BGR with ImageNet's mean removed, of any
            range. Never written into.

    Returns:
        uint8 `[H, W, 3]`, RGB, clipped to 0..255 and rounded half to even.
    """
    bgr = np.asarray(image)[0] + np.float32(IMAGENET_MEAN_BGR)
    np.clip(bgr, 0, 255, out=bgr)  # in place: an image may have 200 MB
    np.rint(bgr, out=bgr)
    return bgr.astype(np.uint8)[..., ::-1].copy()
