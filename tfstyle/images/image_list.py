"""Lists of pictures that may be larger than memory."""

from collections.abc import Callable
from collections.abc import Sequence

from tfstyle.images.picture import Picture

MAX_KEPT = 2**30
"""Cache size in bytes; pictures beyond it are read again on access."""


class ImageList(Sequence[Picture]):
    """Sequence of pictures that are loaded on access and partly cached.

    Pictures are cached in order of access, up to `MAX_KEPT` bytes.

    Args:
        make: returns the picture of an index, equal pictures for equal
            indices.
        length: number of pictures.
    """

    def __init__(self, make: Callable[[int], Picture], length: int):
        self._make = make
        self._length = length
        self._kept: dict[int, Picture] = {}
        self._room = MAX_KEPT

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index):
        number = range(self._length)[index]
        if number in self._kept:
            return self._kept[number]
        picture = self._make(number)
        if picture.nbytes <= self._room:
            self._room -= picture.nbytes
            self._kept[number] = picture
        return picture
