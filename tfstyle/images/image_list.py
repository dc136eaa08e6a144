"""Lists of images that may be more than memory holds."""

from collections.abc import Callable
from collections.abc import Sequence

import numpy as np

MAX_KEPT = 2**30
"""Bytes of pixels that a list keeps; the others are made anew when needed."""


class ImageList(Sequence[np.ndarray]):
    """Images that are made when they are asked for, the first ones once.

    Args:
        makers: a function for each image, which returns the same whenever it
            is called.
    """

    def __init__(self, makers: Sequence[Callable[[], np.ndarray]]):
        self._makers = makers
        self._kept: dict[int, np.ndarray] = {}
        self._room = MAX_KEPT

    def __len__(self) -> int:
        return len(self._makers)

    def __getitem__(self, index):
        if isinstance(index, slice):
            return ImageList(
                [
                    lambda number=number: self[number]
                    for number in range(*index.indices(len(self)))
                ]
            )
        index = range(len(self))[index]
        if index in self._kept:
            return self._kept[index]
        image = self._makers[index]()
        if image.nbytes <= self._room:
            self._room -= image.nbytes
            self._kept[index] = image
        return image
