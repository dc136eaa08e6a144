"""Bit depth conversion: integer and float levels to 8 or 16 bits.

16-bit levels are divided by 257, but 12-bit sensors and microscopes leave the
upper bits empty, and such a picture would be black: if all levels are below
4096, their bit depth is that of the brightest. Floats from 0 to 1 are scaled
by 255; darker floats (up to `LEAST_TOP`), other floats and 32-bit levels have
no known scale and are stretched from the darkest to the brightest. Every guess
is logged.
"""

from collections.abc import Callable

import numpy as np

from tfstyle.image_files.decoded import Source

Unsigned = type[np.unsignedinteger]

BITS = 12
"""Bit depth up to which 16-bit levels are scaled by the brightest."""
SENSOR_TOPS = (2**13 - 1, 2**14 - 1, 2**15 - 1)
"""Maxima of 13-, 14- and 15-bit sensors, as in overexposed pictures."""
TOP = 65535
LEAST_TOP = 2.0 ** (BITS - 16)
"""Smallest maximum of floats from 0 to 1; darker pictures are stretched."""


def make_scale(
    source: Source, values: np.ndarray, bits: int | None, dtype: Unsigned
) -> Callable[[np.ndarray], np.ndarray]:
    """Makes a function that scales levels to all of uint8 or uint16.

    Args:
        source: the file, for warnings.
        values: integers or floats of any shape, grey or colours without alpha.
        bits: bits per channel if known, or None.
        dtype: uint8 or uint16.

    Returns:
        Function from a part of `values` to `dtype`, which writes into none;
        `keep` if they need no scaling.

    Raises:
        ValueError: if no level is finite, or their range overflows.
    """
    full = np.iinfo(dtype).max
    if values.dtype.kind == "f":
        low, top = _float_range(source, values)
    elif values.dtype == dtype == np.uint8 and bits in (None, 8):
        return keep
    else:
        low, top = _integer_range(source, values, bits)
    if values.dtype.kind == "u" and low == 0 and top <= TOP:
        levels = np.arange(TOP + 1).clip(max=top) / (top / full)
        table = np.rint(levels).astype(dtype)
        return lambda part: table[part]
    spread = np.float64(top) - low or 1.0
    if not np.isfinite(spread):
        raise ValueError("the range of its levels is too large")

    def scale(part):
        with np.errstate(over="ignore", invalid="ignore"):
            scaled = part.astype(np.result_type(part.dtype, np.float32))
            scaled -= low
            scaled *= full / spread
        np.nan_to_num(scaled, copy=False, nan=0, posinf=full, neginf=0)
        return np.rint(scaled.clip(0, full)).astype(dtype)

    return scale


def keep(levels: np.ndarray) -> np.ndarray:
    """Returns levels that need no scaling."""
    return levels


def white_of(dtype: np.dtype, bits: int | None) -> float:
    """Returns the level of white of a dtype or bit depth; 1 for floats."""
    if dtype.kind == "f":
        return 1.0
    return 2.0**bits - 1 if bits else float(np.iinfo(dtype).max)


def alpha_to_8_bits(alpha: np.ndarray, bits: int | None) -> np.ndarray:
    """Converts alpha to uint8 from the range of its dtype or bit depth."""
    if alpha.dtype == np.uint8 and bits in (None, 8):
        return alpha
    share = alpha.astype(np.float32) / white_of(alpha.dtype, bits)
    return np.rint(np.nan_to_num(share).clip(0, 1) * 255).astype(np.uint8)


def _integer_range(
    source: Source, values: np.ndarray, bits: int | None
) -> tuple[float, float]:
    """Returns the levels of black and white of integers."""
    if bits is not None and bits != 16:
        return 0, 2**bits - 1
    if values.dtype == np.uint8:
        return 0, 255
    low, top = int(values.min()), int(values.max())
    if low < 0 or top > TOP:
        return _stretched(source, low, top)
    if not (0 < top < 2**BITS or top in SENSOR_TOPS):
        return 0, TOP
    bits = max(8, top.bit_length())
    source.warnings.append(
        f"has 16-bit levels up to {top} only; read as {bits} bits."
    )
    return 0, 2**bits - 1


def _float_range(source: Source, values: np.ndarray) -> tuple[float, float]:
    """Returns the levels of black and white of floats."""
    is_finite = np.isfinite(values)
    if not is_finite.any():
        raise ValueError("none of its levels is a number")
    low = float(values.min(where=is_finite, initial=np.inf))
    top = float(values.max(where=is_finite, initial=-np.inf))
    if low < 0 or not LEAST_TOP < top <= 1:
        return _stretched(source, low, top)
    source.warnings.append(
        f"has float levels, {low:g} to {top:g}; 0 is read as black, 1 as white."
    )
    return 0.0, 1.0


def _stretched(source: Source, low: float, top: float) -> tuple[float, float]:
    source.warnings.append(
        f"has levels without a scale, {low:g} to {top:g}; they are stretched"
        " from black to white."
    )
    return low, top
