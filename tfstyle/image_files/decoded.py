"""The source and the result of decoding: an open file, and its pixels."""

import dataclasses
from collections.abc import Callable
from collections.abc import Mapping
from typing import Any
from typing import BinaryIO
from typing import NamedTuple

import numpy as np
from PIL import ExifTags

from tfstyle.images.picture import NOTHING
from tfstyle.images.picture import Attribution

SEVERAL = "has several pages or frames; the first is read."
"""Warning about a file with several pictures."""


@dataclasses.dataclass
class Source:
    """An open picture file.

    Attributes:
        path: path of the file, for messages.
        file: the file, or its bytes in memory.
        check_size: called with (width, height) before decoding.
        warnings: doubts about the file, see `Picture.warnings`.
    """

    path: str
    file: BinaryIO
    check_size: Callable[[tuple[int, int]], None]
    warnings: list[str] = dataclasses.field(default_factory=list)

    def read(self, size: int = -1) -> bytes:
        """Returns the file's first bytes; by default all of them."""
        self.file.seek(0)
        return self.file.read(size)


class Hdr(NamedTuple):
    """The colours of a high dynamic range picture.

    Attributes:
        transfer: transfer characteristics, as numbered in ITU-T H.273.
        primaries: chromaticities x, y of white, red, green and blue.
        peak: brightest luminance that tone mapping keeps apart, cd/m2; None:
            that of the picture. The frames of a film need a common one.
    """

    transfer: int
    primaries: tuple[float, ...]
    peak: float | None = None


class Decoded(NamedTuple):
    """Pixels as a file stores them.

    Attributes:
        values: `[H, W, C]` of any real dtype, not yet upright.
        space: colour space, as Pillow names it: L, RGB, CMYK or LAB.
        bits: bits per channel if known, or None to choose by dtype and values.
        profile: colour profile, bytes of an ICC profile, HDR, or None.
        alpha: uint8 `[H, W]`, or None.
        orientation: EXIF orientation, 1 to 8.
        attribution: artist, copyright and resolution.
    """

    values: np.ndarray
    space: str
    bits: int | None = None
    profile: bytes | Hdr | None = None
    alpha: np.ndarray | None = None
    orientation: int = 1
    attribution: Attribution = NOTHING


def orientation_of(tags: Mapping[int, Any]) -> int:
    """Returns the orientation among EXIF or TIFF tags; 1 if none is valid."""
    orientation = tags.get(ExifTags.Base.Orientation)
    return int(orientation) if orientation in range(1, 9) else 1
