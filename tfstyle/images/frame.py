"""Padding of a picture to multiples of the deepest layer's stride.

Every pooling drops an odd last row and column, so pixels beyond a layer's last
whole position do not affect its features and would keep their initial values.
The optimised image is therefore slightly larger than the picture, with its
edges mirrored, and is cropped at the end.
"""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class Frame:
    """Position of a picture within the image that is optimised.

    Attributes:
        height: height of the picture, pixels.
        width: width of the picture, pixels.
        top: border above the picture, pixels.
        bottom: border below the picture, pixels.
        left: border to the left of the picture, pixels.
        right: border to the right of the picture, pixels.
    """

    height: int
    width: int
    top: int = 0
    bottom: int = 0
    left: int = 0
    right: int = 0

    @property
    def size(self) -> tuple[int, int]:
        """Height and width with the border, pixels."""
        return (
            self.top + self.height + self.bottom,
            self.left + self.width + self.right,
        )

    @property
    def has_border(self) -> bool:
        """True if the image is larger than the picture."""
        return self.size != (self.height, self.width)

    def extend(self, pixels: np.ndarray) -> np.ndarray:
        """Pads a picture to the size of the frame by mirroring its edges.

        Args:
            pixels: `[height, width]` or `[height, width, C]`.

        Returns:
            Array of the same dtype and rank, with the size of the frame.
        """
        border = [(self.top, self.bottom), (self.left, self.right)]
        border += [(0, 0)] * (pixels.ndim - 2)
        return np.pad(pixels, border, mode="reflect")

    def crop(self, image: np.ndarray) -> np.ndarray:
        """Crops the border off an image `[1, H, W, C]`."""
        rows = slice(self.top, self.top + self.height)
        columns = slice(self.left, self.left + self.width)
        return image[:, rows, columns]


def make_frame(height: int, width: int, stride: int) -> Frame:
    """Makes the frame of a picture.

    Args:
        height: height of the picture, pixels.
        width: width of the picture, pixels.
        stride: stride of the deepest layer, pixels; the frame's sides are
            multiples of it.
    """
    top, bottom = _split(-height % stride)
    left, right = _split(-width % stride)
    return Frame(height, width, top, bottom, left, right)


def _split(pixels: int) -> tuple[int, int]:
    """Splits a border between the two sides of an axis."""
    return pixels // 2, pixels - pixels // 2
