"""What may be overwritten, and where outputs can be written."""

import os
from pathlib import Path

import numpy as np
import pytest

from tests.refusals import refuses
from tfstyle.config.run_config import RunConfig
from tfstyle.errors import ConfigError
from tfstyle.experiment.output_checks import check_output
from tfstyle.experiment.run_directory import WorkdirError
from tfstyle.flags import flagfile
from tfstyle.image_files.writing import WRITE_ENDINGS
from tfstyle.image_files.writing import write_image
from tfstyle.reports import film

MADE = flagfile.make_text(["--seed=1"], {})
OTHER = flagfile.make_text(["--seed=2"], {})
WRITE = os.W_OK | os.X_OK


def write_picture(path, text=""):
    write_image(str(path), np.zeros((16, 16, 3), np.uint8), text=text)


@pytest.fixture(autouse=True)
def current_folder(tmp_path, monkeypatch):
    """Makes a folder with files of runs and of others the current one."""
    monkeypatch.chdir(tmp_path)
    # A workdir, and what its earlier runs became when they began anew.
    workdirs = {"made": MADE, "other": OTHER, "again": OTHER}
    workdirs |= {"again.1": OTHER, "again.2": MADE}
    for name, text in workdirs.items():
        os.mkdir(name)
        Path(name, "flags.cfg").write_text(text, encoding="utf-8")
    for ending in WRITE_ENDINGS:
        write_picture(f"made{ending}", MADE)
    write_picture("other/output.png", MADE)  # flags.cfg may be of a later run
    write_picture("made/output.png")
    write_picture("unused/output.png", MADE)
    write_picture("photo.png")
    film.write_film("made.gif", ["photo.png"], "again.1")
    for name in ("photo.gif", "text.png", "new.png.cfg"):
        Path(name).write_text("mine")
    for name in ("folder.png", "folder.gif", "w/output.png", "locked"):
        os.makedirs(name)
    os.symlink("other", "link")
    os.symlink("missing/b.png", "dangling.png")
    os.symlink(".", "here")


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


@pytest.mark.parametrize(
    "fields",
    [
        {},
        *({"output_image": f"new{ending}"} for ending in WRITE_ENDINGS),
        {"output_image": "new.PNG"},
        {"output_image": "missing/folder/a.png"},
        {"output_image": "dangling.png"},
        {"output_image": "new.png"},  # whose record's place is taken
        *({"film": name} for name in ("a.gif", "b/a.webp", "A.GIF")),
        {"output_bits": 16},
        *(
            {"output_image": name, "output_bits": 16}
            for name in ("a.png", "b.TIF", "c.tiff")
        ),
        # Outputs of runs in the workdir.
        *(
            {"output_image": f"made{ending}", "workdir": "made"}
            for ending in WRITE_ENDINGS
        ),
        {"output_image": "made.png", "workdir": "again/"},
        {"workdir": "other"},
        {"output_image": "other/output.png", "workdir": "other/"},
        {"output_image": "other/output.png", "workdir": "link"},
        {"film": "made.gif", "workdir": "again"},
        # Anything.
        {"output_image": "text.png", "overwrite": True},
        {"workdir": "unused", "overwrite": True},
        {"film": "photo.gif", "workdir": "again", "overwrite": True},
    ],
)
def test_check_output_accepts(fields):
    before = sorted(Path().rglob("*"))
    check_output(RunConfig(**fields))
    assert sorted(Path().rglob("*")) == before


@pytest.mark.parametrize(
    ("field", "name", "rule", "fields"),
    [
        *(
            ("output_image", name, ".png, .tif, .tiff", {"output_bits": 16})
            for name in ("a.jpg", "b.JPEG", "c.webp")
        ),
        *(
            ("output_image", name, ".png, .jpg, .jpeg, .webp, .tif, .tiff", {})
            for name in ("a.gif", "a.bmp", "a", "png", ".png")
        ),
        *(
            ("film", name, ".mp4, .gif, .webp", {})
            for name in ("a.avi", "a.png", "a", ".gif")
        ),
        ("film", "here/a.webp", "`output_image`", {"output_image": "a.webp"}),
    ],
)
def test_check_output_refuses_a_format(field, name, rule, fields):
    with refuses(field, os.path.basename(name), rule, kind=ConfigError):
        check_output(RunConfig(**{field: name}, **fields))


@pytest.mark.parametrize(
    ("flag", "path", "workdir"),
    [
        # Outputs of other runs.
        ("output_image", "made.png", None),
        ("output_image", "made.png", "other"),
        ("output_image", "made.png", "again.1"),
        ("output_image", "unused/output.png", "unused"),
        ("film", "made.gif", None),
        ("film", "made.gif", "new"),
        # Files of no run.
        ("output_image", "made/output.png", "made"),
        ("output_image", "photo.png", "other"),
        ("output_image", "text.png", "other"),
        ("film", "photo.gif", "again"),
    ],
)
def test_check_output_refuses_an_output_of_others(flag, path, workdir):
    with refuses("", repr(path), f"--{flag}", "--overwrite", kind=WorkdirError):
        check_output(RunConfig(**{flag: path}, workdir=workdir))


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize(
    ("named", "fields"),
    [
        # A file in place of a folder.
        ("text.png", {"output_image": "text.png/a.png"}),
        ("text.png", {"workdir": "text.png"}),
        ("text.png", {"workdir": "text.png/below"}),
        # A folder in place of a file.
        ("folder.png", {"output_image": "folder.png"}),
        ("folder.gif", {"film": "folder.gif"}),
        ("w/output.png", {"workdir": "w"}),
        # Another file in place of the record.
        ("new.png.cfg", {"output_image": "new.png", "metadata": "none"}),
    ],
)
def test_check_output_refuses_what_is_in_the_way(named, fields, overwrite):
    with refuses("", repr(named), kind=WorkdirError):
        check_output(RunConfig(**fields, overwrite=overwrite))


def test_check_output_refuses_a_file_in_place_of_runs():
    Path("runs").write_text("")
    with refuses("", "'runs'", kind=WorkdirError):
        check_output(RunConfig())


@pytest.mark.parametrize(
    ("folder", "fields"),
    [
        ("locked", {"output_image": "locked/a.png"}),
        ("locked", {"film": "locked/a.gif"}),
        ("locked", {"workdir": "locked"}),
        *(
            ("locked", {"workdir": f"locked/{below}"})
            for below in ("a", "a/b", "./a/b/c")
        ),
        (".", {"output_image": "a.png", "workdir": "locked"}),
        (".", {"output_image": "locked/a.png"}),  # nowhere to make runs/
        (".", {}),
    ],
)
def test_check_output_refuses_a_folder_that_is_not_writable(
    refuse_writing, folder, fields
):
    check_output(RunConfig(**fields))
    refuse_writing(folder)
    with refuses("", folder, kind=WorkdirError):
        check_output(RunConfig(**fields))


@pytest.mark.parametrize(
    ("folder", "fields"),
    [
        ("locked", {"output_image": "a.png"}),
        (".", {"output_image": "made/a.png", "workdir": "made/workdir"}),
    ],
)
def test_check_output_looks_at_no_other_folder(refuse_writing, folder, fields):
    refuse_writing(folder)
    check_output(RunConfig(**fields))


def test_check_output_looks_at_runs_when_it_is_there(refuse_writing):
    os.mkdir("runs")
    refuse_writing(".")
    check_output(RunConfig())
    refuse_writing("runs")
    with refuses("", "'runs'", kind=WorkdirError):
        check_output(RunConfig())
