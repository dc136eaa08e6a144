"""Writing of films with PyAV."""

import contextlib
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from tfstyle.images.transparency import lay_on_white
from tfstyle.video_files.containers import EXACT
from tfstyle.video_files.sound import Sound
from tfstyle.video_files.sound import SoundCopy

FORMATS = {".mp4": "mp4", ".mov": "mov", ".mkv": "matroska", ".webm": "webm"}
"""FFmpeg's formats by the ending of a file."""
ALPHA_ENDINGS = (".mov", ".webm")
"""Endings of files that can hold an alpha channel."""
THREADS = 4
"""Number of threads of an encoder; H.264's bytes depend on it."""
BT709, LIMITED_RANGE = 1, 1
"""Colour tags of ITU-T H.273 and of FFmpeg."""


class Encoding(NamedTuple):
    """How frames are encoded.

    Attributes:
        codec: name of FFmpeg's encoder.
        form: pixel format.
        options: options of the encoder.
    """

    codec: str
    form: str
    options: dict[str, str]


_H264 = Encoding("libx264", "yuv420p", {"crf": "18"})
_VP9_OPTIONS = {"crf": "24", "b": "0", "row-mt": "1"}
_ENCODINGS = {
    (".mov", True): Encoding("prores_ks", "yuva444p10le", {"profile": "4444"}),
    (".webm", True): Encoding("libvpx-vp9", "yuva420p", _VP9_OPTIONS),
    (".webm", False): Encoding("libvpx-vp9", "yuv420p", _VP9_OPTIONS),
}
"""Encodings by ending, with or without alpha; all others are H.264 in 4:2:0,
which every player supports."""


class FilmWriter(contextlib.ExitStack):
    """Writes a film frame by frame; a context manager.

    Args:
        path: path of the file, which is overwritten.
        ending: its format, one of FORMATS.
        size: height and width of the frames, pixels; an odd last row or column
            is left out, as H.264 halves the resolution of the colours.
        rate: frames per second, on average.
        time_base: unit of the frames' times, seconds.
        has_alpha: True if the frames have an alpha channel.
        sound: source of sound and subtitles, or None.

    Raises:
        OSError: if the file cannot be written.
        VideoError: if the source of the sound cannot be read.
    """

    def __init__(
        self,
        path: str,
        ending: str,
        size: tuple[int, int],
        rate: Fraction,
        time_base: Fraction,
        *,
        has_alpha: bool = False,
        sound: Sound | None = None,
    ):
        super().__init__()
        import av

        self._keeps_alpha = has_alpha and ending in ALPHA_ENDINGS
        self._time_base = time_base
        form = FORMATS[ending]
        options = {"fflags": "+bitexact"}  # no random identifiers
        if form in ("mp4", "mov"):
            options["movflags"] = "+faststart"  # plays while it loads
        self._output = self.enter_context(
            av.open(f"file:{path}", "w", format=form, options=options)
        )
        codec, pixel_format, settings = _ENCODINGS.get(
            (ending, self._keeps_alpha), _H264
        )
        self._stream = stream = self._output.add_stream(
            codec, rate=rate, options=dict(settings)
        )
        # Set now: the first packet of sound opens all encoders.
        stream.height, stream.width = (side - side % 2 for side in size)
        stream.pix_fmt = pixel_format
        stream.time_base = stream.codec_context.time_base = time_base
        context = stream.codec_context
        context.thread_count = THREADS
        context.color_range = LIMITED_RANGE
        context.colorspace = BT709
        context.color_primaries = context.color_trc = BT709
        self._sound = None
        if sound is not None:
            self._sound = self.enter_context(SoundCopy(sound, self._output))

    def __exit__(self, kind, error, trace) -> bool | None:
        """Closes the file; raises FFmpeg's errors as OSError."""
        import av

        try:
            super().__exit__(kind, error, trace)
        except av.error.FFmpegError as failed:
            error = failed
        if isinstance(error, av.error.FFmpegError):
            raise OSError(error.errno, error.strerror) from error
        return None

    def write(
        self, pixels: np.ndarray, alpha: np.ndarray | None, pts: int
    ) -> None:
        """Writes a frame.

        Args:
            pixels: uint8 `[H, W, 3]`, sRGB.
            alpha: uint8 `[H, W]`, or None; if the format has no alpha channel,
                the frame is laid on white.
            pts: time of the frame in units of the time base; increasing.
        """
        import av

        if self._keeps_alpha:
            pixels = np.dstack([pixels, alpha])
        elif alpha is not None:
            pixels = lay_on_white(pixels, alpha)
        height, width = self._stream.height, self._stream.width
        frame = av.VideoFrame.from_ndarray(
            np.ascontiguousarray(pixels[:height, :width]),
            format="rgba" if self._keeps_alpha else "rgb24",
        ).reformat(
            format=self._stream.pix_fmt,
            dst_colorspace="ITU709",
            dst_color_range="MPEG",
            interpolation=EXACT,
        )
        frame.pts, frame.time_base = pts, self._time_base
        self._output.mux(self._stream.encode(frame))
        if self._sound is not None:
            self._sound.copy_until(pts * self._time_base)

    def finish(self) -> None:
        """Writes what is left; without it the film is incomplete."""
        self._output.mux(self._stream.encode(None))
        if self._sound is not None:
            self._sound.copy_until(None)
