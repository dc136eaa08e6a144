"""Conversion of decoded video frames to upright sRGB pictures."""

import io
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from tfstyle.image_files.color_tags import PRIMARIES
from tfstyle.image_files.decoded import Decoded
from tfstyle.image_files.decoded import Hdr
from tfstyle.image_files.decoded import Source
from tfstyle.image_files.hdr import HLG
from tfstyle.image_files.hdr import PQ
from tfstyle.image_files.srgb import to_srgb
from tfstyle.images.picture import Picture
from tfstyle.images.resize import resize
from tfstyle.video_files.containers import EXACT

if TYPE_CHECKING:
    import av

UNKNOWN, BT709, BT601 = 2, 1, 5
"""Colour matrices, as numbered in ITU-T H.273."""
BT2020 = 9
"""Primaries of BT.2020, as numbered in ITU-T H.273."""
HD_LINES = 720
"""Height, pixels, from which a film without colour tags is BT.709, as in
browsers."""
HDR_PEAK = 1000.0
"""Brightest luminance of an HDR film that stays below white, cd/m2.

One for all frames: one for each would flicker.
"""


def to_picture(frame: "av.VideoFrame", aspect: Fraction | None) -> Picture:
    """Converts a decoded frame to a picture as players show it.

    Args:
        frame: the decoded frame.
        aspect: width of a pixel divided by its height, or None for 1.
    """
    has_alpha = is_transparent(frame)
    if is_hdr(frame):
        picture = _tone_map(frame)
    else:
        values = _to_rgb(frame, "rgba" if has_alpha else "rgb24")
        alpha = values[..., 3].copy() if has_alpha else None
        picture = Picture(np.ascontiguousarray(values[..., :3]), alpha)
    turns = round(frame.rotation / 90) % 4
    height, width = picture.pixels.shape[:2]
    if aspect not in (None, 0, 1):
        width = max(1, round(width * float(aspect)))

    def show(values: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(
            np.rot90(resize(values, height, width), turns)
        )

    alpha = None if picture.alpha is None else show(picture.alpha)
    return Picture(show(picture.pixels), alpha)


def is_transparent(frame: "av.VideoFrame") -> bool:
    """True if a frame has an alpha channel."""
    return any(component.is_alpha for component in frame.format.components)


def is_hdr(frame: "av.VideoFrame") -> bool:
    """True if a frame has a high dynamic range, PQ or HLG."""
    return frame.color_trc in (PQ, HLG)


def _to_rgb(frame: "av.VideoFrame", form: str) -> np.ndarray:
    """Converts to RGB of full range, in the frame's own primaries."""
    matrix = None
    if frame.colorspace in (UNKNOWN, 0) and not frame.format.is_rgb:
        matrix = BT709 if frame.height >= HD_LINES else BT601
    return frame.to_ndarray(
        format=form, src_colorspace=matrix, interpolation=EXACT
    )


def _tone_map(frame: "av.VideoFrame") -> Picture:
    values = _to_rgb(frame, "rgb48le")
    primaries = PRIMARIES.get(frame.color_primaries, PRIMARIES[BT2020])
    profile = Hdr(frame.color_trc, primaries, HDR_PEAK)
    source = Source("", io.BytesIO(), lambda size: None)
    return to_srgb(source, Decoded(values, "RGB", 16, profile))
