"""Films that can be read frame by frame: files, and folders of pictures."""

import dataclasses
from collections.abc import Iterator
from fractions import Fraction
from typing import NamedTuple
from typing import Protocol

from tfstyle.images.picture import Picture
from tfstyle.video_files.selection import ALL
from tfstyle.video_files.selection import Selection


class Frame(NamedTuple):
    """One frame of a film.

    Attributes:
        number: number of the frame within the film, from 1.
        picture: its pixels, upright and square.
        pts: time at which it is shown, in units of the film's `time_base`.
    """

    number: int
    picture: Picture
    pts: int


@dataclasses.dataclass(frozen=True)
class FilmFacts:
    """Facts about a film.

    Attributes:
        size: height and width of its frames, upright and square, pixels.
        num_frames: number of frames that the file claims; 0 if unknown.
        rate: frames per second, on average.
        time_base: unit of `Frame.pts`, seconds.
        has_alpha: True if the frames have an alpha channel.
        warnings: doubts, each the end of a sentence that begins with the
            film's name.
    """

    size: tuple[int, int]
    num_frames: int
    rate: Fraction
    time_base: Fraction
    has_alpha: bool = False
    warnings: tuple[str, ...] = ()


class Film(Protocol):
    """A film that can be read several times."""

    path: str
    facts: FilmFacts

    def describe(self) -> str:
        """Returns a hash of its contents."""

    def frames(
        self, selection: Selection = ALL, pts: int | None = None
    ) -> Iterator[Frame]:
        """Yields the selected frames.

        Args:
            selection: numbers of the frames.
            pts: time of the first of them if known, in units of the
                `time_base`; a file is then not decoded from its beginning.

        Raises:
            VideoError: if a frame cannot be decoded.
        """
