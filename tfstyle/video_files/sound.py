"""Copying of sound and subtitles from one film to another, without decoding."""

import contextlib
from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING
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

    Args:
        sound: the source.
        output: the output, before its first packet.

    Attributes:
        left_out: names of streams that the output's format cannot hold.

    Raises:
        VideoError: if the source cannot be read.
    """

    def __init__(self, sound: Sound, output: "av.container.OutputContainer"):
        super().__init__()
        self._output = output
        self._sound = sound
        self._source = self.enter_context(open_input(sound.path))
        self._copies: dict[int, av.stream.Stream] = {}
        self.left_out: list[str] = []
        self._add_streams()
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

    def _add_streams(self) -> None:
        streams = self._source.streams
        held = self._output.supported_codecs
        for stream in (*streams.audio, *streams.subtitles):
            codec = stream.codec_context.codec.canonical_name
            if codec not in held:
                self.left_out.append(f"{stream.type} in {codec}")
                continue
            copy = self._output.add_stream_from_template(stream)
            for tag in KEPT_TAGS:
                if tag in stream.metadata:
                    copy.metadata[tag] = stream.metadata[tag]
            self._copies[stream.index] = copy

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
                packet.pts = (packet.pts or packet.dts + shift) - shift
                yield packet


def _time_of(packet: "av.Packet") -> Fraction:
    return packet.dts * packet.time_base
