"""Nothing that a run did not make is replaced, moved or removed."""

import contextlib
import hashlib
import json
import os
import pathlib

import numpy as np
import pytest

from tests.experiment.test_output_checks import MADE
from tests.experiment.test_output_checks import write_picture
from tests.refusals import refuses
from tfstyle.config.run_config import RunConfig
from tfstyle.experiment import output_checks
from tfstyle.experiment import run_directory
from tfstyle.experiment import workdir_files
from tfstyle.experiment.run_directory import WorkdirError
from tfstyle.flags.command_line import read_config
from tfstyle.image_files.writing import write_image
from tfstyle.reports import film
from tfstyle.reports import metric_writers
from tfstyle.reports.report import make_report

SOMEBODYS = {
    "flags.cfg": b"--seed=3\n",
    "metrics.jsonl": b'{"name": "a"}\n',
    "report.html": b"<!DOCTYPE html>\n<html>the quarter</html>\n",
    "preview.jpg": None,
    "film.sha256": b"a list of films\n",
    ".lock": b"do not remove\n",
    "images/000001.png": None,
    "frames/000001.png": None,
    "frames.jsonl": b'{"name": "a"}\n',
}


@pytest.fixture(autouse=True)
def current_folder(tmp_path, monkeypatch):
    """Makes an empty folder the current one, and returns it."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write_somebodys(path):
    content = SOMEBODYS[str(path.relative_to(os.getcwd()))]
    path.parent.mkdir(exist_ok=True)
    if content is None:
        write_picture(path)
    else:
        path.write_bytes(content)


def make_run(folder):
    """Makes a workdir with one of everything that runs leave there."""
    for name in ("images", "checkpoints", "events"):
        (folder / name).mkdir(parents=True)
    (folder / "flags.cfg").write_text(MADE)
    line = {"step": 1, "evaluations": 2, "height": 9, "width": 9}
    (folder / "metrics.jsonl").write_text(json.dumps(line) + "\n")
    page = make_report(title="a", images=[], metrics=[], facts={}, flags="")
    (folder / "report.html").write_text(page)
    (folder / ".lock").touch()
    (folder / "a.gif").write_bytes(b"a film")
    digest = hashlib.sha256(b"a film").hexdigest()
    (folder / film.RECORD).write_text(f"{digest}\n")
    write_picture(folder / "output.png", MADE)
    write_picture(folder / "images" / "000001.png", "step: 5")
    write_picture(folder / "preview.jpg", "step: 5")
    pixels = np.zeros((16, 16, 3), np.uint8)
    write_image(str(folder / "b.png"), pixels, record=MADE)
    (folder / "checkpoints" / "step_000001_evaluation_0000001.npz").touch()
    (folder / "events" / "events.out.tfevents.1.a.2.0.v2").touch()
    return folder


def snapshot(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def restart(**fields):
    with run_directory.open_workdir(RunConfig(**fields, resume="restart")):
        pass


@contextlib.contextmanager
def refused_without_change(*named):
    """Expects a `WorkdirError` that names paths or options; nothing moves."""
    before = snapshot(pathlib.Path())
    with refuses("", *named, kind=WorkdirError):
        yield
    assert snapshot(pathlib.Path()) == before


@pytest.mark.parametrize("name", SOMEBODYS)
@pytest.mark.parametrize("overwrite", [False, True])
def test_somebodys_file_is_named_and_stays(current_folder, name, overwrite):
    write_somebodys(current_folder / name)
    with refused_without_change(f"'./{name}'"):
        output_checks.check_output(RunConfig(workdir=".", overwrite=overwrite))


def test_what_runs_made_may_be_replaced(current_folder):
    folder = make_run(current_folder / "w")
    assert workdir_files.find_foreign(str(folder)) is None
    assert workdir_files.find_anything_foreign(str(folder)) is None
    output_checks.check_output(RunConfig(workdir="w"))


def test_preview_and_pictures_say_that_a_run_wrote_them(current_folder):
    class Record:
        step = 3

        def pixels(self, size=None):
            return np.zeros((16, 16, 3), np.uint8)

    metric_writers.write_preview("w", None, Record())
    metric_writers.ImageWriter("w/images", (16, 16))(Record())
    assert sorted(os.listdir("w")) == ["images", "preview.jpg"]
    assert workdir_files.find_anything_foreign("w") is None


@pytest.mark.parametrize(
    "name",
    ["photo.jpg", ".git/HEAD", "images/cat.png", "checkpoints/notes.txt"],
)
def test_restart_renames_no_folder_that_is_somebodys(current_folder, name):
    folder = make_run(current_folder / "w")
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_bytes(b"mine")
    with refused_without_change(f"'w/{name.removesuffix('/HEAD')}'"):
        restart(workdir="w")


def test_restart_moves_no_current_folder_link_or_input(current_folder):
    make_run(current_folder / "w")
    os.symlink("w", "link")
    with refused_without_change("`style_images`"):
        restart(workdir="w", style_images=["w/output.png"])
    with refused_without_change("'link'"):
        restart(workdir="link")
    os.chdir("w")
    for name in (".", "..", os.getcwd()):
        with refused_without_change(repr(name)):
            restart(workdir=name)


def test_restart_renames_what_only_runs_made(current_folder):
    folder = make_run(current_folder / "w")
    (folder / ".DS_Store").write_bytes(b"of a Mac")
    config = RunConfig(workdir="w", resume="restart")
    with run_directory.open_workdir(config):
        assert os.listdir("w") == [".lock"]
    assert "output.png" in os.listdir("w.1")


def test_file_of_another_run_is_not_written_through_a_link(current_folder):
    make_run(current_folder / "other")
    (current_folder / "w").mkdir()
    (current_folder / "w" / "flags.cfg").symlink_to("../other/flags.cfg")
    with refuses("", "'w/flags.cfg'", kind=WorkdirError):
        output_checks.check_output(RunConfig(workdir="w"))


def test_folder_is_emptied_of_what_runs_made_only(current_folder):
    folder = make_run(current_folder / "w")
    (folder / "images" / "cat.png").write_bytes(b"mine")
    for name in ("images", "checkpoints", "images"):
        workdir_files.remove_own(str(folder / name))
    assert os.listdir(folder / "images") == ["cat.png"]
    assert not (folder / "checkpoints").exists()


# Inputs.


@pytest.mark.parametrize(
    ("field", "name", "output"),
    [
        ("content_image", "b.png", {"output_image": "b.png"}),
        ("style_images", "b.png", {"output_image": "sub/../b.png"}),
        ("style_masks", "b.png", {"output_image": "link.png"}),
        ("content_masks", "b.png", {"output_image": "hard.png"}),
        ("init", "b.png", {"output_image": "b.png"}),
        ("content_image", "b.gif", {"film": "b.gif"}),
        ("weights", "b.gif", {"film": "b.gif"}),
        ("init", "w/output.png", {"workdir": "w"}),
        ("content_image", "w/preview.jpg", {"workdir": "w"}),
        ("init", "w/images/000001.png", {"workdir": "w"}),
    ],
)
def test_input_is_never_replaced(
    current_folder, monkeypatch, field, name, output
):
    monkeypatch.setattr(film, "check_encoder", lambda path: None)
    os.mkdir("sub")
    make_run(current_folder / "w")
    write_picture("b.png", MADE)
    os.link("b.png", "hard.png")
    os.symlink("b.png", "link.png")
    os.link("b.png", "b.gif")
    value = [name] if field.endswith("s") and field != "weights" else name
    config = RunConfig(**{field: value}, **output, overwrite=True)
    with refuses("", repr(name), f"`{field}`", kind=WorkdirError):
        output_checks.check_output(config)


def test_pictures_beside_those_on_the_way_are_inputs(current_folder):
    make_run(current_folder / "w")
    write_picture("w/images/cat.png")
    config = RunConfig(workdir="w", content_image="w/images/cat.png")
    output_checks.check_output(config)


def test_flagfile_is_never_replaced(current_folder):
    make_run(current_folder / "w")
    for name in ("mine.cfg", "mine.png.cfg", "w/output.png.cfg"):
        (current_folder / name).write_text("--flagfile=w/flags.cfg\n")
    for arguments in (
        ["--flagfile=w/flags.cfg", "--workdir=w"],
        ["--flagfile=mine.cfg", "--workdir=./w"],
        ["--flagfile=mine.cfg", "--output_image=mine.cfg"],
        ["--flagfile=mine.png.cfg", "--output_image=mine.png"],
        ["--flagfile=w/output.png.cfg", "--workdir=w"],
    ):
        with refuses("flagfile"):
            read_config(arguments)
    read_config(["--flagfile=w/flags.cfg", "--workdir=v"])
