"""Opening of films by their path."""

import os
from fractions import Fraction

from tfstyle.errors import ConfigError
from tfstyle.video_files.containers import check_library
from tfstyle.video_files.film import Film
from tfstyle.video_files.frame_folder import FrameFolder
from tfstyle.video_files.video_file import VideoFile

FRAME_RATE = 24.0
"""Default of the frames per second of a folder."""


def open_film(
    path: str, max_pixels: int, frame_rate: float | None = None
) -> Film:
    """Opens a film: a file, or a folder of numbered pictures.

    Args:
        path: path of the file or folder.
        max_pixels: larger frames are refused.
        frame_rate: frames per second of a folder; None for FRAME_RATE.

    Raises:
        ConfigError: if a file is given with a frame rate, as it has its own.
        SetupError: if PyAV is not installed, which reads files.
        VideoError: if the film cannot be read.
    """
    if os.path.isdir(path):
        rate = Fraction(frame_rate or FRAME_RATE).limit_denominator(1001)
        return FrameFolder(path, max_pixels, rate)
    check_library()
    if frame_rate is not None:
        raise ConfigError(
            "`frame_rate` is that of a folder of pictures; a file has its own."
            f" Received: frame_rate={frame_rate:g} and {path!r}. Leave it out."
        )
    return VideoFile(path, max_pixels)
