"""Films in container files, such as .mp4."""

import itertools
from collections.abc import Iterable
from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING

from tfstyle.image_files.reading import check_size
from tfstyle.system.file_hash import describe_files
from tfstyle.video_files import frame_pixels
from tfstyle.video_files.containers import VideoError
from tfstyle.video_files.containers import open_input
from tfstyle.video_files.film import FilmFacts
from tfstyle.video_files.film import Frame
from tfstyle.video_files.selection import ALL
from tfstyle.video_files.selection import Selection

if TYPE_CHECKING:
    import av

DEFAULT_RATE = Fraction(25)
"""Rate of a file that does not tell one, frames per second."""


class VideoFile:
    """A film in a container file; its largest video stream is read.

    Args:
        path: path of the file.
        max_pixels: larger frames are refused.

    Attributes:
        path: path of the file.
        facts: facts about the film.

    Raises:
        VideoError: if it cannot be read.
    """

    def __init__(self, path: str, max_pixels: int):
        self.path = path
        self._max_pixels = max_pixels
        with open_input(path) as container:
            stream = self._find_stream(container)
            first = next(self._decode(container, stream), None)
            if first is None:
                raise VideoError(f"Film {path!r} has no frames.")
            picture = frame_pixels.to_picture(first, self._aspect(stream))
            rate = stream.average_rate or DEFAULT_RATE
            self.facts = FilmFacts(
                picture.pixels.shape[:2],
                stream.frames or _estimate(container, rate),
                rate,
                stream.time_base,
                picture.alpha is not None,
                tuple(_describe_doubts(first)),
            )

    def describe(self) -> str:
        """Returns a hash of the file."""
        return describe_files([self.path])

    def frames(
        self, selection: Selection = ALL, pts: int | None = None
    ) -> Iterator[Frame]:
        """Yields the selected frames; damaged ones do not count.

        Args:
            selection: numbers of the frames.
            pts: time of the first of them if known, to begin near it.

        Raises:
            VideoError: if the file cannot be read any more.
        """
        with open_input(self.path) as container:
            stream = self._find_stream(container)
            aspect = self._aspect(stream)
            start = 1
            if pts is not None and self._seek(container, stream, pts):
                start = selection.first
            frames = self._decode(container, stream)
            if start > 1:
                frames = itertools.dropwhile(lambda f: f.pts < pts, frames)
            timed = self._time(frames)
            for number, (frame, time) in selection.choose(timed, start):
                picture = frame_pixels.to_picture(frame, aspect)
                yield Frame(number, picture, time)

    def _seek(self, container, stream, pts: int) -> bool:
        """Moves to a frame or shortly before; True if that worked.

        Files without an index, or without times, are read from their beginning.
        """
        container.seek(pts, stream=stream)
        first = next(self._decode(container, stream), None)
        has_moved = first is not None and first.pts is not None
        has_moved = has_moved and first.pts <= pts
        container.seek(pts if has_moved else 0, stream=stream)
        return has_moved

    def _time(
        self, frames: Iterable["av.VideoFrame"]
    ) -> Iterator[tuple["av.VideoFrame", int]]:
        """Yields frames with increasing times, which some files lack."""
        duration = 1 / (self.facts.rate * self.facts.time_base)
        last = None
        for frame in frames:
            pts = frame.pts
            if pts is None or (last is not None and pts <= last):
                pts = 0 if last is None else last + max(1, round(duration))
            last = pts
            yield frame, pts

    def _find_stream(self, container) -> "av.VideoStream":
        streams = [
            stream
            for stream in container.streams.video
            if not stream.disposition & stream.disposition.attached_pic
        ]
        if not streams:
            raise VideoError(f"{self.path!r} is not a film: it has no frames.")
        stream = max(streams, key=lambda stream: stream.width * stream.height)
        check_size(self.path, (stream.width, stream.height), self._max_pixels)
        stream.thread_type = "AUTO"
        return stream

    def _decode(self, container, stream) -> Iterator["av.VideoFrame"]:
        import av

        decoder = stream.codec_context
        if stream.metadata.get("alpha_mode") == "1":
            # FFmpeg's own decoder of VP9 ignores the alpha channel.
            decoder = av.CodecContext.create(f"libvpx-{decoder.name}", "r")
        for packet in container.demux(stream):
            try:
                yield from decoder.decode(packet if packet.size else None)
            except av.error.InvalidDataError:
                continue

    def _aspect(self, stream) -> Fraction | None:
        return stream.sample_aspect_ratio


def _estimate(container, rate: Fraction) -> int:
    """Estimates the number of frames from the duration."""
    if not container.duration:
        return 0
    import av

    return round(Fraction(container.duration, av.time_base) * rate)


def _describe_doubts(frame: "av.VideoFrame") -> Iterator[str]:
    """Yields warnings about a film, by its first frame."""
    if frame_pixels.is_hdr(frame):
        yield (
            "has a high dynamic range; brighter parts than white are darkened"
            " to fit."
        )
    if frame.interlaced_frame:
        yield (
            "is interlaced; its lines will be painted as a comb. Deinterlace it"
            " first, for example with ffmpeg -vf bwdif."
        )
