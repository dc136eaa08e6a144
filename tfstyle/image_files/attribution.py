"""What a photograph says of its maker and of its size in print."""

import contextlib
from typing import Any

from PIL import Image

from tfstyle.errors import one_line
from tfstyle.images.picture import Attribution

ARTIST = 0x013B
COPYRIGHT = 0x8298
IN_PNG = {ARTIST: "Author", COPYRIGHT: "Copyright"}
"""EXIF's tags and the names of PNG's texts."""
RESOLUTIONS, UNIT = (0x011A, 0x011B), 0x0128
"""EXIF's tags of the resolution across and down, and of its unit."""
INCH, CENTIMETRE = 2, 3
LONGEST = 1000
"""Characters of a text that are kept."""
LEAST_DPI, MOST_DPI = 10, 20_000
"""Else it is none: some write 1 where they know nothing."""


def read_attribution(image: Image.Image) -> Attribution:
    """Reads a picture's artist, copyright and resolution.

    What is damaged or of another kind is left out.

    Args:
        image: as Pillow opened it.
    """
    texts = {}
    dpi = _to_dpi(image.info.get("dpi"))
    # Damaged EXIF meets Pillow's readers with errors of many types.
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
    """Returns one line; EXIF's bytes are UTF-8, or else Latin-1."""
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
