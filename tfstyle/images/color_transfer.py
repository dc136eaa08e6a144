"""Keeping the photograph's own colours.

Two ways, after Gatys, Bethge, Hertzmann and Shechtman, *Preserving Color in
Neural Artistic Style Transfer*, 2016: the style's pixels are mapped to the
content's colours before the transfer (`match`), or only luminance is
transferred (`luminance`). All work on sRGB levels of 0..255 as they are.
"""

import numpy as np

EIGENVALUE_FLOOR = 1e-5
"""Of the largest: a colour that does not vary must not be blown up."""

RGB_TO_YIQ = np.array(
    [
        [0.299, 0.587, 0.114],
        [0.595716, -0.274453, -0.321263],
        [0.211456, -0.522591, 0.311135],
    ]
)
"""Rec. 601 luminance Y in the first row."""


def match_colors(style: np.ndarray, content: np.ndarray) -> np.ndarray:
    """Maps a style's colours to the content's mean and covariance.

    `x -> C_c^(1/2) C_s^(-1/2) (x - mean_s) + mean_c`, symmetric roots.

    Args:
        style: uint8 `[H, W, 3]`, RGB. Never written into.
        content: uint8 `[H, W, 3]`, RGB, of any size.

    Returns:
        uint8 `[H, W, 3]`, clipped to 0..255.

    References:
        Gatys et al., 2016, section 5.1.
    """
    style_rows, content_rows = (
        pixels.reshape(-1, 3).astype(np.float64) for pixels in (style, content)
    )
    mapping = _root(content_rows, 0.5) @ _root(style_rows, -0.5)
    matched = (style_rows - style_rows.mean(0)) @ mapping.T
    return _to_pixels(matched + content_rows.mean(0)).reshape(style.shape)


def to_luminance(pixels: np.ndarray) -> np.ndarray:
    """Returns the luminance of uint8 `[H, W, 3]` as grey of that shape."""
    return _to_gray(_luminance(pixels))


def match_luminance(style: np.ndarray, content: np.ndarray) -> np.ndarray:
    """Returns a style's luminance with the content's mean and deviation.

    Args:
        style: uint8 `[H, W, 3]`, RGB. Never written into.
        content: uint8 `[H, W, 3]`, RGB, of any size.

    Returns:
        uint8 `[H, W, 3]`, grey, clipped to 0..255.

    References:
        Gatys et al., 2016, section 5.2.
    """
    ours, theirs = _luminance(style), _luminance(content)
    deviation = ours.std()
    scale = theirs.std() / deviation if deviation > 0 else 0.0
    return _to_gray((ours - ours.mean()) * scale + theirs.mean())


def restore_colors(painted: np.ndarray, content: np.ndarray) -> np.ndarray:
    """Puts the content's I and Q back under the painted luminance.

    Args:
        painted: uint8 `[H, W, 3]`, RGB.
        content: uint8 `[H, W, 3]`, RGB, of the same size.

    Returns:
        uint8 `[H, W, 3]`, clipped to 0..255.
    """
    chroma = content.astype(np.float64) @ RGB_TO_YIQ.T
    chroma[..., 0] = _luminance(painted)
    return _to_pixels(chroma @ np.linalg.inv(RGB_TO_YIQ).T)


def _root(rows: np.ndarray, power: float) -> np.ndarray:
    """Returns a power of the covariance of `[N, 3]`, symmetric."""
    values, vectors = np.linalg.eigh(np.cov(rows, rowvar=False, bias=True))
    floor = EIGENVALUE_FLOOR * max(values.max(), np.finfo(float).tiny)
    return vectors * np.maximum(values, floor) ** power @ vectors.T


def _luminance(pixels: np.ndarray) -> np.ndarray:
    return pixels.astype(np.float64) @ RGB_TO_YIQ[0]


def _to_gray(luminance: np.ndarray) -> np.ndarray:
    return np.repeat(_to_pixels(luminance)[..., np.newaxis], 3, axis=-1)


def _to_pixels(values: np.ndarray) -> np.ndarray:
    return np.rint(np.clip(values, 0, 255)).astype(np.uint8)
