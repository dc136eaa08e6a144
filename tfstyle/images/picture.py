"""A picture as arrays."""

from typing import NamedTuple

import numpy as np


class Attribution(NamedTuple):
    """Metadata that a painting takes over from its content image.

    Attributes:
        texts: artist and copyright, if any, by EXIF tag.
        dpi: pixels per inch, across and down, or None.
    """

    texts: dict[int, str]
    dpi: tuple[float, float] | None


NOTHING = Attribution({}, None)


class Picture(NamedTuple):
    """The pixels of an image file.

    Attributes:
        pixels: uint8 `[H, W, 3]`, sRGB.
        alpha: uint8 `[H, W]`, or None if the file has none.
        attribution: artist, copyright and resolution.
    """

    pixels: np.ndarray
    alpha: np.ndarray | None = None
    attribution: Attribution = NOTHING

    @property
    def nbytes(self) -> int:
        """Bytes of its arrays."""
        alpha = 0 if self.alpha is None else self.alpha.nbytes
        return self.pixels.nbytes + alpha

    @property
    def mask(self) -> np.ndarray | None:
        """The alpha channel, or None if the whole picture is opaque."""
        return mask_of(self.alpha)


def mask_of(alpha: np.ndarray | None) -> np.ndarray | None:
    """Returns an alpha channel, or None if everything is opaque.

    Args:
        alpha: uint8 `[H, W]`, or None.
    """
    return None if alpha is None or (alpha == 255).all() else alpha
