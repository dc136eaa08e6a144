"""The folder of a run, and what may be overwritten."""

import errno
import fcntl
import os
import time

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
    """Makes an empty folder the current one, and returns it."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


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
    folder.mkdir()
    (folder / "flags.cfg").write_text(text, encoding="utf-8")


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
def test_check_output_takes_what_can_be_written(current_folder, fields):
    check(**fields)
    assert os.listdir(current_folder) == []


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
def test_check_output_refuses_a_file_in_place_of_a_folder(
    current_folder, name, fields
):
    (current_folder / name).write_text("")
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
    current_folder, refuse_writing, folder, fields
):
    (current_folder / "out").mkdir()
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
def test_check_output_looks_at_no_other_folder(
    current_folder, refuse_writing, folder, fields
):
    (current_folder / "out").mkdir()
    refuse_writing(folder)
    check(**fields)


def test_check_output_looks_at_runs_when_it_is_there(
    current_folder, refuse_writing
):
    (current_folder / "runs").mkdir()
    refuse_writing(".")
    check()
    refuse_writing("runs")
    with blocks("runs"):
        check()


@pytest.mark.parametrize("below", ["a", "a/b", "a//b/", "./a/b/c"])
def test_check_output_looks_at_the_deepest_folder_above_the_workdir(
    current_folder, refuse_writing, below
):
    (current_folder / "w").mkdir()
    check(workdir=f"w/{below}")
    refuse_writing("w")
    with refuses("", "'w", kind=WorkdirError):
        check(workdir=f"w/{below}")
    check(workdir=below)
    assert os.listdir(current_folder / "w") == []


# check_output: what may be replaced.


def exists(path):
    return blocks(path, "--output_image", "--overwrite")


def test_check_output_refuses_an_output_of_another_run(current_folder):
    write_picture(current_folder / "a.png", MADE)
    (current_folder / "flags.cfg").write_text(MADE, encoding="utf-8")
    with exists("a.png"):
        check(output_image="a.png")  # a fresh workdir has made nothing
    make_run(current_folder / "w", OTHER)
    with exists("a.png"):
        check(output_image="a.png", workdir="w")


@pytest.mark.parametrize("ending", WRITE_ENDINGS)
def test_check_output_takes_an_output_of_the_same_workdir(
    current_folder, ending
):
    make_run(current_folder / "w")
    write_picture(current_folder / f"a{ending}", MADE)
    check(output_image=f"a{ending}", workdir="w")


def test_check_output_takes_an_output_of_a_run_that_the_workdir_had(
    current_folder,
):
    """A run begun anew is killed before its picture is there."""
    make_run(current_folder / "w", OTHER)
    make_run(current_folder / "w.1", OTHER)
    make_run(current_folder / "w.2")
    write_picture(current_folder / "a.png", MADE)
    check(output_image="a.png", workdir="w/")
    (current_folder / "w.2" / "flags.cfg").write_text(OTHER, encoding="utf-8")
    with exists("a.png"):
        check(output_image="a.png", workdir="w")


def test_check_output_takes_an_output_that_lies_in_its_workdir(current_folder):
    # What ended an earlier run may differ from what flags.cfg says now.
    make_run(current_folder / "w", OTHER)
    write_picture(current_folder / "w" / "output.png", MADE)
    check(workdir="w")
    check(workdir="w/", output_image="w/output.png")
    (current_folder / "link").symlink_to("w")
    check(workdir="link", output_image="w/output.png")


def test_check_output_refuses_a_foreign_picture(current_folder):
    (current_folder / "w").mkdir()
    write_picture("w/output.png", MADE)
    with exists("w/output.png"):
        check(workdir="w")  # which no run used
    (current_folder / "w" / "flags.cfg").write_text(MADE, encoding="utf-8")
    check(workdir="w")
    write_picture("w/output.png")
    with exists("w/output.png"):
        check(workdir="w")
    write_picture("photo.jpg")
    with exists("photo.jpg"):
        check(output_image="photo.jpg", workdir="w")


@pytest.mark.parametrize("content", [b"", b"no picture"])
def test_check_output_refuses_a_file_that_is_no_picture(
    current_folder, content
):
    make_run(current_folder / "w")
    (current_folder / "a.png").write_bytes(content)
    with exists("a.png"):
        check(output_image="a.png", workdir="w")
    assert (current_folder / "a.png").read_bytes() == content


def test_check_output_refuses_another_file_as_the_record(current_folder):
    (current_folder / "a.png.cfg").write_text("mine")
    check(output_image="a.png")
    with blocks("a.png.cfg", "'a.png'", "--output_image"):
        check(output_image="a.png", metadata="none", overwrite=True)


def test_check_output_takes_a_link_to_what_will_be_made(current_folder):
    (current_folder / "a.png").symlink_to("missing/b.png")
    check(output_image="a.png")


def test_check_output_takes_any_file_when_overwrite_is_given(current_folder):
    (current_folder / "a.png").write_bytes(b"no picture")
    check(output_image="a.png", overwrite=True)
    (current_folder / "w").mkdir()
    write_picture(current_folder / "w" / "output.png", OTHER)
    check(workdir="w", overwrite=True)
    assert (current_folder / "a.png").read_bytes() == b"no picture"


@pytest.mark.parametrize("overwrite", [False, True])
def test_check_output_refuses_a_folder_as_the_output(current_folder, overwrite):
    (current_folder / "a.png").mkdir()
    with blocks("a.png"):
        check(output_image="a.png", overwrite=overwrite)
    (current_folder / "w" / "output.png").mkdir(parents=True)
    with blocks("w/output.png"):
        check(workdir="w", overwrite=overwrite)


# check_output: films.


def exists_film(path):
    return blocks(path, "--film", "--overwrite")


def test_check_output_refuses_a_film_in_place_of_the_output(current_folder):
    (current_folder / "link").symlink_to(".")
    with refuses("film", "`output_image`", "a.webp"):
        check(output_image="a.webp", film="link/a.webp")


def test_check_output_refuses_a_folder_in_place_of_a_film(current_folder):
    (current_folder / "a.gif").mkdir()
    with blocks("a.gif"):
        check(film="a.gif", overwrite=True)


def test_check_output_takes_only_a_film_of_the_workdirs_runs(current_folder):
    make_run(current_folder / "w")
    write_picture("1.png")
    film.write_film("a.gif", ["1.png"], "w")
    check(film="a.gif", workdir="w")
    with exists_film("a.gif"):
        check(film="a.gif")
    (current_folder / "w").rename("w.1")
    make_run(current_folder / "w", OTHER)
    check(film="a.gif", workdir="w")  # of a former run
    (current_folder / "a.gif").write_bytes(b"mine")
    with exists_film("a.gif"):
        check(film="a.gif", workdir="w")
    check(film="a.gif", workdir="w", overwrite=True)


# make_workdir.


def test_make_workdir_makes_or_keeps_the_named_folder(current_folder):
    assert run_directory.make_workdir(RunConfig(workdir="a/b")) == "a/b"
    assert os.listdir(current_folder) == ["a"]
    assert os.listdir("a") == ["b"]
    make_run(current_folder / "w")
    assert run_directory.make_workdir(RunConfig(workdir="w")) == "w"
    assert (current_folder / "w" / "flags.cfg").read_text() == MADE


def test_make_workdir_names_a_fresh_folder_by_the_time(current_folder):
    before = time.strftime("%Y-%m-%d-%H%M%S")
    path = run_directory.make_workdir(RunConfig())
    after = time.strftime("%Y-%m-%d-%H%M%S")
    assert os.path.dirname(path) == "runs"
    assert before <= os.path.basename(path) <= after
    assert os.listdir(current_folder / "runs") == [os.path.basename(path)]
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
def test_make_workdir_refuses_when_a_file_is_in_the_way(
    current_folder, name, fields
):
    (current_folder / name).write_text("")
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
def test_disk_without_locks_costs_a_warning(
    current_folder, monkeypatch, caplog, number
):
    def refuse(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refuse)
    config = RunConfig(style_images=["s.png"], workdir="w")
    with run_directory.open_workdir(config) as folder:
        (current_folder / folder / "a").write_text("")
    assert "knows no locks" in caplog.text
    assert (current_folder / "w" / "a").exists()
