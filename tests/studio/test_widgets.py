"""Copies of a run's pictures."""

import numpy as np
import pytest
from PIL import Image

from tests.studio.test_runs import make_run
from tfstyle.image_files.reading import read_image
from tfstyle.studio import widgets
from tfstyle.system import remote_files


@pytest.fixture
def turned(tmp_path):
    """Returns the path of a picture, 60 x 40 pixels if held upright."""
    path = tmp_path / "turned.png"
    pixels = np.zeros((60, 40, 3), np.uint8)
    pixels[:30] = 255  # becomes the right half
    exif = Image.Exif()
    exif[0x0112] = 6  # the orientation
    Image.fromarray(pixels).save(path, exif=exif)
    return path


def make_run_of(tmp_path, content, size=(30, 20), **fields):
    root = tmp_path / "runs"
    root.mkdir(exist_ok=True)
    run = make_run(root, "a", content_image=content, **fields)
    Image.new("RGB", size).save(root / "a" / "output.png")
    return run


def test_original_lies_over_the_picture_and_is_made_once(tmp_path, turned):
    run = make_run_of(tmp_path, str(turned))
    path = widgets.make_original(run)
    assert path.startswith(str(tmp_path / "runs" / "uploads"))
    pixels = read_image(path).pixels
    assert pixels.shape == (20, 30, 3)
    assert pixels[:, :10].max() < 50
    assert pixels[:, 20:].min() > 200
    with open(path, "wb"):
        assert widgets.make_original(run) == path


def test_original_is_found_at_home(tmp_path, turned, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    run = make_run_of(tmp_path, str(turned))
    flags = tmp_path / "runs" / "a" / "flags.cfg"
    flags.write_text("--content_image=~/turned.png\n")
    assert widgets.make_original(run)


@pytest.mark.parametrize(
    "content",
    ["none.png", "runs", "runs/a/flags.cfg", "http://127.0.0.1:9/a.png", None],
)
def test_original_that_cannot_be_read_is_none(tmp_path, content, monkeypatch):
    def fetch(path):
        assert "://" not in path
        return path

    monkeypatch.chdir(tmp_path)
    run = make_run_of(tmp_path, content)
    monkeypatch.setattr(remote_files, "fetch", fetch)
    assert widgets.make_original(run) is None


def test_films_and_runs_without_a_picture_have_no_original(tmp_path, turned):
    (tmp_path / "runs").mkdir()
    run = make_run(
        *(tmp_path / "runs", "b"),
        has_picture=False,
        content_image=str(turned),
    )
    assert widgets.make_original(run) is None
    run = make_run_of(tmp_path, str(turned))
    (tmp_path / "runs" / "a" / "asked.cfg").write_text("--content_video=a.mp4")
    assert widgets.make_original(run) is None
