"""Writing of films, with sound."""

from fractions import Fraction

import av
import numpy as np
import pytest

from tests.clips import HEIGHT
from tests.clips import WIDTH
from tests.clips import make_frame
from tests.clips import read_packets
from tests.clips import read_times
from tests.clips import write_clip
from tfstyle.video_files.sound import Sound
from tfstyle.video_files.sound import find_left_out
from tfstyle.video_files.video_file import VideoFile
from tfstyle.video_files.writing import FORMATS
from tfstyle.video_files.writing import FilmWriter

LOSSY = 4.0  # grey levels, mean, at the writer's quality


def copy(source, target, ending=None, frames=None):
    """Writes the frames of a film anew."""
    film = VideoFile(str(source), 10**6)
    facts = film.facts
    with FilmWriter(
        str(target),
        ending or target.suffix,
        facts.size,
        facts.rate,
        facts.time_base,
        has_alpha=facts.has_alpha,
        sound=Sound(str(source)),
    ) as writer:
        for frame in frames or film.frames():
            writer.write(frame.picture.pixels, frame.picture.alpha, frame.pts)
        writer.finish()


@pytest.mark.parametrize("ending", FORMATS)
@pytest.mark.parametrize("times", [None, [0, 40, 400, 410, 700]])
def test_frames_have_their_times_and_pixels(tmp_path, ending, times):
    source, target = tmp_path / "a.mkv", tmp_path / f"b{ending}"
    write_clip(source, [make_frame(n) for n in range(5)], times=times)
    copy(source, target)
    assert read_times(target) == pytest.approx(read_times(source), abs=1e-9)
    written = VideoFile(str(target), 10**6).frames()
    for number, frame in enumerate(written):
        difference = frame.picture.pixels.astype(float) - make_frame(number)
        assert abs(difference).mean() < LOSSY


@pytest.mark.parametrize(
    ("codec", "endings"),
    [("aac", (".mp4", ".mov", ".mkv")), ("libopus", (".mp4", ".mkv", ".webm"))],
)
def test_sound_is_copied_packet_by_packet(tmp_path, codec, endings):
    source = tmp_path / "a.mkv"
    write_clip(source, [make_frame(n) for n in range(20)], sound=codec)
    packets = read_packets(source, "audio")
    assert len(packets) > 50
    for ending in endings:
        assert not find_left_out(str(source), FORMATS[ending])
        copy(source, tmp_path / f"b{ending}")
        assert read_packets(tmp_path / f"b{ending}", "audio") == packets


def test_sound_that_a_format_cannot_hold_is_named(tmp_path):
    source, target = tmp_path / "a.mkv", tmp_path / "b.webm"
    write_clip(source, [make_frame(n) for n in range(5)], sound="aac")
    assert find_left_out(str(source), "webm") == ["audio (aac)"]
    copy(source, target)
    assert not read_packets(target, "audio")


def test_sound_of_a_part_is_that_of_its_time(tmp_path):
    source, target = tmp_path / "a.mkv", tmp_path / "b.mkv"
    write_clip(source, [make_frame(n) for n in range(20)], sound="aac")
    with FilmWriter(
        str(target),
        ".mkv",
        (HEIGHT, WIDTH),
        10,
        VideoFile(str(source), 10**6).facts.time_base,
        sound=Sound(str(source), 1, 1.5),
    ) as writer:
        for number in range(5):
            writer.write(make_frame(number), None, 100 * number)
        writer.finish()
    packets, part = read_packets(source, "audio"), read_packets(target, "audio")
    first = packets.index(part[0])
    assert part == packets[first : first + len(part)]
    assert first == pytest.approx(48000 / 1024, abs=2)
    assert len(part) == pytest.approx(24000 / 1024, abs=2)
    with av.open(str(target)) as container:
        times = [
            p.dts * p.time_base for p in container.demux(audio=0) if p.size
        ]
    assert 0 <= times[0] < 0.03
    assert times[-1] < 0.5


@pytest.mark.parametrize("ending", [".mov", ".webm"])
def test_alpha_is_kept(tmp_path, ending):
    alpha = np.zeros((HEIGHT, WIDTH), np.uint8)
    alpha[:, WIDTH // 2 :] = 255
    frames = [np.dstack([make_frame(n), alpha]) for n in range(5)]
    write_clip(tmp_path / "a.mov", frames, "qtrle", "argb", options={})
    copy(tmp_path / "a.mov", tmp_path / f"b{ending}")
    film = VideoFile(str(tmp_path / f"b{ending}"), 10**6)
    (first, *_) = film.frames()
    assert abs(first.picture.alpha.astype(float) - alpha).mean() < LOSSY


def test_without_alpha_channel_frames_are_laid_on_white(tmp_path):
    alpha = np.zeros((HEIGHT, WIDTH), np.uint8)
    frames = [np.dstack([make_frame(n), alpha]) for n in range(5)]
    write_clip(tmp_path / "a.mov", frames, "qtrle", "argb", options={})
    copy(tmp_path / "a.mov", tmp_path / "b.mp4")
    (first, *_) = VideoFile(str(tmp_path / "b.mp4"), 10**6).frames()
    assert first.picture.pixels.min() > 250


def test_odd_sides_lose_their_last_pixel(tmp_path):
    source, target = tmp_path / "a.mkv", tmp_path / "b.mp4"
    write_clip(source, [make_frame(n, 47, 63) for n in range(3)])
    copy(source, target)
    film = VideoFile(str(target), 10**6)
    assert film.facts.size == (46, 62)
    (first, *_) = film.frames()
    difference = first.picture.pixels.astype(float) - make_frame(0, 46, 62)
    assert abs(difference).mean() < LOSSY


def test_disk_error_is_an_os_error(tmp_path):
    path = str(tmp_path / "no" / "a.mp4")
    writer = FilmWriter(path, ".mp4", (32, 32), 10, Fraction(1, 10))

    def write():
        with writer:
            writer.write(make_frame(0, 32, 32), None, 0)
            writer.finish()

    with pytest.raises(OSError, match="No such file"):
        write()
