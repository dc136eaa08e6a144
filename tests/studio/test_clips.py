"""Clips that are brought to the page, and how painted films are shown."""

import os

import numpy as np
import pytest

from tests.clips import NUM_FRAMES
from tests.clips import make_frame
from tfstyle.errors import ImageError
from tfstyle.image_files.reading import read_image
from tfstyle.studio import clips
from tfstyle.studio import film_view


def test_clip_is_described(clip):
    text = clips.describe_clip(clips.open_clip(str(clip)))
    assert "harbour.mkv: 64 x 48 pixels, 5 frames, " in text


def test_still_is_the_frame_of_that_number(clip, tmp_path):
    film = clips.open_clip(str(clip))
    still = clips.keep_still(str(tmp_path / "runs"), film, 4)
    assert os.path.basename(still) == "harbour-frame-4.png"
    np.testing.assert_array_equal(read_image(still).pixels, make_frame(3))
    with pytest.raises(ImageError, match=r"'harbour\.mkv' has no frame 6"):
        clips.keep_still(str(tmp_path / "runs"), film, 6)


def test_still_of_a_long_film_is_found_by_its_time(clip, tmp_path, monkeypatch):
    monkeypatch.setattr(clips, "FAR", 2)
    film = clips.open_clip(str(clip))
    for number in range(1, NUM_FRAMES + 1):
        still = clips.keep_still(str(tmp_path / "runs"), film, number)
        expected = make_frame(number - 1)
        np.testing.assert_array_equal(read_image(still).pixels, expected)


def test_strip_is_short_and_its_frames_stay():
    paths = [f"{number:06d}.png" for number in range(1, 100)]
    before = []
    for count in range(1, 100):
        chosen = film_view.choose_frames(paths[:count])
        assert 0 < len(chosen) <= film_view.MOST_THUMBNAILS
        assert set(chosen) - set(before) <= {paths[count - 1]}
        before = chosen


def test_time_of_a_frame_leaves_out_interruptions(tmp_path):
    paths = []
    for number, seconds in enumerate([0, 90, 100, 110, 9000, 9010]):
        paths.append(str(tmp_path / f"{number:06d}.png"))
        with open(paths[-1], "w"):
            os.utime(paths[-1], (seconds, seconds))
    assert film_view.seconds_per_frame(paths) == 10
    assert film_view.seconds_per_frame(paths[:1]) is None
