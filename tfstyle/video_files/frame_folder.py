"""Films as folders of numbered pictures."""

import os
from collections.abc import Iterator
from fractions import Fraction

from tfstyle.image_files.paths import expand_names
from tfstyle.image_files.reading import read_image
from tfstyle.system.file_hash import describe_files
from tfstyle.video_files.containers import VideoError
from tfstyle.video_files.film import FilmFacts
from tfstyle.video_files.film import Frame
from tfstyle.video_files.selection import ALL
from tfstyle.video_files.selection import Selection


class FrameFolder:
    """A film as a folder of pictures; the numbers in their names order them.

    Args:
        path: path of the folder.
        max_pixels: larger frames are refused.
        rate: frames per second.

    Attributes:
        path: path of the folder.
        facts: facts about the film.

    Raises:
        ImageError: if there are no pictures, or the first cannot be read.
    """

    def __init__(self, path: str, max_pixels: int, rate: Fraction):
        self.path = path
        self._max_pixels = max_pixels
        self._names = expand_names([path])
        first = read_image(self._names[0], max_pixels)
        self.facts = FilmFacts(
            first.pixels.shape[:2],
            len(self._names),
            rate,
            1 / rate,
            first.alpha is not None,
        )

    def describe(self) -> str:
        """Returns a hash of the pictures."""
        return describe_files(self._names)

    def frames(
        self, selection: Selection = ALL, pts: int | None = None
    ) -> Iterator[Frame]:
        """Yields the selected frames.

        Args:
            selection: numbers of the frames.
            pts: time of the first of them, or None; not needed.

        Raises:
            ImageError: if a picture cannot be read.
            VideoError: if its size is not that of the first.
        """
        for number, name in selection.choose(self._names):
            picture = read_image(name, self._max_pixels)
            height, width = picture.pixels.shape[:2]
            if (height, width) != self.facts.size:
                raise VideoError(
                    f"Frames of {self.path!r} must be of one size. Received:"
                    f" {width}x{height} pixels in {os.path.basename(name)!r}."
                )
            yield Frame(number, picture, number - 1)
