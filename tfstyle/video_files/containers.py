"""Container files of films, opened with PyAV."""

import contextlib
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tfstyle.errors import ImageError
from tfstyle.errors import SetupError
from tfstyle.errors import one_line
from tfstyle.system import remote_files

if TYPE_CHECKING:
    import av.container

FORMATS = (
    *("mov", "mp4", "m4a", "3gp", "3g2", "mj2", "matroska", "webm", "avi"),
    *("mpegts", "mpeg", "mpegvideo", "mxf", "flv", "asf", "ogg", "gif", "ivf"),
    *("yuv4mpegpipe", "h264", "hevc", "m4v", "dv"),
)
"""Formats that are read. Playlists, which name further files, are not."""

EXACT = 0x4 | 0x2000 | 0x4000 | 0x40000 | 0x80000
"""FFmpeg's flags for the conversion of colours: bicubic, full chroma, accurate
rounding, and the same bits on every machine. By default it darkens by 1.5 grey
levels."""
MISSING = "Films need PyAV and OpenCV: pip install 'tfstyle[video]'."


class VideoError(ImageError):
    """A film cannot be read."""


def check_library() -> None:
    """Checks that PyAV is installed.

    Raises:
        SetupError: if it is missing.
    """
    try:
        import av  # noqa: F401
    except ImportError as error:
        raise SetupError(MISSING) from error


@contextlib.contextmanager
def open_input(path: str) -> Iterator["av.container.InputContainer"]:
    """Opens a film for reading; nothing but this file is read.

    Raises:
        VideoError: if it cannot be opened, or decoded within the block.
    """
    import av

    options = {
        "format_whitelist": ",".join(FORMATS),
        "protocol_whitelist": "file",
    }
    local = os.path.abspath(remote_files.fetch(path))
    try:
        # The prefix keeps FFmpeg from taking a name for another protocol.
        container = av.open(
            f"file:{local}",
            options=options,
            metadata_errors="replace",
        )
        with container:
            yield container
    except av.error.FFmpegError as error:
        reason = one_line(error.strerror or str(error))
        raise VideoError(f"Film {path!r} cannot be read ({reason}).") from error
