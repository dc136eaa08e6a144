"""What workdirs tell of their runs."""

import json
import os

import pytest
from PIL import Image

from tests import ROOT
from tfstyle.config.run_config import RunConfig
from tfstyle.experiment import provenance
from tfstyle.studio import notes
from tfstyle.studio import runs
from tfstyle.studio.notes import Notes
from tfstyle.studio.runs import Run
from tfstyle.system import file_lock

SAMPLES = ROOT / "tfstyle" / "samples"


def make_run(root, name, *, steps=3, has_picture=True, **fields):
    folder = root / name
    folder.mkdir()
    plain = {
        "style_images": ["a.jpg"],
        "num_levels": 2,
        "num_steps": (2, 4),
    }
    config = RunConfig(**plain | fields)
    (folder / "flags.cfg").write_text(provenance.make_text(config, {}))
    lines = [
        {
            "step": step,
            "evaluations": step + 1,
            "level": int(step > 2),
            "height": 6,
            "width": 8,
            "seconds": 10.0 + step,
            "total": 1.0,
        }
        for step in range(steps)
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (folder / "metrics.jsonl").write_text(text)
    if has_picture:
        (folder / "output.png").write_bytes(b"a picture")
    return Run(str(folder))


def make_painted_runs(root, sizes):
    """Makes a run with a picture for each size, called 0, 1 and so on."""
    for number, size in enumerate(sizes):
        make_run(
            *(root, str(number)),
            image_size=size,
            num_levels="auto",
            num_steps=(40,),
            content_image=str(SAMPLES / "scene.jpg"),
            style_images=[str(SAMPLES / "mosaic.jpg")],
        )
        with Image.open(SAMPLES / "mosaic.jpg") as picture:
            picture.thumbnail((size, size))
            picture.save(root / str(number) / "output.png")
        os.utime(root / str(number) / "metrics.jsonl", (number + 1,) * 2)


def test_runs_are_listed_the_newest_first(tmp_path):
    for number, name in enumerate("abc", start=1):
        make_run(tmp_path, name)
        os.utime(tmp_path / name / "metrics.jsonl", (number, number))
    (tmp_path / "inputs").mkdir()
    os.symlink(tmp_path / "a", tmp_path / "link")
    names = [run.name for run in runs.list_runs(str(tmp_path))]
    assert names == ["c", "b", "a"]
    assert runs.list_runs(str(tmp_path / "none")) == []


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../a", "a/b", "/etc", "none", "link"]
)
def test_only_names_of_runs_are_found(tmp_path, name):
    make_run(tmp_path, "a")
    os.symlink("/etc", tmp_path / "link")
    assert runs.find_run(str(tmp_path), name) is None
    assert runs.find_run(str(tmp_path), "a").picture


def test_picture_elsewhere_is_not_the_run_s(tmp_path):
    run = make_run(tmp_path, "a", has_picture=False)
    os.symlink("/etc/hostname", tmp_path / "a" / "output.png")
    assert run.picture is None


def test_run_is_called_by_its_pictures(tmp_path):
    inputs = tmp_path / "inputs"
    run = make_run(
        tmp_path,
        "a",
        content_image=str(inputs / "house-0123abcd.jpg"),
        style_images=[str(inputs / "wave, b-0123abcd.png"), "plain.png"],
    )
    assert run.title == "house in wave, b and plain (a)"
    (tmp_path / "a" / "asked.cfg").write_text("--style_images=c.jpg\n")
    assert run.title == "c (a)"
    (tmp_path / "b").mkdir()
    assert Run(str(tmp_path / "b")).title == "b"


@pytest.mark.parametrize(
    ("steps", "share", "left"),
    [
        (1, 0.0, None),  # the graphs have just been made
        (3, 2 / 18, 16.0),
        (5, (2 + 2 * 4) / 18, 2.0),
    ],
)
def test_time_left_counts_larger_levels_more(tmp_path, steps, share, left):
    run = make_run(tmp_path, "a", steps=steps, has_picture=False)
    assert runs.progress_of(run) == (pytest.approx(share), left)
    assert runs.is_at_finest_level(run) == (steps == 5)


def test_run_is_at_work_while_its_lock_is_held(tmp_path):
    run = make_run(tmp_path, "a", has_picture=False)
    lock = str(tmp_path / "a" / ".lock")
    with file_lock.locked(lock):
        assert Run(run.workdir).is_at_work
    assert not Run(run.workdir).is_at_work
    # Without locks, it is at work while it writes.
    os.unlink(lock)
    assert Run(run.workdir).is_at_work
    os.utime(tmp_path / "a" / "metrics.jsonl", (1, 1))
    assert not Run(run.workdir).is_at_work


