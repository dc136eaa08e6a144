"""The folder of a run: how it is made and locked."""

import errno
import fcntl
import os
import time
from pathlib import Path

import pytest

from tests.refusals import refuses
from tfstyle.config.run_config import RunConfig
from tfstyle.errors import WriteError
from tfstyle.experiment.output_checks import check_output
from tfstyle.experiment.run_directory import make_workdir
from tfstyle.experiment.run_directory import open_workdir


@pytest.fixture(autouse=True)
def current_folder(tmp_path, monkeypatch):
    """Makes an empty folder the current one."""
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("workdir", ["a/b", "x/y/"])
def test_make_workdir_makes_or_keeps_the_named_folder(workdir):
    config = RunConfig(workdir=workdir)
    check_output(config)
    for _ in range(2):
        assert make_workdir(config) == workdir
        Path(workdir, "a.txt").write_text("")
        check_output(config)
    assert os.listdir(workdir) == ["a.txt"]


def test_make_workdir_names_new_folders_by_the_time(monkeypatch):
    before = time.strftime("%Y-%m-%d-%H%M%S")
    path = make_workdir(RunConfig())
    after = time.strftime("%Y-%m-%d-%H%M%S")
    assert os.path.dirname(path) == "runs"
    assert before <= os.path.basename(path) <= after
    monkeypatch.setattr(time, "strftime", lambda _: "2015-08-26-120000")
    paths = [make_workdir(RunConfig()) for _ in range(3)]
    assert paths == [
        "runs/2015-08-26-120000",
        "runs/2015-08-26-120000-2",
        "runs/2015-08-26-120000-3",
    ]
    assert all(os.path.isdir(path) for path in paths)


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("file", {"workdir": "file"}),
        ("file", {"workdir": "file/below"}),
        ("runs", {}),
    ],
)
def test_make_workdir_refuses_when_a_file_is_in_the_way(name, fields):
    Path(name).write_text("")
    with refuses("workdir", f"'{name}", kind=WriteError):
        make_workdir(RunConfig(**fields))


@pytest.mark.parametrize(
    "number", [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP]
)
def test_disk_without_locks_costs_a_warning(monkeypatch, caplog, number):
    def refuse(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refuse)
    config = RunConfig(style_images=["s.png"], workdir="w")
    with open_workdir(config) as folder:
        Path(folder, "a").write_text("")
    assert "does not support locks" in caplog.text
    assert Path("w/a").exists()


def test_open_workdir_removes_a_new_folder_that_stays_empty():
    os.mkdir("old")
    for name in ("new", "old"):
        with open_workdir(RunConfig(workdir=name)):
            assert os.listdir(name) == [".lock"]
    assert os.listdir() == ["old"]
