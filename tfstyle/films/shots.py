"""First pass over a film: the times of its frames, and its shots."""

import math
from typing import NamedTuple

import cv2
import numpy as np

from tfstyle.errors import ConfigError
from tfstyle.films.flow import SMALLEST
from tfstyle.films.flow import measure_motion
from tfstyle.system.loop_progress import LoopProgress
from tfstyle.system.signals import StopSignals
from tfstyle.video_files.film import Film
from tfstyle.video_files.selection import Selection

NEW_SHOT = 0.5
"""Share of hidden pixels above which a frame begins a new shot.

Notes: 0.93 to 1 between unrelated pictures, at most 0.09 within shots.
"""
SIDE = 256
"""Long edge of the frames that are compared, pixels."""


class Scan(NamedTuple):
    """The selected frames of a film.

    Attributes:
        times: time of each frame by its number, in units of the film's
            `time_base`.
        shots: numbers of the frames of each shot.
    """

    times: dict[int, int]
    shots: list[list[int]]


def scan(film: Film, selection: Selection, signals: StopSignals) -> Scan:
    """Finds the selected frames and the shots of a film; logs the progress.

    Args:
        film: the film.
        selection: frames to paint.
        signals: stop signals, which end the search early.

    Raises:
        ConfigError: if the film has no such frames.
        VideoError: if it cannot be read.
    """
    times, shots, previous = {}, [], None
    progress = LoopProgress("Looking for cuts: frame", film.facts.num_frames)
    for frame in film.frames(selection):
        progress(frame.number)
        pixels = frame.picture.pixels
        if previous is None or is_cut(pixels, previous):
            shots.append([])
        shots[-1].append(frame.number)
        times[frame.number] = frame.pts
        previous = pixels
        if signals.number:
            break
    if not times:
        raise ConfigError(
            f"`frames` must be frames of {film.path!r}, which has fewer."
            f" Received: {selection.first} as the first."
        )
    return Scan(times, shots)


def is_cut(frame: np.ndarray, previous: np.ndarray) -> bool:
    """True if a frame begins a new shot.

    Args:
        frame: uint8 `[H, W, 3]`.
        previous: uint8 `[H, W, 3]`, the previous frame.
    """
    motion = measure_motion(_reduce(frame), _reduce(previous))
    return motion.hidden.mean() > NEW_SHOT


def _reduce(pixels: np.ndarray) -> np.ndarray:
    short, long = sorted(pixels.shape[:2])
    scale = max(SIDE / long, SMALLEST / short)
    if scale >= 1:
        return pixels
    height, width = (math.ceil(scale * side) for side in pixels.shape[:2])
    return cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)
