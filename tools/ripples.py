"""Ripples: how much fine structure a picture has, by bands of periods.

The lightness of a picture is cut into overlapping blocks of 64 px. In each, a
discrete Fourier transform gives the power of every band of periods, from 2 to
16 px. Two numbers a band stand for the picture: the mean over all blocks, and
the power that a quarter of them stay below, its quiet quarter. Flat parts, such
as a sky, show ripples most and hardly change the mean.

A painting has strokes, so a picture's power says little alone: it is compared
with that of its content and style at the same scale.
"""

from collections.abc import Sequence

import numpy as np

from tfstyle.errors import ImageError

BLOCK = 64
"""Side of a block, pixels; the next one begins half a side further."""
BANDS = ((2, 2.5), (2.5, 3.2), (3.2, 4.2), (4.2, 6), (6, 9), (9, 16))
"""Shortest and longest period of each band, pixels; the longest is outside."""
QUIET = 0.25
"""Share of the blocks that stay below the power of the quiet quarter."""
FLOOR = 1e-9
"""Squared lightness that counts as none: a wave of 0.01 grey levels."""

_LEVELS = np.arange(256) / 255
_LINEAR = np.where(
    _LEVELS <= 0.04045, _LEVELS / 12.92, ((_LEVELS + 0.055) / 1.055) ** 2.4
)
"""float64 `[256]`: light, 0..1, of the levels of sRGB (IEC 61966-2-1)."""
_REC_709 = np.array([0.2126, 0.7152, 0.0722])


def compare_ripples(
    pixels: np.ndarray,
    content: np.ndarray,
    style: np.ndarray,
    bands: Sequence[tuple[float, float]] = BANDS,
) -> np.ndarray:
    """Computes 10 log10(P / max(P_content, P_style)) by band.

    Above 0, a picture has ripples that neither of its sources has.

    Args:
        pixels: uint8 `[H, W, 3]`, sRGB.
        content: uint8 `[h, w, 3]`, at the same scale.
        style: likewise.
        bands: shortest and longest period of each, pixels.

    Returns:
        float64 `[2, len(bands)]`, decibels: of the mean over all blocks, and
        of the quiet quarter.

    Raises:
        ImageError: if a side is less than `BLOCK`.
    """
    own, *theirs = (
        np.maximum(measure_ripples(each, bands), FLOOR)
        for each in (pixels, content, style)
    )
    return 10 * np.log10(own / np.maximum(*theirs))


def measure_ripples(
    pixels: np.ndarray, bands: Sequence[tuple[float, float]] = BANDS
) -> np.ndarray:
    """Measures a picture's power by band.

    Args:
        pixels: uint8 `[H, W, 3]`, sRGB.
        bands: shortest and longest period of each, pixels.

    Returns:
        float64 `[2, len(bands)]`, squared lightness: the mean over all blocks,
        and the quiet quarter.

    Raises:
        ImageError: if a side is less than `BLOCK`.
    """
    powers = band_powers(compute_lightness(pixels), bands)
    return np.stack([powers.mean(0), np.quantile(powers, QUIET, axis=0)])


def compute_lightness(pixels: np.ndarray) -> np.ndarray:
    """Computes lightness, the cube root of luminance, 0..1.

    Args:
        pixels: uint8 `[H, W, 3]`, sRGB.

    Returns:
        float64 `[H, W]`, near CIE L* / 100 but for the darkest.
    """
    return np.cbrt(_LINEAR[pixels] @ _REC_709)


def band_powers(
    lightness: np.ndarray, bands: Sequence[tuple[float, float]] = BANDS
) -> np.ndarray:
    """Computes the power of each band in each block, sum |F|^2 / (N^2 sum w^2).

    F is the transform of a block of N x N pixels without its mean, times Hann's
    window w. A sine of amplitude a has the power a^2 / 2, its variance.

    Args:
        lightness: float64 `[H, W]`. Up to 31 px that fill no block are left
            out on the right and below.
        bands: shortest and longest period of each, pixels.

    Returns:
        float64 `[blocks, len(bands)]`, squared lightness.

    Raises:
        ImageError: if a side is less than `BLOCK`.
    """
    check_size(*lightness.shape)
    window = np.outer(np.hanning(BLOCK), np.hanning(BLOCK))
    axis = np.fft.fftfreq(BLOCK)
    frequency = np.hypot(axis[:, np.newaxis], axis).ravel()  # cycles a pixel
    is_inside = np.stack(
        [
            (frequency > 1 / longest) & (frequency <= 1 / shortest)
            for shortest, longest in bands
        ],
        axis=-1,
    )  # [BLOCK**2, bands]
    blocks = np.lib.stride_tricks.sliding_window_view(lightness, [BLOCK] * 2)
    powers = []
    for row in blocks[:: BLOCK // 2, :: BLOCK // 2]:  # a row: bounded memory
        waves = row - row.mean((1, 2), keepdims=True)
        spectra = np.abs(np.fft.fft2(waves * window)) ** 2
        powers.append(spectra.reshape(len(row), -1) @ is_inside)
    return np.concatenate(powers) / (BLOCK**2 * (window**2).sum())


def check_size(height: int, width: int) -> None:
    """Checks that a picture holds a block.

    Raises:
        ImageError: if a side is less than `BLOCK`.
    """
    if min(height, width) < BLOCK:
        raise ImageError(
            f"Ripples are measured in blocks of {BLOCK}x{BLOCK} pixels."
            f" Received: a picture of {width}x{height}."
        )
