"""Tone mapping of high dynamic range pictures (PQ, HLG, linear) to 8-bit sRGB.

Levels become light, in units of a white of 203 cd/m2 (ITU-R BT.2408). Up to a
knee light is kept; above, the curve of ITU-R BT.2390 compresses it, so that the
brightest level of the picture becomes white. The largest of the three channels
decides, so that hues stay.
"""

from collections.abc import Callable

import numpy as np

from tfstyle.image_files.decoded import Hdr

LINEAR, PQ, HLG = 8, 16, 18
"""Transfer characteristics of ITU-T H.273."""
WHITE = 203.0
"""Luminance of diffuse white, cd/m2."""
HLG_PEAK = 1000.0
"""Luminance of the display that HLG is made for, cd/m2; its gamma is 1.2."""
SRGB = (0.3127, 0.3290, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
"""Chromaticities x, y of white, red, green and blue of sRGB."""


def make_tone_map(
    values: np.ndarray, bits: int | None, profile: Hdr
) -> Callable[[np.ndarray], np.ndarray]:
    """Makes a function that maps rows of a picture to 8-bit sRGB.

    Args:
        values: `[H, W, 3]`, unsigned integers, or floats of linear light.
        bits: bits per channel, or None for all of the dtype.
        profile: colours of the picture.

    Returns:
        Function from rows of `values` to uint8 `[h, W, 3]`.
    """
    if values.dtype.kind == "f":
        table = None
        peak = float(np.nanmax(values))
    else:
        levels = 2 ** (bits or 8 * values.dtype.itemsize)
        table = _to_light(np.arange(levels) / (levels - 1), profile.transfer)
        peak = float(table[min(int(values.max()), levels - 1)])
    to_xyz = _to_xyz(profile.primaries)
    luminances = to_xyz[1].astype(np.float32)
    matrix = (np.linalg.inv(_to_xyz(SRGB)) @ to_xyz).astype(np.float32)
    if profile.transfer == HLG:
        peak = peak**1.2 * HLG_PEAK / WHITE
    if profile.peak is not None:
        peak = profile.peak / WHITE

    def tone_map(rows):
        light = np.nan_to_num(rows) if table is None else table[rows]
        if profile.transfer == HLG:  # scene light to display light
            luminance = (light @ luminances)[..., np.newaxis]
            light = light * luminance**0.2 * (HLG_PEAK / WHITE)
        top = np.maximum(light.max(-1, keepdims=True), 1e-6)
        light = light * (_compress(top, peak) / top)
        return _encode(light @ matrix.T)

    return tone_map


def _to_light(levels: np.ndarray, transfer: int) -> np.ndarray:
    """Converts levels 0..1 to light: white is 1, or 0..1 of a scene for HLG."""
    if transfer == PQ:
        return (_from_pq(levels) / WHITE).astype(np.float32)
    if transfer == HLG:
        a, b, c = 0.17883277, 0.28466892, 0.55991073
        bright = (np.exp((levels - c) / a) + b) / 12
        return np.where(levels <= 0.5, levels**2 / 3, bright).astype(np.float32)
    return levels.astype(np.float32)


_PQ = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
"""Constants m1, m2, c1, c2, c3 of SMPTE ST 2084."""


def _from_pq(levels: np.ndarray) -> np.ndarray:
    """Converts PQ levels 0..1 to cd/m2."""
    m1, m2, c1, c2, c3 = _PQ
    power = levels ** (1 / m2)
    ratio = np.maximum(power - c1, 0) / (c2 - c3 * power)
    return 10000 * ratio ** (1 / m1)


def _to_pq(luminance: np.ndarray | float) -> np.ndarray:
    """Converts cd/m2 to PQ levels 0..1."""
    m1, m2, c1, c2, c3 = _PQ
    power = (np.maximum(luminance, 0) / 10000) ** m1
    return ((c1 + c2 * power) / (1 + c3 * power)) ** m2


def _compress(light: np.ndarray, peak: float) -> np.ndarray:
    """Maps light from 0..`peak` to 0..1, by the curve of BT.2390, section 5.4.

    Args:
        light: float `[...]`, white is 1.
        peak: brightest light of the picture; up to 1 nothing is changed.
    """
    if peak <= 1:
        return light
    brightest = _to_pq(peak * WHITE)
    levels = np.minimum(_to_pq(light * WHITE) / brightest, 1)
    top = _to_pq(WHITE) / brightest
    knee = 1.5 * top - 0.5
    t = (levels - knee) / (1 - knee)
    curve = (
        (2 * t**3 - 3 * t**2 + 1) * knee
        + (t**3 - 2 * t**2 + t) * (1 - knee)
        + (-2 * t**3 + 3 * t**2) * top
    )
    mapped = np.where(levels < knee, levels, curve)
    return (_from_pq(mapped * brightest) / WHITE).astype(light.dtype)


def _to_xyz(chromaticities: tuple[float, ...]) -> np.ndarray:
    """Returns the matrix from linear RGB to XYZ.

    Args:
        chromaticities: x and y of white, red, green and blue.
    """
    points = np.reshape(chromaticities, (4, 2))
    points = np.column_stack([points, 1 - points.sum(1)]) / points[:, 1:]
    return points[1:].T * np.linalg.solve(points[1:].T, points[0])


def _encode(light: np.ndarray) -> np.ndarray:
    """Encodes linear light as 8-bit sRGB (IEC 61966-2-1)."""
    light = light.clip(0, 1)
    bright = 1.055 * light ** (1 / 2.4) - 0.055
    levels = np.where(light <= 0.0031308, 12.92 * light, bright)
    return np.rint(255 * levels).astype(np.uint8)
