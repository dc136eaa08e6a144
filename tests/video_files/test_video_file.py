"""Reading of films in container files."""

from fractions import Fraction

import av
import numpy as np
import pytest

from tests.clips import HEIGHT
from tests.clips import WIDTH
from tests.clips import make_frame
from tests.clips import turn
from tests.clips import write_clip
from tfstyle.errors import ImageError
from tfstyle.video_files.containers import VideoError
from tfstyle.video_files.selection import Selection
from tfstyle.video_files.video_file import VideoFile

YUV_ROUNDING = 2.0  # grey levels: 8 bits of YUV without subsampling
MOST = 10**6


def read(path, selection=None):
    """Returns the facts and frames of a film."""
    film = VideoFile(str(path), MOST)
    frames = film.frames(*([selection] if selection else []))
    return film.facts, list(frames)


def pixels_of(path):
    """Returns the pixels of all frames."""
    return [frame.picture.pixels for frame in read(path)[1]]


@pytest.fixture
def frames():
    """Returns five frames."""
    return [make_frame(number) for number in range(5)]


def test_frames_of_a_lossless_film_are_its_pixels(tmp_path, frames):
    write_clip(tmp_path / "a.mkv", frames)
    facts, found = read(tmp_path / "a.mkv")
    assert facts.size == (HEIGHT, WIDTH)
    assert (facts.rate, facts.has_alpha, facts.warnings) == (10, False, ())
    assert [frame.number for frame in found] == [1, 2, 3, 4, 5]
    for frame, pixels in zip(found, frames, strict=True):
        np.testing.assert_array_equal(frame.picture.pixels, pixels)


@pytest.mark.parametrize(
    ("text", "numbers"),
    [("2-4", [2, 3, 4]), ("1-/2", [1, 3, 5]), ("5", [5]), ("9-", [])],
)
def test_selected_frames_keep_number_and_time(tmp_path, frames, text, numbers):
    write_clip(tmp_path / "a.mkv", frames)
    _, found = read(tmp_path / "a.mkv", Selection.parse(text))
    assert [frame.number for frame in found] == numbers
    for number, picture, pts in found:
        assert pts == 100 * (number - 1)
        np.testing.assert_array_equal(picture.pixels, frames[number - 1])


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts", "a.avi"])
def test_frames_from_a_time_on_are_those_of_the_whole_film(tmp_path, name):
    path = tmp_path / name
    write_clip(
        path,
        [make_frame(number) for number in range(45)],
        "libx264",
        "yuv420p",
        tags=(1, 1, 1, 1),
        options={"g": "12", "bf": "3", "crf": "20"},
    )
    film = VideoFile(str(path), MOST)
    whole = list(film.frames())
    assert len(whole) == 45
    for first in (1, 2, 11, 12, 13, 30, 45):
        selection = Selection(first, 44, 2)
        part = film.frames(selection, whole[first - 1].pts)
        for frame, expected in zip(
            part, whole[first - 1 : 44 : 2], strict=True
        ):
            assert (frame.number, frame.pts) == (expected.number, expected.pts)
            np.testing.assert_array_equal(
                frame.picture.pixels, expected.picture.pixels
            )


def test_every_frame_of_a_variable_rate_has_its_time(tmp_path, frames):
    times = [0, 33, 500, 510, 1900]
    write_clip(tmp_path / "a.mkv", frames, times=times)
    _, found = read(tmp_path / "a.mkv")
    assert [frame.pts for frame in found] == times


@pytest.mark.parametrize(("degrees", "turns"), [(90, 3), (180, 2), (270, 1)])
def test_film_of_a_phone_is_upright(tmp_path, frames, degrees, turns):
    path = tmp_path / "a.mp4"
    write_clip(path, frames, form="rgb24")
    before = pixels_of(path)
    turn(path, degrees)
    facts, found = read(path)
    assert facts.size == ((HEIGHT, WIDTH) if turns == 2 else (WIDTH, HEIGHT))
    for frame, pixels in zip(found, before, strict=True):
        np.testing.assert_array_equal(
            frame.picture.pixels, np.rot90(pixels, turns)
        )


@pytest.mark.parametrize("lines", [HEIGHT, 720])
@pytest.mark.parametrize("matrix", [1, 5, 2])  # BT.709, BT.601, unknown
@pytest.mark.parametrize("limits", [1, 2])  # limited, full range
def test_colors_are_those_of_the_tags_or_of_the_size(
    tmp_path, lines, matrix, limits
):
    pixels = make_frame(0, lines)
    used = matrix if matrix != 2 else 1 if lines == 720 else 5
    frame = av.VideoFrame.from_ndarray(pixels).reformat(
        format="yuv444p", dst_colorspace=used, dst_color_range=limits
    )
    frame.colorspace = matrix
    tags = (limits, matrix, matrix, matrix)
    write_clip(tmp_path / "a.mkv", [frame], "ffv1", "yuv444p", tags=tags)
    (found,) = pixels_of(tmp_path / "a.mkv")
    difference = found.astype(float) - pixels
    assert abs(difference).mean() < YUV_ROUNDING
    assert abs(difference.mean((0, 1))).max() < YUV_ROUNDING


