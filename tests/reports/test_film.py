"""Films of pictures, as a player decodes them."""

import os
import sys

import av
import numpy as np
import pytest
from PIL import Image

from tfstyle.errors import ImageError
from tfstyle.errors import SetupError
from tfstyle.image_files.writing import write_image
from tfstyle.reports import film
from tfstyle.video_files import animations
from tfstyle.video_files.frame_pixels import to_picture

LOSSY = 3.0  # grey levels, mean of smooth pictures
DITHERED = 4.0  # the same, of 256 colours
ROUNDING = 1.5  # grey levels, of a channel's mean, by way of YUV


def make_pictures(folder, count, height=33, width=47, alpha=None):
    """Writes smooth pictures that turn from blue to red; returns arrays."""
    y, x = np.mgrid[:height, :width]
    pixels, paths = [], []
    for number in range(count):
        red = np.full_like(x, 255 * number // max(1, count - 1))
        blue = 255 - red
        green = (100 * x / width + 100 * y / height).astype(int)
        pixels.append(np.dstack([red, green, blue]).astype(np.uint8))
        paths.append(str(folder / f"{number + 1:06}.png"))
        write_image(paths[-1], pixels[-1], alpha)
    return pixels, paths


def read_film(path):
    """Returns frames, uint8, and their milliseconds, by Pillow."""
    frames, times = [], []
    with Image.open(path) as image:
        assert image.info["loop"] == 0
        for number in range(image.n_frames):
            image.seek(number)
            frames.append(np.asarray(image.convert("RGB")))
            times.append(image.info["duration"])
    return frames, times


def test_choose_interval_is_of_at_most_120_pictures_after_the_first():
    intervals = [film.choose_interval(n) for n in (1, 120, 121, 240, 1000)]
    assert intervals == [1, 1, 2, 2, 9]


@pytest.mark.parametrize(
    ("ending", "tolerance"), [(".gif", DITHERED), (".webp", LOSSY)]
)
def test_film_shows_its_pictures_in_order(tmp_path, ending, tolerance):
    pixels, paths = make_pictures(tmp_path, 11)
    path = str(tmp_path / "new" / f"film{ending}")
    film.write_film(path, paths, str(tmp_path))
    frames, times = read_film(path)
    assert times == [200] * 10 + [2000]
    for frame, picture in zip(frames, pixels, strict=True):
        difference = frame.astype(float) - picture
        assert abs(difference).mean() < tolerance
        assert (abs(difference.mean((0, 1))) < ROUNDING).all()
    assert os.listdir(tmp_path / "new") == [f"film{ending}"]


def test_mp4_is_what_every_player_reads(tmp_path):
    pixels, paths = make_pictures(tmp_path, 11)
    path = str(tmp_path / "film.mp4")
    film.write_film(path, paths, str(tmp_path))
    with av.open(path) as container:
        (stream,) = container.streams.video
        assert (stream.codec_context.name, stream.pix_fmt) == (
            "h264",
            "yuv420p",
        )
        assert (stream.width, stream.height) == (46, 32)
        assert stream.average_rate == 5
        frames = list(container.decode(stream))
    assert len(frames) == 10 + 2000 // 200
    for number, frame in enumerate(frames):
        tags = frame.colorspace, frame.color_primaries, frame.color_trc
        assert (*tags, frame.color_range) == (1, 1, 1, 1)  # BT.709, limited
        picture = pixels[min(number, 10)][:32, :46]
        difference = to_picture(frame, None).pixels.astype(float) - picture
        assert abs(difference).mean() < LOSSY
        assert (abs(difference.mean((0, 1))) < ROUNDING).all()
    with open(path, "rb") as file:
        data = file.read()
    assert data.index(b"moov") < data.index(b"mdat")  # plays while it loads


@pytest.mark.parametrize("ending", [".gif", ".webp"])
def test_long_film_of_large_pictures_is_bounded(tmp_path, ending):
    _, paths = make_pictures(tmp_path, 2, 50, 1000)
    path = str(tmp_path / f"film{ending}")
    film.write_film(path, [paths[0]] + [paths[1], paths[0]] * 70, str(tmp_path))
    longest = film.MAX_SIDE[ending]
    with Image.open(path) as image:
        assert image.size == (longest, longest // 20)
        assert image.n_frames <= film.MAX_FRAMES[ending]


def test_chosen_pictures_include_the_first_and_the_last():
    names = [str(number) for number in range(121)]
    assert animations.choose(names, 61) == names[::2]
    assert animations.choose(names, 121) == names
    assert animations.choose(names[:1], 61) == names[:1]
    chosen = animations.choose(names[:100], 61)
    assert (len(chosen), chosen[0], chosen[-1]) == (61, "0", "99")


@pytest.mark.parametrize(
    ("size", "ending", "expected"),
    [
        ((301, 227), ".mp4", (300, 226)),
        ((301, 227), ".webp", (301, 227)),
        ((6000, 4000), ".mp4", (1920, 1280)),
        ((4000, 6000), ".gif", (320, 480)),
        ((65500, 16), ".mp4", (1920, 2)),
    ],
)
def test_film_size_is_bounded_and_even_for_mp4(size, ending, expected):
    assert film.film_size(*size, ending) == expected


@pytest.mark.parametrize("ending", film.ENDINGS)
def test_film_of_one_picture_can_be_written(tmp_path, ending):
    _, paths = make_pictures(tmp_path, 1, 9, 12)
    path = tmp_path / f"film{ending}"
    film.write_film(str(path), paths, str(tmp_path))
    assert path.stat().st_size


def test_what_is_transparent_is_white(tmp_path):
    alpha = np.zeros((33, 47), np.uint8)
    alpha[:, 24:] = 255
    pixels, paths = make_pictures(tmp_path, 3, alpha=alpha)
    path = str(tmp_path / "film.webp")
    film.write_film(path, paths, str(tmp_path))
    frames, _ = read_film(path)
    assert frames[1][:, :20].min() > 245
    assert abs(frames[1][:, 28:].astype(float) - pixels[1][:, 28:]).mean() < 5


def test_film_is_known_to_its_workdir(tmp_path):
    _, paths = make_pictures(tmp_path, 2)
    path = tmp_path / "film.gif"
    film.write_film(str(path), paths, str(tmp_path))
    film.write_film(str(path), paths[:1], str(tmp_path))
    assert film.was_written_by(str(tmp_path), str(path))
    film.write_film(str(path), paths, str(tmp_path))
    assert film.was_written_by(str(tmp_path), str(path))
    assert len((tmp_path / film.RECORD).read_text().splitlines()) == 2
    path.write_bytes(path.read_bytes() + b"x")
    assert not film.was_written_by(str(tmp_path), str(path))
    assert not film.was_written_by(str(tmp_path / "other"), str(path))


def test_mp4_without_its_library_is_refused_before_the_run(monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(SetupError, match=r"pip install 'tfstyle\[video\]'"):
        film.check_encoder("a.mp4")
    film.check_encoder("a.gif")


def test_old_film_stays_if_the_new_one_fails(tmp_path):
    _, paths = make_pictures(tmp_path, 2)
    path = tmp_path / "film.mp4"
    path.write_bytes(b"old")
    (tmp_path / "000002.png").write_bytes(b"broken")
    with pytest.raises(ImageError):
        film.write_film(str(path), [*paths, paths[0]], str(tmp_path))
    assert path.read_bytes() == b"old"
    assert not [x for x in os.listdir(tmp_path) if "partial" in x]