@pytest.mark.parametrize("reason", ["steps", "SIGINT"])
def test_run_tells_why_it_ended(tmp_path, reason):
    run = make_run(tmp_path, "a")
    assert run.ended is None
    text = provenance.make_text(RunConfig(), {"ended": reason})
    (tmp_path / "a" / "flags.cfg").write_text(text)
    again = Run(run.workdir)
    assert again.ended == reason
    with file_lock.locked(str(tmp_path / "a" / ".lock")):
        assert not again.is_at_work


def test_what_cannot_be_read_is_empty(tmp_path):
    (tmp_path / "a").mkdir()
    run = Run(str(tmp_path / "a"))
    assert (run.flags, run.metrics) == ({}, [])
    run = Run(run.workdir)
    (tmp_path / "a" / "metrics.jsonl").write_text('{"step": 1}\n[\n')
    (tmp_path / "a" / "flags.cfg").write_bytes(b"\xff--seed=no\n")
    assert (run.flags, run.metrics) == ({}, [])
    run = Run(run.workdir)
    (tmp_path / "a" / "flags.cfg").write_text("--seed=no\n")
    assert run.config is None
    assert runs.progress_of(run) == (0.0, None)


def make_chain(root, **starred):
    """Makes runs a, b and c, each begun from the one before, and d."""
    found = []
    for number, name in enumerate("abcd", start=1):
        run = make_run(root, name)
        before = f"--init={root / chr(ord(name) - 1) / 'output.png'}\n"
        text = before if name in "bc" else "--seed=1\n"
        (root / name / "asked.cfg").write_text(text)
        ended = {"ended": "steps" if name in "cd" else "SIGINT"}
        text = provenance.make_text(RunConfig(style_images=["a.jpg"]), ended)
        (root / name / "flags.cfg").write_text(text)
        os.utime(root / name / "metrics.jsonl", (number, number))
        if name in starred:
            notes.write(run.workdir, Notes(is_starred=True))
        found.append(run)
    return found


def test_moves_of_a_dial_are_folded_into_one_run(tmp_path):
    make_chain(tmp_path)
    groups = runs.fold(runs.list_runs(str(tmp_path)))
    names = [[run.name for run in group] for group in groups]
    assert names == [["d"], ["c", "b", "a"]]


def test_starred_run_is_not_folded(tmp_path):
    make_chain(tmp_path, b=True)
    groups = runs.fold(runs.list_runs(str(tmp_path)))
    names = [[run.name for run in group] for group in groups]
    assert names == [["d"], ["c"], ["b", "a"]]


@pytest.mark.parametrize("added", [[], ["--num_levels=1"]])
def test_what_a_moved_dial_added_is_not_chosen(tmp_path, added):
    (tmp_path / "a").mkdir()
    chosen = ["--num_levels=3", "--content_image=a.jpg", "--output_bits=16"]
    chosen = chosen[1:] if added else chosen
    asked = [*chosen, f"--init={tmp_path}/b/output.png", *added]
    (tmp_path / "a" / "asked.cfg").write_text("\n".join(asked))
    run = Run(str(tmp_path / "a"))
    assert run.arguments == asked
    assert run.chosen_arguments == chosen


def test_run_that_begins_elsewhere_continues_none(tmp_path):
    (tmp_path / "a").mkdir()
    for path in ("/a/output.png", f"{tmp_path}/inputs/b.png", "noise"):
        (tmp_path / "a" / "asked.cfg").write_text(f"--init={path}\n")
        assert Run(str(tmp_path / "a")).continues is None


def test_deleted_run_is_put_back(tmp_path):
    root = str(tmp_path)
    run = make_run(tmp_path, "a")
    path = runs.move_to_bin(run)
    assert runs.list_runs(root) == []
    make_run(tmp_path, "a")
    other = runs.move_to_bin(run)
    assert other != path
    runs.put_back(root, path)
    assert [run.name for run in runs.list_runs(root)] == ["a"]


def test_name_and_star_are_kept_in_the_workdir(tmp_path):
    run = make_run(tmp_path, "a")
    assert run.notes == Notes()
    notes.write(run.workdir, Notes("the sea", True))
    again = Run(run.workdir)
    assert again.notes == Notes("the sea", True)
    assert again.title == "the sea (a)"
    for text in ("", "[", "1", '{"title": null}'):
        (tmp_path / "a" / "studio.json").write_text(text)
        assert not notes.read(run.workdir).is_starred
