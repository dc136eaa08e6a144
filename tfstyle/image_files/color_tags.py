"""Colour information other than ICC profiles: cICP, nclx, gAMA, cHRM, EXIF.

Such tags are converted to an ICC profile, or to `Hdr` for PQ and HLG.
"""

import contextlib
import re
import struct

import imagecodecs
import numpy as np
from PIL import ExifTags
from PIL import Image

from tfstyle.image_files.decoded import Hdr
from tfstyle.image_files.decoded import Source
from tfstyle.image_files.hdr import HLG
from tfstyle.image_files.hdr import LINEAR
from tfstyle.image_files.hdr import PQ
from tfstyle.image_files.hdr import SRGB

D65 = (0.3127, 0.3290)
PRIMARIES = {
    4: (0.310, 0.316, 0.67, 0.33, 0.21, 0.71, 0.14, 0.08),
    5: (*D65, 0.64, 0.33, 0.29, 0.60, 0.15, 0.06),
    6: (*D65, 0.630, 0.340, 0.310, 0.595, 0.155, 0.070),
    7: (*D65, 0.630, 0.340, 0.310, 0.595, 0.155, 0.070),
    8: (0.310, 0.316, 0.681, 0.319, 0.243, 0.692, 0.145, 0.049),
    9: (*D65, 0.708, 0.292, 0.170, 0.797, 0.131, 0.046),
    11: (0.314, 0.351, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),
    12: (*D65, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),
    22: (*D65, 0.630, 0.340, 0.295, 0.605, 0.155, 0.077),
}
"""Chromaticities x, y of white, red, green, blue other than sRGB's, by the
number of ITU-T H.273."""
GAMMAS = {4: 2.2, 5: 2.8, LINEAR: 1.0}
"""Exponents of transfer characteristics; others are shown like sRGB's."""
UNCALIBRATED, ADOBE_RGB = 65535, "R03"
MOST_HEAD = 1 << 20
"""Number of leading bytes of an AVIF searched for its colours."""


def find_profile(source: Source, image: Image.Image) -> bytes | Hdr | None:
    """Returns the colours of a picture opened by Pillow, None if sRGB.

    PNG's cICP comes before ICC profiles, as in browsers; the others after.
    """
    profile = image.info.get("icc_profile")
    code_points = _read_code_points(source, image)
    if code_points and (image.format == "PNG" or not profile):
        primaries, transfer = code_points
        chromaticities = PRIMARIES.get(primaries, SRGB)
        if transfer in (PQ, HLG):
            return Hdr(transfer, chromaticities)
        return _make_profile(chromaticities, GAMMAS.get(transfer))
    if profile:
        return profile
    if image.format == "PNG" and "srgb" not in image.info:
        return _from_gamma(image)
    if image.format in ("JPEG", "MPO") and _is_adobe_rgb(image):
        return imagecodecs.cms_profile("adobergb")
    return None


def _from_gamma(image: Image.Image) -> bytes | None:
    """Converts the gAMA and cHRM chunks of a PNG."""
    gamma = image.info.get("gamma") or 1 / 2.2
    chromaticities = image.info.get("chromaticity", SRGB)
    if not all(0 < number < 1 for number in chromaticities):
        return None
    if np.allclose(chromaticities, SRGB, atol=0.002):
        if abs(gamma - 1 / 2.2) < 0.005:
            return None
        chromaticities = SRGB
    return _make_profile(chromaticities, 1 / gamma)


def _make_profile(
    chromaticities: tuple[float, ...], gamma: float | None
) -> bytes | None:
    """Makes an ICC profile; its curve is sRGB's if `gamma` is None."""
    if chromaticities == SRGB and gamma is None:
        return None
    white, colors = chromaticities[:2], np.reshape(chromaticities[2:], (3, 2))
    curve = {"gamma": gamma}
    if gamma is None:
        levels = np.linspace(0, 1, 4096)
        bright = ((levels + 0.055) / 1.055) ** 2.4
        light = np.where(levels <= 0.04045, levels / 12.92, bright)
        curve = {"transferfunction": np.rint(light * 65535).astype(np.uint16)}
    return imagecodecs.cms_profile(
        "rgb",
        whitepoint=[*white, 1.0],
        primaries=np.column_stack([colors, np.ones(3)]).ravel().tolist(),
        **curve,
    )


def _read_code_points(
    source: Source, image: Image.Image
) -> tuple[int, int] | None:
    """Returns primaries and transfer of ITU-T H.273, from cICP or nclx."""
    if "nclx_profile" in image.info:  # HEIC
        nclx = image.info["nclx_profile"]
        return nclx["color_primaries"], nclx["transfer_characteristics"]
    if image.format == "AVIF":
        head = source.read(MOST_HEAD)
        found = re.search(rb"colrnclx(.{4})", head, re.DOTALL)
        return struct.unpack(">HH", found[1]) if found else None
    if image.format != "PNG":
        return None
    source.file.seek(8)
    while len(head := source.file.read(8)) == 8 and head[4:] != b"IDAT":
        size = int.from_bytes(head[:4], "big")
        if head[4:] == b"cICP" and size == 4:
            primaries, transfer, *_ = source.file.read(4)
            return primaries, transfer
        source.file.seek(size + 4, 1)
    return None


def _is_adobe_rgb(image: Image.Image) -> bool:
    """True if EXIF says Adobe RGB, as cameras do that embed no profile."""
    # Pillow raises many types of errors for damaged EXIF.
    with contextlib.suppress(Exception):
        exif = image.getexif()
        space = exif.get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.ColorSpace)
        interop = exif.get_ifd(ExifTags.IFD.Interop)
        version = interop.get(ExifTags.Interop.InteropIndex)
        return space == UNCALIBRATED and str(version).strip("\0 ") == ADOBE_RGB
    return False
