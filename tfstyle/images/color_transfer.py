"""Keeping the photograph's own colours.

Two ways, after Gatys, Bethge, Hertzmann and Shechtman, *Preserving Color in
Neural Artistic Style Transfer*, 2016: the style's pixels are mapped to the
content's colours before the transfer (`match`), or only luminance is
transferred (`luminance`). All work on sRGB levels of 0..255 as they are.
"""

import numpy as np

from tfstyle.images.preprocessing import to_pixels

EIGENVALUE_FLOOR = 1e-5
"""Of the largest: a colour that does not vary must not be blown up."""

FLAT = 1e-6
"""Grey levels; a deviation below it is that of rounding."""
ROWS = 256
"""Of an image, worked on at once."""

RGB_TO_YIQ = np.array(
    [
        [0.299, 0.587, 0.114],
        [0.595716, -0.274453, -0.321263],
        [0.211456, -0.522591, 0.311135],
    ]
)
"""Rec. 601 luminance Y in the first row."""


def match_colors(
    style: np.ndarray,
    content: np.ndarray,
    style_alpha: np.ndarray | None = None,
    content_alpha: np.ndarray | None = None,
) -> np.ndarray:
    """Maps a style's colours to the content's mean and covariance.

    `x -> C_c^(1/2) C_s^(-1/2) (x - mean_s) + mean_c`, symmetric roots.

    Args:
        style: uint8 `[H, W, 3]`, RGB. Never written into.
        content: uint8 `[H, W, 3]`, RGB, of any size.
        style_alpha: uint8 `[H, W]`, how much each pixel counts; None: alike.
        content_alpha: the same.

    Returns:
        uint8 `[H, W, 3]`, clipped to 0..255.

    References:
        Gatys et al., 2016, section 5.1.
    """
    style_mean, style_covariance = _moments(style, style_alpha)
    content_mean, content_covariance = _moments(content, content_alpha)
    mapping = _root(content_covariance, 0.5) @ _root(style_covariance, -0.5)
    return _by_rows(
        lambda rows: (rows - style_mean) @ mapping.T + content_mean, style
    )


def to_luminance(pixels: np.ndarray) -> np.ndarray:
    """Returns the luminance of uint8 `[H, W, 3]` as grey of that shape."""
    return _by_rows(lambda rows: _luminance(rows)[..., np.newaxis], pixels)


def match_luminance(
    style: np.ndarray,
    content: np.ndarray,
    style_alpha: np.ndarray | None = None,
    content_alpha: np.ndarray | None = None,
) -> np.ndarray:
    """Returns a style's luminance with the content's mean and deviation.

    Args:
        style: uint8 `[H, W, 3]`, RGB. Never written into.
        content: uint8 `[H, W, 3]`, RGB, of any size.
        style_alpha: uint8 `[H, W]`, how much each pixel counts; None: alike.
        content_alpha: the same.

    Returns:
        uint8 `[H, W, 3]`, grey, clipped to 0..255.

    References:
        Gatys et al., 2016, section 5.2.
    """
    moments = _moments(style, style_alpha), _moments(content, content_alpha)
    (mean, deviation), (content_mean, content_deviation) = (
        (RGB_TO_YIQ[0] @ mean, np.sqrt(RGB_TO_YIQ[0] @ cov @ RGB_TO_YIQ[0]))
        for mean, cov in moments
    )
    is_flat = deviation < FLAT
    scale = 0.0 if is_flat else content_deviation / deviation
    return _by_rows(
        lambda rows: (
            (_luminance(rows)[..., np.newaxis] - mean) * scale + content_mean
        ),
        style,
    )


def restore_colors(
    painted: np.ndarray, content: np.ndarray, bits: int = 8
) -> np.ndarray:
    """Puts the content's I and Q back under the painted luminance.

    Args:
        painted: uint8 or float32 `[H, W, 3]`, RGB, levels of 0..255.
        content: the same, of the same size.
        bits: 8 or 16, of what is returned.

    Returns:
        uint8 or uint16 `[H, W, 3]`, clipped.
    """
    restored = np.empty(painted.shape, f"uint{bits}")
    yiq_to_rgb = np.linalg.inv(RGB_TO_YIQ)
    for start in range(0, len(painted), ROWS):
        rows = slice(start, start + ROWS)
        chroma = content[rows].astype(np.float64) @ RGB_TO_YIQ.T
        chroma[..., 0] = _luminance(painted[rows])
        restored[rows] = to_pixels(chroma @ yiq_to_rgb.T, bits)
    return restored


def _moments(
    pixels: np.ndarray, alpha: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Returns mean `[3]` and covariance `[3, 3]` of uint8 `[H, W, 3]`.

    The sums are whole numbers below 2**53, and so exact.
    """
    total, products, count = np.zeros(3), np.zeros((3, 3)), 0
    for start in range(0, len(pixels), ROWS):
        rows = pixels[start : start + ROWS].reshape(-1, 3).astype(np.float64)
        weights = np.ones(len(rows))
        if alpha is not None:
            weights = alpha[start : start + ROWS].ravel().astype(np.float64)
        total += weights @ rows
        products += rows.T @ (rows * weights[:, np.newaxis])
        count += weights.sum()
    mean = total / count
    covariance = (products - np.outer(total, total) / count) / count
    return mean, covariance


def _by_rows(change, pixels: np.ndarray) -> np.ndarray:
    """Changes uint8 `[H, W, 3]` some rows at a time, in little memory."""
    changed = np.empty_like(pixels)
    for start in range(0, len(pixels), ROWS):
        rows = pixels[start : start + ROWS].astype(np.float64)
        changed[start : start + ROWS] = to_pixels(change(rows))
    return changed


def _root(covariance: np.ndarray, power: float) -> np.ndarray:
    """Returns a power of a covariance `[3, 3]`, symmetric."""
    values, vectors = np.linalg.eigh(covariance)
    floor = EIGENVALUE_FLOOR * max(values.max(), np.finfo(float).tiny)
    return vectors * np.maximum(values, floor) ** power @ vectors.T


def _luminance(pixels: np.ndarray) -> np.ndarray:
    return pixels.astype(np.float64) @ RGB_TO_YIQ[0]
