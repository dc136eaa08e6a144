"""Chunks of a film that are painted independently, and how they are joined.

A chunk is a shot, or a part of a long one that begins some frames before the
previous part ends; these frames are painted twice and cross-faded.
"""

import os
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tfstyle.films.frame_files import FrameFiles
from tfstyle.image_files.reading import read_text
from tfstyle.image_files.writing import write_image
from tfstyle.images.picture import Picture

OVERLAP = 8
"""Number of frames that two chunks share."""


class Chunk(NamedTuple):
    """Frames that are painted one after the other.

    Attributes:
        numbers: numbers of the frames.
        shared: those of the first frames, which the previous chunk has, too.
    """

    numbers: Sequence[int]
    shared: Sequence[int]


def make_chunks(
    shots: Iterable[Sequence[int]], length: int | None
) -> list[Chunk]:
    """Cuts shots into chunks.

    Args:
        shots: numbers of the frames of each shot.
        length: number of frames of a chunk that are not shared; None for whole
            shots.
    """
    return [
        Chunk(
            shot[max(0, start - OVERLAP) : start + (length or len(shot))],
            shot[max(0, start - OVERLAP) : start],
        )
        for shot in shots
        for start in range(0, len(shot), length or len(shot))
    ]


class BlendedFrames(FrameFiles):
    """The painted frames of a workdir, cross-faded where two chunks meet.

    Args:
        folder: the workdir.
        chunks: the chunks of the film.
    """

    def __init__(self, folder: str, chunks: Iterable[Chunk]):
        super().__init__(folder)
        self._weights = dict(_weights_of(chunks))
        self._second = FrameFiles(folder, self._weights)

    def read(self, number: int) -> Picture:
        """Reads a painted frame."""
        picture = super().read(number)
        if not self._is_shared(number):
            return picture
        weight = self._weights[number]
        first, second = picture.pixels, self._second.read(number).pixels
        pixels = np.rint(first + weight * (second.astype(float) - first))
        return picture._replace(pixels=pixels.astype(first.dtype))

    def copy(self, number: int, target: str, *, with_text: bool) -> None:
        """Copies a painted frame, with or without its flags and facts."""
        if not self._is_shared(number):
            super().copy(number, target, with_text=with_text)
            return
        picture = self.read(number)
        text = read_text(self.path(number)) if with_text else None
        write_image(target, picture.pixels, picture.alpha, text)

    def _is_shared(self, number: int) -> bool:
        """True if the second chunk of a frame has painted it."""
        return number in self._weights and os.path.isfile(
            self._second.path(number)
        )


def _weights_of(chunks: Iterable[Chunk]) -> Iterator[tuple[int, float]]:
    """Yields the shared frames, and the weight of the second chunk."""
    for chunk in chunks:
        for index, number in enumerate(chunk.shared, start=1):
            yield number, index / (len(chunk.shared) + 1)
