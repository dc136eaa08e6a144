"""The frames of a film in the order in which they are painted."""

from collections import deque
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tfstyle.films.flow import MATURE
from tfstyle.films.flow import NEGLIGIBLE
from tfstyle.films.flow import Motion
from tfstyle.films.flow import measure_motion
from tfstyle.films.flow import renew
from tfstyle.films.region_masks import RegionMasks
from tfstyle.films.shots import is_cut
from tfstyle.images.picture import Picture
from tfstyle.images.transparency import show
from tfstyle.video_files.film import Frame

AHEAD = 2
"""Number of frames to read ahead, with their motion."""
EARLIER = (2, 4, 8, 16)
"""How many frames back are those that are asked for what is hidden."""


class FrameToPaint(NamedTuple):
    """One frame, with what its painting needs.

    Attributes:
        number: number of the frame within the film, from 1.
        picture: its pixels.
        shot: the first frame of its shot.
        masks: uint8 `[H, W]`, one per region.
        motions: motion since earlier frames by their number, the previous one
            first; empty if the frame begins a shot.
        fresh: float32 `[H, W]`, how new each place is, 0..1, see `renew`.
    """

    number: int
    picture: Picture
    shot: Picture
    masks: Sequence[np.ndarray]
    motions: Mapping[int, Motion]
    fresh: np.ndarray


def frames_to_paint(
    frames: Iterable[Frame],
    masks: RegionMasks,
    after: int = 0,
    *,
    has_cuts: bool = True,
) -> Iterator[FrameToPaint]:
    """Yields frames with their motion and shot.

    Args:
        frames: the frames, in order.
        masks: masks of the regions.
        after: number of the last frame that is painted already, or 0.
        has_cuts: True to look for cuts; False if the frames are one shot.

    Raises:
        ImageError: if a frame or mask cannot be read.
    """
    recent: deque[tuple[int, Picture]] = deque(maxlen=EARLIER[-1])
    shot = fresh = None
    for number, picture, _ in frames:
        picture = show(picture, f"Frame {number}")
        is_new = not recent or (
            has_cuts and is_cut(picture.pixels, recent[-1][1].pixels)
        )
        if is_new:
            recent.clear()
            shot = picture
            fresh = np.zeros(picture.pixels.shape[:2], np.float32)
            motions = {}
        elif number > after - MATURE * (number - recent[-1][0]):
            motions = _measure_motions(picture, recent)
            fresh = renew(fresh, motions)
        if number > after:
            yield FrameToPaint(
                *(number, picture, shot, masks.at(number), motions, fresh)
            )
        recent.append((number, picture))


def _measure_motions(
    picture: Picture, recent: Sequence[tuple[int, Picture]]
) -> dict[int, Motion]:
    """Measures the motion since earlier frames of the shot, the latest first.

    Args:
        picture: the frame.
        recent: numbers and pictures of earlier frames, the latest last.
    """
    motions: dict[int, Motion] = {}
    hidden = np.bool_(True)
    for distance in (1, *EARLIER):
        if distance <= len(recent):
            number, earlier = recent[-distance]
            motions[number] = measure_motion(picture.pixels, earlier.pixels)
            hidden = hidden & motions[number].hidden
            if hidden.mean() <= NEGLIGIBLE:
                break
    return motions


def forget_oldest(paintings: dict[int, np.ndarray]) -> None:
    """Removes paintings that are too old for all later frames."""
    while len(paintings) > EARLIER[-1]:
        del paintings[next(iter(paintings))]
