"""Pictures as arrays, with the metadata of their files."""

from typing import NamedTuple

import numpy as np


class Attribution(NamedTuple):
    """Metadata copied from the content image to the output.

    Attributes:
        texts: artist and copyright by EXIF tag; empty if unknown.
        dpi: pixels per inch, horizontal and vertical, or None.
    """

    texts: dict[int, str]
    dpi: tuple[float, float] | None


NOTHING = Attribution({}, None)


class Picture(NamedTuple):
    """The pixels of an image file.

    Attributes:
        pixels: uint8 `[H, W, 3]`, sRGB.
        alpha: uint8 `[H, W]`, or None if the file has no alpha channel.
        attribution: artist, copyright and resolution.
        warnings: doubts about the file, each the end of a sentence that begins
            with its name.
    """

    pixels: np.ndarray
    alpha: np.ndarray | None = None
    attribution: Attribution = NOTHING
    warnings: tuple[str, ...] = ()

    @property
    def nbytes(self) -> int:
        """Size of the arrays in bytes."""
        alpha = 0 if self.alpha is None else self.alpha.nbytes
        return self.pixels.nbytes + alpha

    @property
    def mask(self) -> np.ndarray | None:
        """The alpha channel, or None if the whole picture is opaque."""
        return mask_of(self.alpha)


def mask_of(alpha: np.ndarray | None) -> np.ndarray | None:
    """Returns an alpha channel, or None if every pixel is opaque.

    Args:
        alpha: uint8 `[H, W]`, or None.
    """
    return None if alpha is None or (alpha == 255).all() else alpha
