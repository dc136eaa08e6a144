"""Conversion of decoded pixels to upright 8-bit sRGB and separate alpha."""

import functools
import io
from collections.abc import Callable

import imagecodecs
import numpy as np
from PIL import ImageCms

from tfstyle.image_files import bit_depth
from tfstyle.image_files.decoded import Decoded
from tfstyle.image_files.decoded import Hdr
from tfstyle.image_files.decoded import Source
from tfstyle.image_files.hdr import make_tone_map
from tfstyle.image_files.pillow_arrays import ROWS
from tfstyle.image_files.pillow_arrays import to_image
from tfstyle.images.picture import Picture

SIGNATURES = {"L": b"GRAY", "RGB": b"RGB ", "CMYK": b"CMYK", "LAB": b"Lab "}
"""Colour spaces of ICC profiles, by their Pillow modes."""
CODEC_SPACES = {"L": "gray", "RGB": "rgb", "CMYK": "cmyk", "LAB": "lab"}

Convert = Callable[[np.ndarray], np.ndarray]


def to_srgb(source: Source, decoded: Decoded) -> Picture:
    """Converts pixels as stored to upright sRGB with 8 bits per channel.

    Raises:
        ValueError: if the levels are floats, none of them finite.
    """
    if decoded.profile == make_profile():
        decoded = decoded._replace(profile=None)
    if decoded.space == "L" and _is_rgb(decoded.profile):  # as in browsers
        colors = np.broadcast_to(decoded.values, (*decoded.values.shape[:2], 3))
        decoded = decoded._replace(values=colors, space="RGB")
    convert = _make_convert(source, decoded)
    values, alpha = _turn(decoded.values, decoded.orientation), None
    if convert is bit_depth.keep:
        pixels = np.ascontiguousarray(values)
    else:
        pixels = np.empty((*values.shape[:2], 3), np.uint8)
        for row in range(0, len(values), ROWS):
            rows = np.ascontiguousarray(values[row : row + ROWS])
            pixels[row : row + ROWS] = convert(rows)
    if decoded.alpha is not None:
        alpha = np.ascontiguousarray(_turn(decoded.alpha, decoded.orientation))
    return Picture(pixels, alpha, decoded.attribution, tuple(source.warnings))


def _is_rgb(profile: bytes | Hdr | None) -> bool:
    is_hdr = isinstance(profile, Hdr)
    return is_hdr or (profile or b"")[16:20] == SIGNATURES["RGB"]


def _turn(values: np.ndarray, orientation: int) -> np.ndarray:
    """Returns a view of `[H, W, ...]` turned by an EXIF orientation."""
    if orientation > 4:
        values = values.swapaxes(0, 1)
    down, across = _FLIPS[(orientation - 1) % 4]
    return values[::down, ::across]


_FLIPS = ((1, 1), (1, -1), (-1, -1), (-1, 1))
"""Steps along both axes, by orientation."""


def _make_convert(source: Source, decoded: Decoded) -> Convert:
    """Makes the conversion of rows to 8-bit sRGB; `keep` if they are."""
    values, space, bits, profile, *_ = decoded
    if isinstance(profile, Hdr):
        source.warnings.append(
            "has a high dynamic range; parts brighter than white are darkened"
            " to fit."
        )
        return make_tone_map(values, bits, profile)
    if space == "CMYK" and profile is None:
        source.warnings.append(
            "is CMYK without a colour profile; its colours are a guess. Save"
            " it as RGB if they are wrong."
        )
    if profile is not None or space == "LAB":
        try:
            return _make_profile_convert(source, decoded)
        except (ImageCms.PyCMSError, OSError, ValueError) as error:
            if space == "LAB":
                raise
            source.warnings.append(
                f"has an unusable colour profile ({error}); it is read as sRGB."
            )
    narrow = bit_depth.make_scale(source, values, decoded.bits, np.uint8)
    if space == "RGB":
        return narrow
    return lambda rows: np.asarray(to_image(narrow(rows), space).convert("RGB"))


def _make_profile_convert(source: Source, decoded: Decoded) -> Convert:
    """Makes the conversion of rows from a colour profile.

    Raises:
        ImageCms.PyCMSError, OSError: if the profile is damaged.
        ValueError: if it is of another colour space.
    """
    values, space, bits, profile, *_ = decoded
    if values.dtype == np.uint8:
        lab = ImageCms.createProfile("LAB")
        stored = lab if profile is None else io.BytesIO(profile)
        transform = ImageCms.buildTransform(
            stored, ImageCms.createProfile("sRGB"), space, "RGB"
        )
        return lambda rows: np.asarray(
            ImageCms.applyTransform(to_image(rows, space), transform)
        )
    profile = profile or imagecodecs.cms_profile("lab4")
    if profile[16:20] != SIGNATURES[space]:
        raise ValueError("it is of another colour space")

    def transform(rows):
        # LittleCMS' table for 16 bits is up to 12 levels of 255 off.
        srgb = imagecodecs.cms_transform(
            rows[..., 0] if space == "L" else rows,
            profile,
            make_profile(),
            colorspace=CODEC_SPACES[space],
            outcolorspace="rgb",
            outdtype=np.uint16,
            flags=imagecodecs.CMS.FLAGS.NOOPTIMIZE,
        )
        return np.rint(srgb / 257).astype(np.uint8)

    # Raises an error for a damaged profile, before the depth is guessed.
    transform(np.zeros((1, 1, values.shape[-1]), np.uint16))
    widen = bit_depth.make_scale(source, values, bits, np.uint16)
    return lambda rows: transform(widen(rows))


@functools.cache
def make_profile() -> bytes:
    """Returns an sRGB profile with a fixed creation date."""
    made = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    date = np.array([2000, 1, 1, 0, 0, 0], ">u2").tobytes()
    return made[:24] + date + made[36:]
