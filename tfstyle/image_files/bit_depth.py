"""Bit depth conversion: integer and float levels to 8 bits.

16-bit levels are divided by 257, but 12-bit sensors and microscopes leave the
upper bits empty, and such a picture would be black: if all levels are below
4096, their bit depth is that of the brightest. Floats from 0 to 1 are scaled
by 255; darker floats (up to `LEAST_TOP`), other floats and 32-bit levels have
no known scale and are stretched from the darkest to the brightest. Every guess
is logged.
"""

import numpy as np
from absl import logging

BITS = 12
"""Bit depth up to which 16-bit levels are scaled by the brightest."""
SENSOR_TOPS = (2**13 - 1, 2**14 - 1, 2**15 - 1)
"""Maxima of 13-, 14- and 15-bit sensors, as in overexposed pictures."""
TOP = 65535
LEAST_TOP = 2.0 ** (BITS - 16)
"""Smallest maximum of floats from 0 to 1; darker pictures are stretched."""


def to_8_bits(path: str, values: np.ndarray) -> np.ndarray:
    """Converts levels to uint8.

    Args:
        path: path of the picture, for the log.
        values: integers or floats of any shape, grey or RGB without alpha.
            Never written into.

    Raises:
        ValueError: if no level is finite, or their range overflows.
    """
    if values.dtype == np.uint8:
        return values
    if values.dtype.kind == "f":
        return _narrow_floats(path, values)
    low, top = int(values.min()), int(values.max())
    if low < 0 or top > TOP:
        return _stretch(path, values, low, top)
    bits = 16
    if 0 < top < 2**BITS or top in SENSOR_TOPS:
        bits = max(8, top.bit_length())
        logging.warning(
            "Image %r: its 16-bit levels reach %d only; read as %d bits.",
            path,
            top,
            bits,
        )
    levels = np.arange(2**bits) / ((2**bits - 1) / 255)
    return np.rint(levels).astype(np.uint8)[values]


def _narrow_floats(path: str, values: np.ndarray) -> np.ndarray:
    is_finite = np.isfinite(values)
    if not is_finite.any():
        raise ValueError("none of its levels is a number")
    low = float(values.min(where=is_finite, initial=np.inf))
    top = float(values.max(where=is_finite, initial=-np.inf))
    if low < 0 or not LEAST_TOP < top <= 1:
        return _stretch(path, values, low, top)
    logging.warning(
        "Image %r: its float levels, %g to %g, are read as 0 black, 1 white.",
        path,
        low,
        top,
    )
    return _scale(values, 0.0, 1.0)


def _stretch(
    path: str, values: np.ndarray, low: float, top: float
) -> np.ndarray:
    logging.warning(
        "Image %r: its levels, %g to %g, are stretched to black and white.",
        path,
        low,
        top,
    )
    return _scale(values, low, top)


def _scale(values: np.ndarray, low: float, top: float) -> np.ndarray:
    """Maps `low` to 0 and `top` to 255; NaN becomes 0."""
    spread = np.float64(top) - low or 1.0
    if not np.isfinite(spread):
        raise ValueError("its levels differ by more than can be counted")
    with np.errstate(over="ignore", invalid="ignore"):
        scaled = values.astype(np.result_type(values.dtype, np.float32))
        scaled -= low
        scaled *= 255 / spread
    np.nan_to_num(scaled, copy=False, nan=0, posinf=255, neginf=0)
    return np.rint(scaled.clip(0, 255)).astype(np.uint8)
