"""Films by the Python API."""

import numpy as np
import pytest

import tfstyle
from tests.clips import make_frame
from tests.clips import write_clip
from tfstyle.config.run_config import RunConfig
from tfstyle.errors import ConfigError
from tfstyle.errors import ImageError
from tfstyle.experiment.session import Session
from tfstyle.films.run import run_film
from tfstyle.image_files.reading import read_image
from tfstyle.image_files.writing import write_image

STYLE = make_frame(9, 40, 40)[..., ::-1].copy()


@pytest.fixture(scope="module")
def stylizer():
    return tfstyle.Stylizer(
        weights="random", image_size=32, num_steps=2, frame_steps=2
    )


@pytest.fixture(scope="module")
def frames():
    return [make_frame(number) for number in range(4)]


def test_frames_are_those_of_the_program(stylizer, frames, tmp_path):
    write_clip(tmp_path / "clip.mkv", frames)
    write_image(tmp_path / "style.png", STYLE)
    config = RunConfig(
        content_video=str(tmp_path / "clip.mkv"),
        style_images=[str(tmp_path / "style.png")],
        workdir=str(tmp_path / "run"),
        weights="random",
        image_size=32,
        num_steps=(2,),
        frame_steps=2,
    )
    run_film(config, Session())
    folder = tmp_path / "run" / "frames"
    expected = [
        read_image(str(path)).pixels for path in sorted(folder.iterdir())
    ]
    by_path = stylizer.film(tmp_path / "clip.mkv", STYLE)
    by_array = stylizer.film(iter(frames), STYLE)
    for painted in (by_path, by_array):
        found = [result.pixels for result in painted]
        np.testing.assert_array_equal(found, expected)


def test_results_have_losses_and_can_be_saved(stylizer, frames, tmp_path):
    first, second = stylizer.film(frames[:2], STYLE)
    assert "temporal" not in first.losses
    assert second.losses["weighted/temporal"] > 0
    second.save(tmp_path / "a.png")
    np.testing.assert_array_equal(
        read_image(str(tmp_path / "a.png")).pixels, second.pixels
    )


def test_frames_are_read_and_painted_one_by_one(stylizer, frames):
    read = []

    def film():
        for number, frame in enumerate(frames * 5):
            read.append(number)
            yield frame

    painted = stylizer.film(film(), STYLE)
    next(painted)
    painted.close()
    assert len(read) < 8


def test_selected_frames_and_options(stylizer, frames):
    painted = list(stylizer.film(frames, STYLE, frames="2-4/2", frame_steps=1))
    assert [result.step for result in painted] == [2, 1]
    with pytest.raises(ConfigError, match="frames"):
        list(stylizer.film(frames, STYLE, frames="x"))


def test_error_of_a_frame_is_that_of_the_loop(stylizer, frames):
    painted = stylizer.film([frames[0], frames[1], "absent.png"], STYLE)
    assert [next(painted).step, next(painted).step] == [2, 2]
    with pytest.raises(ImageError, match="absent"):
        next(painted)


def test_temporal_weight_makes_the_film_steadier(frames):
    stylizer = tfstyle.Stylizer(
        weights="random", image_size=32, num_steps=10, frame_steps=10
    )
    changes = []
    for weight in (0.0, 50.0):
        painted = [
            result.pixels.astype(float)
            for result in stylizer.film(
                [frames[0]] * 3, STYLE, temporal_weight=weight
            )
        ]
        changes.append(abs(np.diff(painted, axis=0)).mean())
    assert changes[1] < changes[0] / 2
