"""Metadata of a photograph: artist, copyright and resolution."""

import contextlib
from collections.abc import Mapping
from typing import Any

from PIL import ExifTags
from PIL import Image

from tfstyle.errors import one_line
from tfstyle.images.picture import Attribution

IN_PNG = {ExifTags.Base.Artist: "Author", ExifTags.Base.Copyright: "Copyright"}
"""PNG text keywords by EXIF tag."""
RESOLUTIONS = (ExifTags.Base.XResolution, ExifTags.Base.YResolution)
INCH, CENTIMETRE = 2, 3
LONGEST = 1000
"""Maximum length of a text, characters; the rest is cut off."""
LEAST_DPI, MOST_DPI = 10, 20_000
"""Range of valid resolutions; some programs write 1 if it is unknown."""


def read_attribution(image: Image.Image) -> Attribution:
    """Reads the metadata of a picture opened by Pillow."""
    exif = {}
    # Pillow raises many types of errors for damaged EXIF.
    with contextlib.suppress(Exception):
        exif = dict(image.getexif())
    return make_attribution(exif, image.info)


def make_attribution(
    exif: Mapping[int, Any], info: Mapping[Any, Any]
) -> Attribution:
    """Returns a picture's artist, copyright and resolution.

    Damaged or invalid entries are ignored.

    Args:
        exif: values by EXIF tag.
        info: texts of a PNG by keyword, and "dpi".
    """
    texts = {}
    for tag, name in IN_PNG.items():
        text = _to_text(exif.get(tag)) or _to_text(info.get(name))
        if text:
            texts[tag] = text
    scale = 2.54 if exif.get(ExifTags.Base.ResolutionUnit) == CENTIMETRE else 1
    dpi = _to_dpi(info.get("dpi"), 1)
    return Attribution(
        texts, dpi or _to_dpi([exif.get(tag) for tag in RESOLUTIONS], scale)
    )


def _to_text(value: Any) -> str:
    """Converts EXIF text to one line; decodes UTF-8, or else Latin-1."""
    if not isinstance(value, str):
        return ""
    with contextlib.suppress(ValueError):
        value = value.encode("latin-1").decode()
    return one_line(value.strip("\0 "), LONGEST)


def _to_dpi(value: Any, scale: float) -> tuple[float, float] | None:
    try:
        across, down = (scale * _to_float(number) for number in value)
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    is_real = all(LEAST_DPI <= number <= MOST_DPI for number in (across, down))
    return (across, down) if is_real else None


def _to_float(number: Any) -> float:
    """Converts a number, or a numerator and a denominator."""
    if isinstance(number, tuple):
        numerator, denominator = number
        return numerator / denominator
    return float(number)
