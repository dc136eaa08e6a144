"""The folder of a run, and what may be overwritten."""

import errno
import fcntl
import os
import time
from pathlib import Path

import numpy as np
import pytest

from tests.refusals import refuses
from tfstyle.config.run_config import RunConfig
from tfstyle.experiment import run_directory
from tfstyle.experiment.run_directory import WorkdirError
from tfstyle.flags import flagfile
from tfstyle.image_files.writing import WRITE_ENDINGS
from tfstyle.image_files.writing import write_image
from tfstyle.reports import film

MADE = flagfile.make_text(["--seed=1"], {})
OTHER = flagfile.make_text(["--seed=2"], {})
WRITE = os.W_OK | os.X_OK


@pytest.fixture(autouse=True)
def current_folder(tmp_path, monkeypatch):
    """Makes an empty folder the current one."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def refuse_writing(monkeypatch):
    """Returns a function that makes a folder read-only, to root as well."""
    access = os.access
    refused = []

    def check(path, mode, **options):
        is_refused = os.path.realpath(path) in refused and mode & WRITE
        return not is_refused and access(path, mode, **options)

    monkeypatch.setattr(os, "access", check)
    return lambda path: refused.append(os.path.realpath(path))


def write_picture(path, text=""):
    pixels = np.zeros((16, 16, 3), np.uint8)
    write_image(str(path), pixels, text=text)


def make_run(folder, text=MADE):
    """Makes a workdir as a run leaves it, without its output."""
    os.mkdir(folder)
    Path(folder, "flags.cfg").write_text(text, encoding="utf-8")


def check(**fields):
    run_directory.check_output(RunConfig(**fields))


def blocks(path, *remedies):
    """Expects an error that names a file or folder in the way."""
    return refuses("", repr(path), *remedies, kind=WorkdirError)


# check_output: what must be there.


@pytest.mark.parametrize(
    "fields",
    [
        {},
        *({"output_image": f"a{ending}"} for ending in WRITE_ENDINGS),
        {"output_image": "a.PNG"},
        {"output_image": "missing/folder/a.png"},
        *({"film": name} for name in ("a.gif", "b/a.webp", "A.GIF")),
        {"output_bits": 16},
        *(
            {"output_image": name, "output_bits": 16}
            for name in ("a.png", "b.TIF", "c.tiff")
        ),
    ],
)
def test_check_output_takes_what_can_be_written(fields):
    check(**fields)
    assert os.listdir() == []


@pytest.mark.parametrize("name", ["a.jpg", "b.JPEG", "c.webp"])
def test_check_output_refuses_16_bits_where_the_format_holds_8(name):
    with refuses("output_bits", repr(name), ".png or .tif"):
        check(output_image=name, output_bits=16)


@pytest.mark.parametrize(
    ("field", "endings", "names"),
    [
        (
            "output_image",
            ".png, .jpg, .jpeg, .webp, .tif, .tiff",
            ["a.gif", "a.bmp", "a", "png", ".png"],
        ),
        ("film", ".mp4, .gif, .webp", ["a.avi", "a.png", "a", ".gif"]),
    ],
)
def test_check_output_refuses_other_endings(field, endings, names):
    for name in names:
        with refuses(field, endings, repr(name)):
            check(**{field: name})


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("file", {"output_image": "file/a.png"}),
        ("file", {"workdir": "file"}),
        ("file", {"workdir": "file/below"}),
        ("runs", {}),
    ],
)
def test_check_output_refuses_a_file_in_place_of_a_folder(name, fields):
    Path(name).write_text("")
    with blocks(name):
        check(**fields)


@pytest.mark.parametrize(
    ("folder", "fields"),
    [
        ("out", {"output_image": "out/a.png"}),
        ("out", {"film": "out/a.gif"}),
        ("out", {"workdir": "out"}),
        ("out/", {"workdir": "out/"}),
        (".", {"output_image": "a.png", "workdir": "out"}),
        (".", {"output_image": "out/a.png"}),  # nowhere to make runs/
        (".", {}),
    ],
)
def test_check_output_refuses_a_folder_that_is_not_writable(
    refuse_writing, folder, fields
):
    os.mkdir("out")
    check(**fields)
    refuse_writing(folder)
    with blocks(folder):
        check(**fields)


@pytest.mark.parametrize(
    ("folder", "fields"),
    [
        ("out", {"output_image": "a.png"}),
        (".", {"output_image": "out/a.png", "workdir": "out/workdir"}),
    ],
)
def test_check_output_looks_at_no_other_folder(refuse_writing, folder, fields):
    os.mkdir("out")
    refuse_writing(folder)
    check(**fields)


def test_check_output_looks_at_runs_when_it_is_there(refuse_writing):
    os.mkdir("runs")
    refuse_writing(".")
    check()
    refuse_writing("runs")
    with blocks("runs"):
        check()


@pytest.mark.parametrize("below", ["a", "a/b", "a//b/", "./a/b/c"])
def test_check_output_looks_at_the_deepest_folder_above_the_workdir(
    refuse_writing, below
):
    os.mkdir("w")
    check(workdir=f"w/{below}")
    refuse_writing("w")
    with refuses("", "'w", kind=WorkdirError):
        check(workdir=f"w/{below}")
    check(workdir=below)
    assert os.listdir("w") == []


# check_output: what may be replaced.


def exists(path, flag="--output_image"):
    return blocks(path, flag, "--overwrite")


def test_check_output_refuses_an_output_of_another_run():
    write_picture("a.png", MADE)
    Path("flags.cfg").write_text(MADE, encoding="utf-8")
    with exists("a.png"):
        check(output_image="a.png")  # a fresh workdir has made nothing
    make_run("w", OTHER)
    with exists("a.png"):
        check(output_image="a.png", workdir="w")


@pytest.mark.parametrize("ending", WRITE_ENDINGS)
def test_check_output_takes_an_output_of_the_same_workdir(ending):
    make_run("w")
    write_picture(f"a{ending}", MADE)
    check(output_image=f"a{ending}", workdir="w")


def test_check_output_takes_an_output_of_a_run_that_the_workdir_had():
    """A run begun anew is killed before its picture is there."""
    make_run("w", OTHER)
    make_run("w.1", OTHER)
    make_run("w.2")
    write_picture("a.png", MADE)
    check(output_image="a.png", workdir="w/")
    Path("w.2/flags.cfg").write_text(OTHER, encoding="utf-8")
    with exists("a.png"):
        check(output_image="a.png", workdir="w")


def test_check_output_takes_an_output_that_lies_in_its_workdir():
    # What ended an earlier run may differ from what flags.cfg says now.
    make_run("w", OTHER)
    write_picture("w/output.png", MADE)
    check(workdir="w")
    check(workdir="w/", output_image="w/output.png")
    Path("link").symlink_to("w")
    check(workdir="link", output_image="w/output.png")


def test_check_output_refuses_a_foreign_picture():
    os.mkdir("w")
    write_picture("w/output.png", MADE)
    with exists("w/output.png"):
        check(workdir="w")  # which no run used
    Path("w/flags.cfg").write_text(MADE, encoding="utf-8")
    check(workdir="w")
    write_picture("w/output.png")
    with exists("w/output.png"):
        check(workdir="w")
    write_picture("photo.jpg")
    with exists("photo.jpg"):
        check(output_image="photo.jpg", workdir="w")


@pytest.mark.parametrize("content", [b"", b"no picture"])
def test_check_output_refuses_a_file_that_is_no_picture(content):
    make_run("w")
    Path("a.png").write_bytes(content)
    with exists("a.png"):
        check(output_image="a.png", workdir="w")
    assert Path("a.png").read_bytes() == content


def test_check_output_refuses_another_file_as_the_record():
    Path("a.png.cfg").write_text("mine")
    check(output_image="a.png")
    with blocks("a.png.cfg", "'a.png'", "--output_image"):
        check(output_image="a.png", metadata="none", overwrite=True)


def test_check_output_takes_a_link_to_what_will_be_made():
    Path("a.png").symlink_to("missing/b.png")
    check(output_image="a.png")


def test_check_output_takes_any_file_when_overwrite_is_given():
    Path("a.png").write_bytes(b"no picture")
    check(output_image="a.png", overwrite=True)
    os.mkdir("w")
    write_picture("w/output.png", OTHER)
    check(workdir="w", overwrite=True)
    assert Path("a.png").read_bytes() == b"no picture"


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("a.png", {"output_image": "a.png"}),
        ("w/output.png", {"workdir": "w"}),
        ("a.gif", {"film": "a.gif"}),
    ],
)
def test_check_output_refuses_a_folder_as_the_output(name, fields, overwrite):
    os.makedirs(name)
    with blocks(name):
        check(**fields, overwrite=overwrite)


# check_output: films.


def test_check_output_refuses_a_film_in_place_of_the_output():
    Path("link").symlink_to(".")
    with refuses("film", "`output_image`", "a.webp"):
        check(output_image="a.webp", film="link/a.webp")


def test_check_output_takes_only_a_film_of_the_workdirs_runs():
    make_run("w")
    write_picture("1.png")
    film.write_film("a.gif", ["1.png"], "w")
    check(film="a.gif", workdir="w")
    with exists("a.gif", "--film"):
        check(film="a.gif")
    Path("w").rename("w.1")
    make_run("w", OTHER)
    check(film="a.gif", workdir="w")  # of a former run
    Path("a.gif").write_bytes(b"mine")
    with exists("a.gif", "--film"):
        check(film="a.gif", workdir="w")
    check(film="a.gif", workdir="w", overwrite=True)


# make_workdir.


def test_make_workdir_makes_or_keeps_the_named_folder():
    assert run_directory.make_workdir(RunConfig(workdir="a/b")) == "a/b"
    assert os.listdir() == ["a"]
    assert os.listdir("a") == ["b"]
    make_run("w")
    assert run_directory.make_workdir(RunConfig(workdir="w")) == "w"
    assert Path("w/flags.cfg").read_text() == MADE


def test_make_workdir_names_a_fresh_folder_by_the_time():
    before = time.strftime("%Y-%m-%d-%H%M%S")
    path = run_directory.make_workdir(RunConfig())
    after = time.strftime("%Y-%m-%d-%H%M%S")
    assert os.path.dirname(path) == "runs"
    assert before <= os.path.basename(path) <= after
    assert os.listdir("runs") == [os.path.basename(path)]
    assert os.listdir(path) == []


def test_make_workdir_numbers_the_folders_of_one_second(monkeypatch):
    monkeypatch.setattr(time, "strftime", lambda _: "2015-08-26-120000")
    paths = [run_directory.make_workdir(RunConfig()) for _ in range(3)]
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
    with refuses("", f"'{name}", "`workdir`", kind=WorkdirError):
        run_directory.make_workdir(RunConfig(**fields))


@pytest.mark.parametrize("fields", [{}, {"workdir": "x/y/"}])
def test_make_workdir_makes_what_check_output_let_pass(fields):
    config = RunConfig(**fields)
    run_directory.check_output(config)
    assert os.path.isdir(run_directory.make_workdir(config))
    run_directory.check_output(config)


@pytest.mark.parametrize(
    "number", [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP]
)
def test_disk_without_locks_costs_a_warning(monkeypatch, caplog, number):
    def refuse(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refuse)
    config = RunConfig(style_images=["s.png"], workdir="w")
    with run_directory.open_workdir(config) as folder:
        Path(folder, "a").write_text("")
    assert "does not support locks" in caplog.text
    assert Path("w/a").exists()
