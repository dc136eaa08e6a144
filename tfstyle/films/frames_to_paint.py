"""The frames of a film in the order in which they are painted."""

from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tfstyle.films.flow import Motion
from tfstyle.films.flow import measure_motion
from tfstyle.films.region_masks import RegionMasks
from tfstyle.films.shots import is_cut
from tfstyle.images.picture import Picture
from tfstyle.images.transparency import show
from tfstyle.video_files.film import Frame

AHEAD = 2
"""Number of frames to read ahead, with their motion."""


class FrameToPaint(NamedTuple):
    """One frame, with what its painting needs.

    Attributes:
        number: number of the frame within the film, from 1.
        picture: its pixels.
        shot: the first frame of its shot.
        masks: uint8 `[H, W]`, one per region.
        motion: motion since the previous frame; None begins a shot.
    """

    number: int
    picture: Picture
    shot: Picture
    masks: Sequence[np.ndarray]
    motion: Motion | None


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
    shot = previous = None
    for number, picture, _ in frames:
        picture = show(picture, f"Frame {number}")
        is_first = previous is None or (
            has_cuts and is_cut(picture.pixels, previous.pixels)
        )
        if is_first:
            shot = picture
        if number > after:
            motion = None
            if not is_first:
                motion = measure_motion(picture.pixels, previous.pixels)
            yield FrameToPaint(number, picture, shot, masks.at(number), motion)
        previous = picture
