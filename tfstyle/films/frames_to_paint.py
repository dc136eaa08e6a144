"""The frames of a film in the order in which they are painted."""

from collections.abc import Iterator
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tfstyle.films.flow import Motion
from tfstyle.films.flow import measure_motion
from tfstyle.films.region_masks import RegionMasks
from tfstyle.films.scan import Scan
from tfstyle.images.picture import Picture
from tfstyle.images.transparency import show
from tfstyle.video_files.film import Film


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
    film: Film, scan: Scan, masks: RegionMasks, after: int = 0
) -> Iterator[FrameToPaint]:
    """Yields the frames of a scan, from a number on.

    Args:
        film: the film.
        scan: its selected frames and cuts.
        masks: masks of the regions.
        after: number of the last frame that is painted already, or 0.

    Raises:
        ImageError: if a frame or mask cannot be read.
    """
    shot = previous = None
    last = max(scan.times)
    for frame in film.frames():
        number = frame.number
        if number > last:
            break
        if number not in scan.times:
            continue
        picture = show(frame.picture, f"Frame {number} of {film.path!r}")
        if number in scan.cuts:
            shot = picture
        if number > after:
            motion = None
            if number not in scan.cuts:
                motion = measure_motion(picture.pixels, previous.pixels)
            yield FrameToPaint(number, picture, shot, masks.at(number), motion)
        previous = picture
