"""Colour preservation: keeps the content image's colours.

Two methods, after Gatys, Bethge, Hertzmann and Shechtman, *Preserving Color in
Neural Artistic Style Transfer*, 2016: the style's pixels are mapped to the
content's colours before the transfer (`match`), or only luminance is
transferred (`luminance`). Both work on sRGB levels of 0..255, not linearised.
"""

import numpy as np

from tfstyle.images.preprocessing import to_pixels

EIGENVALUE_FLOOR = 1e-5
"""Eigenvalue floor, relative to the largest; limits gain of flat colours."""

FLAT = 1e-6
"""Standard deviation, grey levels, below which an image counts as flat."""
ROWS = 256
"""Number of image rows processed at once."""

RGB_TO_YIQ = np.array(
    [
        [0.299, 0.587, 0.114],
        [0.595716, -0.274453, -0.321263],
        [0.211456, -0.522591, 0.311135],
    ]
)
"""Conversion matrix; its first row is the Rec. 601 luminance Y."""


def match_colors(
    style: np.ndarray,
    content: np.ndarray,
    style_alpha: np.ndarray | None = None,
    content_alpha: np.ndarray | None = None,
) -> np.ndarray:
    """Matches the mean and covariance of a style's colours to the content's.

    `x -> C_c^(1/2) C_s^(-1/2) (x - mean_s) + mean_c`, with symmetric roots.

    Args:
        style: uint8 `[H, W, 3]`, RGB. Never written into.
        content: uint8 `[H, W, 3]`, RGB, of any size.
        style_alpha: uint8 `[H, W]`, weight of each style pixel; None: equal.
        content_alpha: uint8 `[H, W]`, weight of each content pixel; None:
            equal.

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
    """Converts uint8 `[H, W, 3]` RGB to luminance, repeated in 3 channels."""
    return _by_rows(
        lambda rows: (rows @ RGB_TO_YIQ[0])[..., np.newaxis], pixels
    )


def match_luminance(
    style: np.ndarray,
    content: np.ndarray,
    style_alpha: np.ndarray | None = None,
    content_alpha: np.ndarray | None = None,
) -> np.ndarray:
    """Matches a style's luminance to the content's mean and deviation.

    Args:
        style: uint8 `[H, W, 3]`, RGB. Never written into.
        content: uint8 `[H, W, 3]`, RGB, of any size.
        style_alpha: uint8 `[H, W]`, weight of each style pixel; None: equal.
        content_alpha: uint8 `[H, W]`, weight of each content pixel; None:
            equal.

    Returns:
        uint8 `[H, W, 3]`, grey, clipped to 0..255.

    References:
        Gatys et al., 2016, section 5.2.
    """
    y = RGB_TO_YIQ[0]
    mean, covariance = _moments(style, style_alpha)
    content_mean, content_covariance = _moments(content, content_alpha)
    deviation = np.sqrt(y @ covariance @ y)
    content_deviation = np.sqrt(y @ content_covariance @ y)
    scale = 0.0 if deviation < FLAT else content_deviation / deviation

    def match(rows):
        luminance = (rows @ y)[..., np.newaxis]
        return (luminance - y @ mean) * scale + y @ content_mean

    return _by_rows(match, style)


def restore_colors(
    painted: np.ndarray, content: np.ndarray, bits: int = 8
) -> np.ndarray:
    """Combines the painted luminance with the content's I and Q.

    Args:
        painted: uint8 or float32 `[H, W, 3]`, RGB, levels of 0..255.
        content: uint8 or float32 `[H, W, 3]`, RGB, levels of 0..255.
        bits: bits per channel of the result, 8 or 16.

    Returns:
        uint8 or uint16 `[H, W, 3]`, clipped.
    """
    yiq_to_rgb = np.linalg.inv(RGB_TO_YIQ)

    def restore(painted, content):
        yiq = content @ RGB_TO_YIQ.T
        yiq[..., 0] = painted @ RGB_TO_YIQ[0]
        return yiq @ yiq_to_rgb.T

    return _by_rows(restore, painted, content, bits=bits)


def mix(
    painted: np.ndarray, content: np.ndarray, inside: np.ndarray
) -> np.ndarray:
    """Mixes a painting with the content, which is exact where it is whole.

    Args:
        painted: uint8 or uint16 `[H, W, 3]`, RGB.
        content: uint8 or float32 `[H, W, 3]`, RGB, levels of 0..255.
        inside: uint8 or uint16 `[H, W]`, share of the painting, 0..255.

    Returns:
        `[H, W, 3]`, with the dtype of `painted`.
    """
    unit = np.iinfo(painted.dtype).max / 255

    def combine(painted, content, inside):
        return content + (painted / unit - content) * (inside / 255)

    bits = 8 * painted.dtype.itemsize
    return _by_rows(
        combine, painted, content, inside[..., np.newaxis], bits=bits
    )


def _moments(
    pixels: np.ndarray, alpha: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Computes mean `[3]` and covariance `[3, 3]` of uint8 `[H, W, 3]`.

    The sums are exact: integers below 2**53.
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


def _by_rows(change, *images: np.ndarray, bits: int = 8) -> np.ndarray:
    """Maps images `[H, W, 3]` to one in blocks of rows, to save memory."""
    changed = np.empty(images[0].shape, f"uint{bits}")
    for start in range(0, len(changed), ROWS):
        rows = slice(start, start + ROWS)
        parts = [image[rows].astype(np.float64) for image in images]
        changed[rows] = to_pixels(change(*parts), bits)
    return changed


def _root(covariance: np.ndarray, power: float) -> np.ndarray:
    """Computes the symmetric power of a covariance matrix `[3, 3]`."""
    values, vectors = np.linalg.eigh(covariance)
    floor = EIGENVALUE_FLOOR * max(values.max(), np.finfo(float).tiny)
    return vectors * np.maximum(values, floor) ** power @ vectors.T
