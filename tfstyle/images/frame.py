"""The frame: a picture extended to whole positions of the deepest layer.

Every pooling drops an odd last row and column, so that pixels behind the last
whole position of a layer are never seen by it, and stay what they began as. The
image that is optimised is therefore a little larger than the picture, mirrored
at the edges, and is cropped at the end.
"""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class Frame:
    """Where a picture lies within the image that is optimised.

    Attributes:
        height: of the picture, pixels.
        width: likewise.
        top: pixels of the border above the picture.
        bottom: below it.
        left: to its left.
        right: to its right.
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
        """Whether the image is larger than the picture."""
        return self.size != (self.height, self.width)

    def extend(self, pixels: np.ndarray) -> np.ndarray:
        """Mirrors a picture at its edges into the border.

        Args:
            pixels: `[height, width]` or `[height, width, C]`.

        Returns:
            The same with the size of the frame.
        """
        border = [(self.top, self.bottom), (self.left, self.right)]
        border += [(0, 0)] * (pixels.ndim - 2)
        return np.pad(pixels, border, mode="reflect")

    def crop(self, image: np.ndarray) -> np.ndarray:
        """Cuts the border off an image `[1, H, W, C]`."""
        rows = slice(self.top, self.top + self.height)
        columns = slice(self.left, self.left + self.width)
        return image[:, rows, columns]


def make_frame(height: int, width: int, stride: int) -> Frame:
    """Makes the frame of a picture.

    Args:
        height: of the picture, pixels.
        width: likewise.
        stride: of the deepest layer, pixels; the frame's sides are multiples
            of it.
    """
    top, bottom = _split(-height % stride)
    left, right = _split(-width % stride)
    return Frame(height, width, top, bottom, left, right)


def _split(pixels: int) -> tuple[int, int]:
    """Shares a border out between the two sides of an axis."""
    return pixels // 2, pixels - pixels // 2
