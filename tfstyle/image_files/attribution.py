"""Metadata of a photograph: artist, copyright and resolution."""

import contextlib
from typing import Any

from PIL import Image

from tfstyle.errors import one_line
from tfstyle.images.picture import Attribution

ARTIST = 0x013B
COPYRIGHT = 0x8298
IN_PNG = {ARTIST: "Author", COPYRIGHT: "Copyright"}
"""PNG text keywords by EXIF tag."""
RESOLUTIONS, UNIT = (0x011A, 0x011B), 0x0128
"""EXIF tags of the horizontal and vertical resolution, and of its unit."""
INCH, CENTIMETRE = 2, 3
LONGEST = 1000
"""Maximum length of a text, characters; the rest is cut off."""
LEAST_DPI, MOST_DPI = 10, 20_000
"""Range of valid resolutions; some programs write 1 if it is unknown."""


def read_attribution(image: Image.Image) -> Attribution:
    """Reads a picture's artist, copyright and resolution.

    Damaged or invalid entries are ignored.

    Args:
        image: picture opened by Pillow.
    """
    texts = {}
    dpi = _to_dpi(image.info.get("dpi"))
    # Pillow raises many types of errors for damaged EXIF.
    with contextlib.suppress(Exception):
        exif = image.getexif()
        texts = {tag: _to_text(exif.get(tag)) for tag in IN_PNG}
        scale = 2.54 if exif.get(UNIT) == CENTIMETRE else 1
        dpi = dpi or _to_dpi([scale * exif[tag] for tag in RESOLUTIONS])
    for tag, name in IN_PNG.items():
        texts[tag] = texts.get(tag) or _to_text(image.info.get(name))
    kept = {tag: text for tag, text in texts.items() if text}
    return Attribution(kept, dpi)


def _to_text(value: Any) -> str:
    """Converts EXIF text to one line; decodes UTF-8, or else Latin-1."""
    if not isinstance(value, str):
        return ""
    with contextlib.suppress(ValueError):
        value = value.encode("latin-1").decode()
    return one_line(value.strip("\0 "), LONGEST)


def _to_dpi(value: Any) -> tuple[float, float] | None:
    try:
        across, down = (float(number) for number in value)
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    is_real = all(LEAST_DPI <= number <= MOST_DPI for number in (across, down))
    return (across, down) if is_real else None
