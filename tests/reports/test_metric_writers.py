"""Lines of metrics.jsonl, and the numbered pictures."""

import json
import os

import numpy as np
import pytest
from PIL import Image

from tests.training.test_callbacks import make_record
from tfstyle.image_files.reading import read_text
from tfstyle.reports.metric_writers import EventWriter
from tfstyle.reports.metric_writers import ImageWriter
from tfstyle.reports.metric_writers import JsonLinesWriter


def test_writer_writes_a_whole_line_a_record(tmp_path):
    path = tmp_path / "metrics.jsonl"
    writer = JsonLinesWriter(str(path))
    for step in range(2):
        writer(make_record(step))
        lines = path.read_text().split("\n")  # at once, without closing
        assert len(lines) == step + 2
        assert lines[-1] == ""
    writer.close()
    assert json.loads(lines[1]) == {
        "step": 1,
        "evaluations": 2,
        "level": 0,
        "height": 2,
        "width": 3,
        "seconds": 0.5,
        "total": 3.0,
        "style/block1_conv1": 1.5,
        "weighted/style": 3.0,
    }


def test_writer_empties_the_file_of_an_earlier_run(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text("old\n")
    JsonLinesWriter(str(path)).close()
    assert path.read_text() == ""


def write_steps(folder, steps, first_step=0):
    """Writes pictures of steps; returns the names of all, and the writer."""
    writer = ImageWriter(str(folder), (4, 6), first_step=first_step)
    for step in steps:
        writer(make_record(step))
    return sorted(os.listdir(folder)), writer


def test_pictures_are_numbered_from_1_and_say_their_step(tmp_path):
    names, writer = write_steps(tmp_path, [0, 20, 40, 47])
    assert names == [f"00000{number}.png" for number in range(1, 5)]
    texts = [read_text(str(tmp_path / name)) for name in names]
    assert texts == ["step: 0", "step: 20", "step: 40", "step: 47"]
    assert writer.paths == {
        step: str(tmp_path / name)
        for step, name in zip([0, 20, 40, 47], names, strict=True)
    }
    with Image.open(tmp_path / names[0]) as image:
        assert (image.size, image.mode) == ((6, 4), "RGB")


def test_pictures_of_one_step_are_the_last_of_them(tmp_path):
    writer = ImageWriter(str(tmp_path), (2, 3))
    writer(make_record(0))
    writer(make_record(5, to_pixels=lambda _: np.zeros((2, 3, 3), np.uint8)))
    writer(make_record(5, level=1))
    assert sorted(os.listdir(tmp_path)) == ["000001.png", "000002.png"]
    with Image.open(tmp_path / "000002.png") as image:
        assert image.getpixel((0, 0)) == (124, 117, 104)


def test_pictures_go_on_where_the_run_does(tmp_path):
    straight, _ = write_steps(tmp_path / "straight", range(0, 100, 10))
    # Stopped at 57, whose picture a run that is left alone does not have.
    write_steps(tmp_path / "resumed", [0, 10, 20, 30, 40, 50, 57])
    resumed, writer = write_steps(
        tmp_path / "resumed", range(40, 100, 10), first_step=40
    )
    assert resumed == straight
    for name in straight:
        expected = (tmp_path / "straight" / name).read_bytes()
        assert (tmp_path / "resumed" / name).read_bytes() == expected
    assert list(writer.paths) == list(range(0, 100, 10))


def test_later_pictures_go_at_once_and_foreign_ones_stay(tmp_path):
    write_steps(tmp_path, [0, 10, 20])
    Image.new("RGB", (6, 4)).save(tmp_path / "000009.png")
    (tmp_path / "000010.png").write_bytes(b"no picture")
    (tmp_path / "mine.png").write_bytes(b"")
    names, _ = write_steps(tmp_path, [], first_step=10)
    assert names == ["000001.png", "000009.png", "000010.png", "mine.png"]
    names, _ = write_steps(tmp_path, [])
    assert names == ["000009.png", "000010.png", "mine.png"]


def test_pictures_are_transparent_where_the_output_is(tmp_path):
    alpha = np.array([[0, 255]], np.uint8)
    ImageWriter(str(tmp_path), (4, 6), alpha)(make_record(0))
    with Image.open(tmp_path / "000001.png") as image:
        found = np.asarray(image)[..., 3]
    assert found.shape == (4, 6)
    assert (found[:, 0] < 20).all()
    assert (found[:, -1] > 235).all()


# Events.


def read_steps(folder):
    accumulator = pytest.importorskip(
        "tensorboard.backend.event_processing.plugin_event_accumulator"
    ).EventAccumulator(str(folder))
    accumulator.Reload()
    return [event.step for event in accumulator.Tensors("total")]


def write_events(folder, steps, first_step=0):
    events = EventWriter(str(folder), first_step)
    for step in steps:
        events(make_record(step))
    events.close()


def test_curve_of_a_run_that_goes_on_does_not_run_back(tmp_path):
    write_events(tmp_path, [0, 2, 4, 6])
    (path,) = tmp_path.iterdir()
    path.rename(tmp_path / "events.out.tfevents.0000000001.a.1.0.v2")
    write_events(tmp_path, [4, 6, 8], first_step=4)
    assert read_steps(tmp_path) == [0, 2, 4, 6, 8]


def test_a_group_may_write_where_events_are(tmp_path):
    before = os.umask(0o002)
    try:
        write_events(tmp_path / "events", [0])
    finally:
        os.umask(before)
    paths = [tmp_path / "events", *(tmp_path / "events").iterdir()]
    assert [path.stat().st_mode & 0o777 for path in paths] == [0o775, 0o664]
