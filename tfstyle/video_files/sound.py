"""Copying of sound and subtitles from one film to another, without decoding."""

import contextlib
import io
from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING
from typing import Any
from typing import NamedTuple

from tfstyle.video_files.containers import open_input

if TYPE_CHECKING:
    import av
    import av.container

KEPT_TAGS = ("language", "title")
"""Tags of a stream that are copied."""


class Sound(NamedTuple):
    """Part of a film whose sound and subtitles are copied.

    Attributes:
        path: path of the film.
        start: time that becomes 0, seconds; earlier packets are left out.
        end: time from which packets are left out, seconds; None for the end.
    """

    path: str
    start: Fraction = Fraction(0)
    end: Fraction | None = None


class SoundCopy(contextlib.ExitStack):
    """Copies packets of sound and subtitles to an output; a context manager.

    Chapters of a whole film are copied, too. Streams that the output's format
    cannot hold are left out, see `find_left_out`.

    Args:
        sound: the source.
        output: the output, before its first packet.

    Raises:
        VideoError: if the source cannot be read.
    """

    def __init__(self, sound: Sound, output: "av.container.OutputContainer"):
        super().__init__()
        self._output = output
        self._sound = sound
        self._source = self.enter_context(open_input(sound.path))
        self._copies: dict[int, av.stream.Stream] = {}
        for stream in _streams_of(self._source):
            if not _is_held(stream, output):
                continue
            copy = output.add_stream_from_template(stream)
            for tag in KEPT_TAGS:
                if tag in stream.metadata:
                    copy.metadata[tag] = stream.metadata[tag]
            self._copies[stream.index] = copy
        if sound.start == 0 and sound.end is None:
            output.set_chapters(self._source.chapters())
        self._packets = self._read_packets()
        self._next = next(self._packets, None)

    def copy_until(self, time: Fraction | None) -> None:
        """Copies all packets before a time of the output; None: the rest."""
        while self._next is not None and (
            time is None or _time_of(self._next) <= time
        ):
            packet = self._next
            packet.stream = self._copies[packet.stream.index]
            self._output.mux(packet)
            self._next = next(self._packets, None)

    def _read_packets(self) -> Iterator["av.Packet"]:
        """Yields the packets of the part, with times from its start."""
        if not self._copies:
            return
        start, end = self._sound.start, self._sound.end
        streams = [self._source.streams[index] for index in self._copies]
        for packet in self._source.demux(streams):
            if packet.dts is None or packet.size == 0:
                continue
            time = _time_of(packet)
            # Sound may begin before 0, with samples that only start the codec.
            if (time >= start or not start) and (end is None or time < end):
                shift = round(start / packet.time_base)
                packet.dts -= shift
                if packet.pts is not None:
                    packet.pts -= shift
                yield packet


def find_left_out(path: str, form: str) -> list[str]:
    """Names the streams of a film that a format cannot hold.

    Args:
        path: path of the film.
        form: FFmpeg's name of the format.

    Raises:
        VideoError: if the film cannot be read.
    """
    import av

    with (
        open_input(path) as source,
        av.open(io.BytesIO(), "w", format=form) as output,
    ):
        return [
            f"{stream.type} ({stream.codec_context.codec.canonical_name})"
            for stream in _streams_of(source)
            if not _is_held(stream, output)
        ]


def _streams_of(source: "av.container.InputContainer") -> list[Any]:
    """Returns streams of sound and subtitles whose codec FFmpeg knows."""
    streams = (*source.streams.audio, *source.streams.subtitles)
    return [stream for stream in streams if stream.codec_context is not None]


def _is_held(stream: Any, output: "av.container.OutputContainer") -> bool:
    name = stream.codec_context.codec.canonical_name
    return name in output.supported_codecs


def _time_of(packet: "av.Packet") -> Fraction:
    return packet.dts * packet.time_base