@pytest.mark.parametrize(
    ("name", "codec", "form"),
    [
        ("a.mov", "prores_ks", "yuva444p10le"),
        ("a.mov", "qtrle", "argb"),
        ("a.webm", "libvpx-vp9", "yuva420p"),
    ],
)
def test_alpha_is_read(tmp_path, frames, name, codec, form):
    alpha = np.linspace(0, 255, WIDTH).astype(np.uint8)
    alpha = np.broadcast_to(alpha, (HEIGHT, WIDTH))
    options = {"profile": "4444"} if codec == "prores_ks" else {}
    write_clip(
        tmp_path / name,
        [np.dstack([pixels, alpha]) for pixels in frames],
        codec,
        form,
        options=options,
        tags=(1, 1, 1, 1),
    )
    facts, found = read(tmp_path / name)
    assert facts.has_alpha
    difference = found[2].picture.alpha.astype(float) - alpha
    assert abs(difference).mean() < 3


@pytest.mark.parametrize("transfer", [16, 18])  # PQ, HLG
def test_white_of_a_high_dynamic_range_is_near_white(tmp_path, transfer):
    # 203 cd/m2 is 58 percent of PQ and 75 percent of HLG (BT.2408).
    level = round({16: 0.58, 18: 0.75}[transfer] * 1023)
    frame = av.VideoFrame(WIDTH, HEIGHT, "gbrp10le")
    for plane in frame.planes:
        values = np.full(plane.buffer_size // 2, level, np.uint16)
        plane.update(values.tobytes())
    frame = frame.reformat(
        format="yuv444p10le", dst_colorspace=9, dst_color_range=1
    )
    frame.colorspace, frame.color_primaries, frame.color_trc = 9, 9, transfer
    tags = (1, 9, 9, transfer)
    write_clip(tmp_path / "a.mkv", [frame], "ffv1", "yuv444p10le", tags=tags)
    facts, (found,) = read(tmp_path / "a.mkv")
    assert "high dynamic range" in facts.warnings[0]
    assert 185 < found.picture.pixels.mean() < 256
    assert np.ptp(found.picture.pixels) <= 2


def test_pixels_that_are_not_square_are_stretched(tmp_path, frames):
    aspect = Fraction(3, 2)
    write_clip(tmp_path / "a.mkv", frames, aspect=aspect)
    facts, found = read(tmp_path / "a.mkv")
    assert facts.size == (HEIGHT, WIDTH * 3 // 2)
    assert found[0].picture.pixels.shape == (HEIGHT, WIDTH * 3 // 2, 3)


def test_end_that_is_missing_leaves_the_frames_before(tmp_path, frames):
    path = tmp_path / "a.mkv"
    write_clip(path, frames * 4)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    _, found = read(path)
    assert 2 < len(found) < 20
    np.testing.assert_array_equal(found[1].picture.pixels, frames[1])


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.mp4", b""),
        ("a.mp4", b"no film at all"),
        ("a.m3u8", b"#EXTM3U\n#EXTINF:1,\nfilm.mp4\n#EXT-X-ENDLIST\n"),
        ("a.txt", b"ffconcat version 1.0\nfile film.mp4\n"),
    ],
)
def test_other_files_and_playlists_are_refused(tmp_path, frames, name, data):
    write_clip(tmp_path / "film.mp4", frames)
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(VideoError, match="cannot be read"):
        VideoFile(str(path), MOST)


def test_absent_film_and_name_of_a_protocol_are_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("absent.mp4", "http:127.0.0.1/a.mp4", "concat:a|b"):
        with pytest.raises(VideoError, match="No such file"):
            VideoFile(name, MOST)


def test_sound_alone_is_no_film(tmp_path):
    path = str(tmp_path / "a.mka")
    with av.open(path, "w", format="matroska") as output:
        stream = output.add_stream("pcm_s16le", rate=8000)
        frame = av.AudioFrame.from_ndarray(
            np.zeros((1, 800), np.int16), "s16", "mono"
        )
        frame.sample_rate = 8000
        output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    with pytest.raises(VideoError, match="is not a film"):
        VideoFile(path, MOST)


def test_frames_that_are_too_large_are_refused(tmp_path, frames):
    write_clip(tmp_path / "a.mkv", frames)
    with pytest.raises(ImageError, match="max_image_pixels"):
        VideoFile(str(tmp_path / "a.mkv"), HEIGHT * WIDTH - 1)
