"""First pass over a film: the times of its frames, and its shots."""

from typing import NamedTuple

import cv2
import numpy as np

from tfstyle.errors import ConfigError
from tfstyle.films.flow import NEW_SHOT
from tfstyle.films.flow import measure_motion
from tfstyle.films.selection import Selection
from tfstyle.images.resize import fit_size
from tfstyle.system.loop_progress import LoopProgress
from tfstyle.video_files.film import Film

SIDE = 256
"""Long edge of the frames that are compared, pixels."""


class Scan(NamedTuple):
    """The selected frames of a film.

    Attributes:
        times: time of each frame by its number, in units of the film's
            `time_base`.
        cuts: numbers of the frames that begin a shot, the first included.
    """

    times: dict[int, int]
    cuts: frozenset[int]


def scan(film: Film, selection: Selection) -> Scan:
    """Finds the selected frames of a film and its cuts; logs the progress.

    Raises:
        ConfigError: if the film has no such frames.
        VideoError: if it cannot be read.
    """
    times, cuts, previous = {}, set(), None
    claimed = film.facts.num_frames
    progress = LoopProgress("Looking for cuts: frame", claimed)
    number = 0
    for frame in film.frames():
        number = frame.number
        progress(number)
        if selection.last is not None and number > selection.last:
            break
        if number not in selection:
            continue
        small = _reduce(frame.picture.pixels)
        if previous is None or _is_cut(small, previous):
            cuts.add(number)
        times[number] = frame.pts
        previous = small
    if not times:
        raise ConfigError(
            f"`frames` must be frames of the film, which has {number}."
            f" Received: {selection.first} as the first."
        )
    return Scan(times, frozenset(cuts))


def _is_cut(frame: np.ndarray, previous: np.ndarray) -> bool:
    return measure_motion(frame, previous).hidden > NEW_SHOT


def _reduce(pixels: np.ndarray) -> np.ndarray:
    height, width = fit_size(*pixels.shape[:2], SIDE)
    if max(pixels.shape[:2]) <= SIDE:
        return pixels
    return cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)
