"""Painting films with the program: outputs, sound, kills and other commands."""

import json
import os
import re
import signal

import numpy as np
import pytest
from PIL import Image

from tests.clips import make_frame
from tests.clips import read_packets
from tests.clips import read_times
from tests.clips import write_clip
from tests.processes import finish
from tests.processes import start
from tfstyle.config.run_config import RunConfig
from tfstyle.errors import ConfigError
from tfstyle.errors import ImageError
from tfstyle.errors import WriteError
from tfstyle.experiment.resume import OtherRunError
from tfstyle.films.run import run_film
from tfstyle.flags.command_line import read_config
from tfstyle.image_files.reading import read_image
from tfstyle.image_files.reading import read_text
from tfstyle.image_files.writing import write_image

NUM_FRAMES = 6


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """Returns the path of a film with a cut before frame 5, and sound."""
    path = tmp_path_factory.mktemp("film") / "clip.mkv"
    frames = [make_frame(n) for n in range(4)]
    frames += [255 - make_frame(n)[::-1, ::-1] // 2 for n in range(2)]
    times = [0, 40, 100, 120, 200, 240]
    write_clip(path, frames, times=times, sound="aac")
    return path


@pytest.fixture
def make_config(clip, tmp_path):
    """Returns a function from options to those of a small film."""
    write_image(tmp_path / "style.png", make_frame(9, 40, 40)[..., ::-1])

    def make(**options):
        given = {
            "content_video": str(clip),
            "style_images": [str(tmp_path / "style.png")],
            "output_video": str(tmp_path / "out.mkv"),
            "workdir": str(tmp_path / "run"),
            "weights": "random",
            "image_size": 48,
            "num_steps": (2,),
            "frame_steps": 2,
        }
        return RunConfig(**(given | options))

    return make


@pytest.fixture
def paint(make_config, session):
    """Returns a function that paints a small film."""
    return lambda **options: run_film(make_config(**options), session)


def read_frames(folder):
    """Returns the pixels of a folder's painted frames."""
    return [
        read_image(str(path)).pixels for path in sorted(folder.glob("*.png"))
    ]


def test_film_has_the_times_and_the_sound_of_its_source(paint, clip, tmp_path):
    assert paint() == 0
    assert read_times(tmp_path / "out.mkv") == read_times(clip)
    packets = read_packets(clip, "audio")
    assert packets
    assert read_packets(tmp_path / "out.mkv", "audio") == packets
    frames = read_frames(tmp_path / "run" / "frames")
    assert [frame.shape for frame in frames] == [(36, 48, 3)] * NUM_FRAMES


def test_frames_tell_how_they_were_made(paint, tmp_path):
    paint()
    lines = (tmp_path / "run" / "frames.jsonl").read_text().splitlines()
    metrics = [json.loads(line) for line in lines]
    assert [line["frame"] for line in metrics] == [1, 2, 3, 4, 5, 6]
    for line in metrics:
        assert ("weighted/temporal" in line) != (line["frame"] in (1, 5))
        assert line["step"] == 2
    text = read_text(str(tmp_path / "run" / "frames" / "000002.png"))
    for pattern in (
        r"^# content_video: 1 sha256=[0-9a-f]{64} frames=1/1$",
        r"^# result: step=2 .*weighted/temporal=",
        "^--temporal_weight=5.0$",
        "^--frame_steps=2$",
    ):
        assert re.search(pattern, text, re.M), text


def test_flags_of_the_film_paint_it_again(paint, session, tmp_path):
    paint()
    flags = tmp_path / "run" / "flags.cfg"
    again = tmp_path / "again"
    config = read_config([f"--flagfile={flags}", f"--workdir={again}"])
    run_film(config, session)
    np.testing.assert_array_equal(
        read_frames(again / "frames"), read_frames(tmp_path / "run" / "frames")
    )


def test_same_command_again_paints_nothing(paint, tmp_path):
    paint()
    frames = tmp_path / "run" / "frames"
    before = {path: path.stat().st_mtime_ns for path in frames.iterdir()}
    film = (tmp_path / "out.mkv").read_bytes()
    paint()
    assert before == {p: p.stat().st_mtime_ns for p in frames.iterdir()}
    assert (tmp_path / "out.mkv").read_bytes() == film


@pytest.mark.parametrize("kept", [0, 1, 4, 5])
def test_film_goes_on_to_the_same_bytes(paint, tmp_path, kept):
    paint(preserve_colors="match")
    frames = sorted((tmp_path / "run" / "frames").iterdir())
    expected = [path.read_bytes() for path in frames]
    for path in frames[kept:]:
        path.unlink()
    (tmp_path / "out.mkv").unlink()
    paint(preserve_colors="match")
    assert [path.read_bytes() for path in frames] == expected
    lines = (tmp_path / "run" / "frames.jsonl").read_text().splitlines()
    assert [json.loads(line)["frame"] for line in lines] == [1, 2, 3, 4, 5, 6]


def test_other_options_and_films_are_refused(paint, clip, tmp_path):
    paint(frames="1-2")
    for options in (
        {"seed": 1},
        {"temporal_weight": 1.0},
        {"frame_steps": 3},
        {"num_steps": (3,)},
        {"frames": "1-4/2"},
        {"resume": "never"},
    ):
        with pytest.raises(ConfigError) as error:
            paint(**{"frames": "1-2"} | options)
        assert isinstance(error.value, OtherRunError) or "resume" in options
    other = tmp_path / "other.mkv"
    write_clip(other, [make_frame(n) for n in range(2)])
    with pytest.raises(OtherRunError, match="content_video"):
        paint(content_video=str(other))


def test_other_weights_are_refused(paint, tmp_path):
    """Random weights of another seed; the seed itself is compared, too."""
    paint(frames="1-2")
    for path in (tmp_path / "run" / "frames").iterdir():
        text = read_text(str(path)).replace("sha256=", "sha256=0", 1)
        write_image(path, read_image(str(path)).pixels, text=text)
    with pytest.raises(OtherRunError, match="weights"):
        paint(frames="1-2")


def test_initial_image_is_that_of_the_first_frame_of_a_shot(paint, tmp_path):
    write_image(tmp_path / "init.png", 255 - make_frame(20))
    paint(init=str(tmp_path / "init.png"), num_steps=(1,), frames="1-2")
    first, second = read_frames(tmp_path / "run" / "frames")
    start = np.asarray(Image.fromarray(255 - make_frame(20)).resize((48, 36)))
    assert abs(first.astype(float) - start).mean() < 20
    assert abs(second.astype(float) - first).mean() < 20


def test_film_may_get_longer(paint, tmp_path):
    paint(frames="1-2")
    first = tmp_path / "run" / "frames" / "000001.png"
    before = first.stat().st_mtime_ns
    paint(frames="1-3", resume="auto")
    assert first.stat().st_mtime_ns == before
    assert len(read_times(tmp_path / "out.mkv")) == 3


def test_restart_keeps_the_old_frames(paint, tmp_path):
    paint(frames="1-2")
    paint(frames="1-2", seed=1, resume="restart")
    assert len(read_frames(tmp_path / "run.1" / "frames")) == 2
    assert len(read_frames(tmp_path / "run" / "frames")) == 2


def test_part_begins_at_zero(paint, tmp_path):
    paint(frames="3-6/2")
    numbers = [path.stem for path in (tmp_path / "run" / "frames").iterdir()]
    assert sorted(numbers) == ["000003", "000005"]
    assert read_times(tmp_path / "out.mkv") == pytest.approx([0, 0.1])


def test_shot_is_painted_as_if_it_were_alone(paint, tmp_path):
    paint()
    whole = read_frames(tmp_path / "run" / "frames")
    paint(frames="5-6", workdir=str(tmp_path / "part"), overwrite=True)
    part = read_frames(tmp_path / "part" / "frames")
    np.testing.assert_array_equal(part, whole[4:])


@pytest.mark.parametrize("ending", [".gif", ".webp"])
def test_animation_has_the_times_of_the_film(paint, tmp_path, ending):
    paint(output_video=str(tmp_path / f"out{ending}"))
    with Image.open(tmp_path / f"out{ending}") as image:
        times = []
        for number in range(image.n_frames):
            image.seek(number)
            image.load()
            times.append(image.info["duration"])
    assert times[:5] == [40, 60, 20, 80, 40]


def test_folders_of_frames_in_and_out(paint, tmp_path):
    folder = tmp_path / "in"
    for number in range(8, 12):
        write_image(folder / f"shot_{number}.png", make_frame(number))
    output = tmp_path / "painted"
    paint(content_video=str(folder), output_video=str(output), output_bits=16)
    names = sorted(path.name for path in output.iterdir())
    assert names == [f"00000{n}.png" for n in range(1, 5)]
    with Image.open(output / names[0]) as image:
        assert image.size == (48, 36)
    expected = (tmp_path / "run" / "frames" / names[1]).read_bytes()
    assert (output / names[1]).read_bytes() == expected
    write_image(folder / "shot_12.png", make_frame(0, 20, 20))
    with pytest.raises(ImageError, match="one size"):
        paint(content_video=str(folder), workdir=str(tmp_path / "again"))


def test_folder_keeps_the_pictures_of_others_and_names_no_paths(
    paint, tmp_path
):
    output = tmp_path / "painted"
    write_image(output / "000002.png", make_frame(0))
    with pytest.raises(WriteError, match="add --overwrite"):
        paint(output_video=str(output), frames="1-2")
    (output / "000002.png").unlink()
    paint(output_video=str(output), frames="1-2")
    text = read_text(str(output / "000002.png"))
    assert "--content_video=clip.mkv" in text
    assert str(tmp_path) not in text
    paint(output_video=str(output), frames="1-2", metadata="none")
    assert read_text(str(output / "000002.png")) is None
    with Image.open(output / "000002.png") as image:
        image.verify()
    np.testing.assert_array_equal(
        read_frames(output), read_frames(tmp_path / "run" / "frames")
    )


def test_limit_of_time_is_that_of_a_frame(paint, tmp_path):
    paint(time_limit=0.001, num_steps=(50,), frame_steps=50)
    assert len(read_frames(tmp_path / "run" / "frames")) == NUM_FRAMES
    assert len(read_times(tmp_path / "out.mkv")) == NUM_FRAMES


def test_rate_of_a_folder_is_the_one_given(paint, tmp_path, clip):
    folder = tmp_path / "in"
    for number in range(3):
        write_image(folder / f"{number}.png", make_frame(number))
    paint(content_video=str(folder), frame_rate=12.5)
    times = read_times(tmp_path / "out.mkv")
    assert times == pytest.approx([0, 0.08, 0.16], abs=1e-3)
    with pytest.raises(ConfigError, match="frame_rate"):
        paint(frame_rate=10.0)


def test_regions_follow_their_masks(paint, tmp_path):
    other = tmp_path / "other.png"
    write_image(other, make_frame(3, 40, 40))
    folder = tmp_path / "masks"
    mask = np.zeros((48, 64, 3), np.uint8)
    mask[:, :32] = 255
    # In frame 2 and in the last ones the second region is not to be seen.
    seconds = [255 - mask, 0 * mask, 255 - mask, *([0 * mask] * 3)]
    for number, second in enumerate(seconds):
        write_image(folder / f"{number}.png", second)
    write_image(tmp_path / "left.png", mask)
    styles = [str(tmp_path / "style.png"), str(other)]
    masks = [str(tmp_path / "left.png"), str(folder)]
    assert paint(style_images=styles, content_masks=masks) == 0
    (folder / "5.png").unlink()
    with pytest.raises(ImageError, match="must have a mask for every frame"):
        paint(
            style_images=styles,
            content_masks=masks,
            workdir=str(tmp_path / "again"),
            overwrite=True,
        )


def test_luminance_keeps_the_colors_of_every_frame(paint, clip, tmp_path):
    paint(preserve_colors="luminance", num_steps=(20,), frame_steps=10)
    frames = read_frames(tmp_path / "run" / "frames")
    for number in (1, 3):
        content = np.asarray(
            Image.fromarray(make_frame(number)).resize((48, 36)), float
        )
        red_less_blue = (frames[number] - content)[..., 0]
        difference = red_less_blue - (frames[number] - content)[..., 2]
        assert abs(difference).mean() < 12  # clipped colours differ


def test_optimizer_that_stops_at_once_starts_again(paint, tmp_path, caplog):
    """Of a still film the start is where the temporal loss is 0."""
    still = tmp_path / "still.mkv"
    write_clip(still, [make_frame(0)] * 2)
    with caplog.at_level("INFO", "absl"):
        paint(content_video=str(still), temporal_weight=1e12, frame_steps=8)
    assert "Frame 2: the optimizer stopped after" in caplog.text
    assert len(read_frames(tmp_path / "run" / "frames")) == 2


def test_output_of_another_run_is_not_replaced(paint, tmp_path):
    (tmp_path / "out.mkv").write_bytes(b"mine")
    with pytest.raises(WriteError, match="add --overwrite"):
        paint()
    assert (tmp_path / "out.mkv").read_bytes() == b"mine"
    paint(overwrite=True, frames="1")
    paint(frames="1")  # its own may be replaced


def test_film_itself_is_not_replaced(paint, clip, tmp_path):
    before = clip.read_bytes()
    with pytest.raises(WriteError, match="would replace it"):
        paint(output_video=str(clip), overwrite=True)
    assert clip.read_bytes() == before


def test_picture_of_someone_else_is_not_taken_for_a_frame(paint, tmp_path):
    write_image(tmp_path / "run" / "frames" / "000001.png", make_frame(0))
    with pytest.raises(WriteError, match="was not written by a run"):
        paint()


@pytest.mark.slow
def test_processes_share_the_shots_and_the_last_joins_them(
    make_config, tmp_path
):
    clip = tmp_path / "shots.mkv"
    shots = [make_frame(n) // (1 + n % 2) for n in range(0, 60, 10)]
    shots = [np.roll(shot, 20 * n, axis=n % 2) for n, shot in enumerate(shots)]
    write_clip(clip, [frame for shot in shots for frame in [shot[::-1]] * 2])
    config = make_config(content_video=str(clip), num_steps=(30,))
    flags = [f"--content_video={clip}"]
    flags += [x for x in config.to_flags() if "content_video" not in x]
    two = [start(*flags) for _ in range(2)]
    said = []
    for process in two:
        status, stderr = finish(process)
        assert status == 0, stderr
        said.append(stderr)
    counts = [text.count("frames left") for text in said]
    assert min(counts) > 0, said  # each painted some
    assert sum("Wrote" in text for text in said) >= 1
    frames = read_frames(tmp_path / "run" / "frames")
    alone = [x for x in flags if "workdir" not in x and "output" not in x]
    status, stderr = finish(start(*alone, f"--workdir={tmp_path / 'alone'}"))
    assert status == 0, stderr
    np.testing.assert_array_equal(
        frames, read_frames(tmp_path / "alone" / "frames")
    )
    assert len(read_times(tmp_path / "out.mkv")) == len(frames)


@pytest.mark.slow
def test_interrupted_film_goes_on_to_the_same_bytes(make_config, tmp_path):
    config = make_config(num_steps=(20,), frame_steps=20, image_size=64)
    flags = [f"--content_video={config.content_video}"]
    flags += [line for line in config.to_flags() if "content_video" not in line]
    frames = tmp_path / "run" / "frames"
    painted = 1
    for number, expected in ((signal.SIGINT, 130), (signal.SIGKILL, -9)):
        process = start(*flags)
        while not (frames / f"{painted + 1:06}.png").exists():
            assert process.poll() is None, process.communicate()
        process.send_signal(number)
        status, stderr = finish(process)
        assert status == expected, stderr
        painted = len(list(frames.glob("*.png")))
        assert painted < NUM_FRAMES
        if number == signal.SIGINT:  # the film so far
            assert len(read_times(tmp_path / "out.mkv")) == painted
    status, stderr = finish(start(*flags))
    assert status == 0, stderr
    whole = tmp_path / "whole"
    others = [x for x in flags if "workdir" not in x and "output" not in x]
    status, stderr = finish(start(*others, f"--workdir={whole}"))
    assert status == 0, stderr
    names = sorted(os.listdir(frames))
    assert len(names) == NUM_FRAMES
    for name in names:
        expected = (whole / "frames" / name).read_bytes()
        assert (frames / name).read_bytes() == expected
