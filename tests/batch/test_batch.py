"""Many pictures by one command: what is done, skipped, failed and gone on."""

import csv
import json
import os
import re
import shutil
import signal
import time

import filelock
import pytest

from tests.clips import make_frame
from tests.clips import read_times
from tests.clips import write_clip
from tests.processes import finish
from tests.processes import start
from tfstyle.batch.job_painter import workdir_of
from tfstyle.config.run_config import RunConfig
from tfstyle.experiment.workdir_files import LOCK
from tfstyle.image_files.reading import read_text

SCENE, STROKES = "tfstyle/samples/scene.jpg", "tfstyle/samples/strokes.jpg"
SMALL = ["--weights=random", "--image_size=32", "--num_steps=2"]
LONG = [*SMALL, "--image_size=48", "--num_steps=24"]
LONG += ["--checkpoint_every_seconds=0.01", "--log_every_steps=1"]
NUM_LONG = 4
DONE = r"\[\d+/\d+\] \S+: \d+ steps, \d+\.\d s, loss [\d.e+]+(; about .* left)?"


def write_csv(path, rows):
    """Writes dicts as lines; what a row lacks is an empty cell."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, names, restval="")
        writer.writeheader()
        writer.writerows(rows)
    return path


def make_row(folder, name, **others):
    """Returns a line whose output is in a folder's `out`."""
    output = str(folder / "out" / name)
    images = {"content_image": SCENE, "style_images": STROKES}
    return {**images, "output_image": output, **others}


def begin(folder, *flags, name="jobs.csv", **options):
    """Starts a batch of a folder's manifest."""
    return start(
        f"--manifest={folder / name}",
        f"--workdir={folder / 'run'}",
        *flags,
        **options,
    )


def run(folder, *flags, **options):
    """Runs a batch; returns exit status and stderr's lines."""
    status, stderr = finish(begin(folder, *flags, **options))
    assert "Traceback" not in stderr, stderr
    return status, stderr.splitlines()


def written(folder):
    """Returns the outputs by name: when they were written and what they are."""
    return {
        path.name: (path.stat().st_mtime_ns, path.read_bytes())
        for path in sorted((folder / "out").iterdir())
    }


def bytes_of(folder):
    return {name: data for name, (_, data) in written(folder).items()}


def wait_for(is_there, process):
    while not is_there():
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.005)


def test_tasks_of_an_array_with_a_list_each_paint_all_of_it(tmp_path):
    rows = [make_row(tmp_path, f"{number}.png") for number in range(3)]
    write_csv(tmp_path / "jobs.csv", rows)
    variables = dict.fromkeys(("ID", "MIN"), "1") | {"STEP": "1"}
    variables |= dict.fromkeys(("MAX", "COUNT"), "3")
    prefix = "SLURM_ARRAY_TASK_"
    task = {f"{prefix}{name}": value for name, value in variables.items()}
    status, lines = run(tmp_path, *SMALL, env=os.environ | task)
    assert status == 0
    assert lines[-1].startswith("3 done")
    assert len(os.listdir(tmp_path / "out")) == 3


@pytest.mark.slow
def test_array_without_a_count_is_told_how_to_divide_its_lines(tmp_path):
    rows = [make_row(tmp_path, "a.png", content_image="none.jpg")]
    write_csv(tmp_path / "jobs.csv", rows)
    task = os.environ | {"PBS_ARRAY_INDEX": "2"}
    _, lines = run(tmp_path, env=task)
    assert lines[1].startswith("warning: PBS_ARRAY_INDEX says that")
    assert lines[-2] == "0 done, 1 failed"
    _, lines = run(tmp_path, "--shard=auto/3", env=task)
    part = "0 of them belong to this process, 3 of 3 by PBS_ARRAY_INDEX"
    assert lines[1] == part
    assert lines[-2] == "0 done, 1 failed"  # the absent first task's
    status, lines = run(tmp_path, "--shard=auto/2", env=task)
    assert status == 1
    assert lines[-1].endswith(
        "needs an array with the indices 0 to 1. Received: shard='auto/2',"
        " PBS_ARRAY_INDEX=2. Change how it is submitted, or give"
        " --shard=NUMBER/2."
    )


@pytest.mark.slow
def test_output_that_another_line_reads_is_refused(tmp_path):
    (tmp_path / "out" / "styles").mkdir(parents=True)
    for name in ("a.png", "b.png", "styles/c.png", "d.gif"):
        shutil.copy(SCENE, tmp_path / "out" / name)

    def path_of(name):
        return str(tmp_path / "out" / name)

    rows = [
        make_row(tmp_path, "styles/c.png", content_image=path_of("a.png")),
        make_row(tmp_path, "d.png", style_images=path_of("styles")),
        make_row(tmp_path, "e.png", content_image=path_of("d.gif")),
        make_row(tmp_path, "f.png", film=path_of("d.gif")),
        make_row(tmp_path, "b.png", content_image=path_of("a.png")),
        make_row(tmp_path, "a.png", content_image=path_of("b.png")),
    ]
    write_csv(tmp_path / "jobs.csv", rows)
    before = (tmp_path / "out" / "b.png").read_bytes()
    status, lines = run(tmp_path, *SMALL, "--overwrite")
    assert status == 1
    assert sum("is an input of the manifest" in x for x in lines) == 8
    assert (tmp_path / "out" / "b.png").read_bytes() == before


# Twenty jobs, three of them broken.

FOREIGN = b"no picture of ours"


@pytest.fixture(scope="module")
def twenty(tmp_path_factory):
    """Returns folder, rows and stderr of a batch, three of whose jobs fail."""
    folder = tmp_path_factory.mktemp("twenty")
    (folder / "out").mkdir()
    rows = [
        make_row(folder, f"{i:02}.png", seed="", num_steps=1 + i % 3)
        for i in range(20)
    ]
    rows[1] |= {"preserve_colors": "match", "init": "content"}
    rows[4]["content_image"] = "none.jpg"
    rows[6]["style_images"] = f'"{STROKES}","{SCENE}"'
    rows[9]["num_steps"] = "many"
    rows[17]["output_image"] = str(folder / "out" / "foreign.png")
    (folder / "out" / "foreign.png").write_bytes(FOREIGN)
    write_csv(folder / "jobs.csv", rows)
    status, lines = run(folder, *SMALL)
    assert status == 1, lines
    return folder, rows, lines


@pytest.mark.slow
def test_broken_jobs_are_told_and_the_others_done(twenty):
    folder, _, lines = twenty
    names = {f"{number:02}.png" for number in range(20)}
    names -= {"04.png", "09.png", "17.png"}
    assert set(written(folder)) == names | {"foreign.png"}
    assert (folder / "out" / "foreign.png").read_bytes() == FOREIGN
    assert lines[0] == f"20 pictures of {folder}/jobs.csv, workdir {folder}/run"
    assert re.fullmatch(r"TensorFlow [\d.]+ on .*", lines[1])
    done = [line for line in lines if re.fullmatch(DONE, line)]
    failed = [line for line in lines if ": failed: " in line]
    assert (len(done), len(failed)) == (17, 3)
    assert lines[-4] == "17 done, 3 failed"
    patterns = (
        r"line 6, .*/04\.png: Image 'none\.jpg' cannot be read .*",
        r"line 11, .*/09\.png: `num_steps` must be .*='many'\.",
        r"line 19, .*/foreign\.png: .* was not created by this run\. .*",
    )
    for line, pattern in zip(lines[-3:], patterns, strict=True):
        assert re.fullmatch(rf"{folder}/jobs\.csv {pattern}", line), line
    assert len(lines) == 2 + 20 + 1 + 3
    jobs = sorted((folder / "run" / "jobs").iterdir())
    assert len(jobs) == 17
    for job in jobs:
        assert re.fullmatch(r"\d\d-[0-9a-f]{8}", job.name)
        assert {path.name for path in job.iterdir()} == {
            *(".lock", "events", "flags.cfg", "metrics.jsonl")
        }


@pytest.mark.slow
def test_pictures_are_those_of_single_runs(twenty):
    folder, rows, _ = twenty
    processes = {}
    for number in (1, 6):
        row = rows[number] | {"output_image": folder / f"{number:02}.png"}
        flags = [f"--{name}={value}" for name, value in row.items() if value]
        flags.append(f"--workdir={folder / f'single{number}'}")
        processes[number] = start(*SMALL, *flags)
    for number, process in processes.items():
        status, stderr = finish(process)
        assert status == 0, stderr
        single = (folder / f"{number:02}.png").read_bytes()
        assert (folder / "out" / f"{number:02}.png").read_bytes() == single


@pytest.mark.slow
def test_second_run_only_tries_what_failed(twenty):
    folder, _, _ = twenty
    before = written(folder)
    status, lines = run(folder, *SMALL)
    assert (status, written(folder)) == (1, before)
    assert len(lines) == 1 + 3 + 1 + 3  # TensorFlow is not even loaded
    assert lines[-4] == "0 done, 17 finished before, 3 failed"


@pytest.mark.slow
def test_changed_job_and_mended_one_are_done(twenty):
    folder, rows, _ = twenty
    before = written(folder)
    rows = [dict(row) for row in rows]
    rows[4]["content_image"] = SCENE
    rows[9] |= {"num_steps": "", "report": "true"}
    rows[12]["content_weight"] = "0.5"
    rows[17]["overwrite"] = "true"
    write_csv(folder / "mended.csv", rows)
    status, lines = run(folder, *SMALL, name="mended.csv")
    assert status == 0, lines
    assert lines[-1] == "4 done, 16 finished before"
    after = written(folder)
    changed = {n for n in after if after[n] != before.get(n)}
    assert changed == {"04.png", "09.png", "12.png", "foreign.png"}
    text = read_text(str(folder / "out" / "12.png"))
    assert "--content_weight=0.5\n" in text
    (kept,) = (folder / "run" / "jobs").glob("12-*.1")
    assert "--content_weight=0.06\n" in (kept / "flags.cfg").read_text()


@pytest.mark.soak
def test_each_line_has_its_own_film(tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    rows = [
        make_row(tmp_path, f"{name}.png", content_image="", film=out / film)
        for name, film in (("a", "a.gif"), ("b", "b.webp"), ("c", "c.avi"))
    ]
    write_csv(tmp_path / "jobs.csv", rows)
    status, lines = run(tmp_path, *SMALL)
    assert status == 1
    assert "line 4" in lines[-1]
    assert "`film` must end in one of .mp4, .gif, .webp" in lines[-1]
    made = written(tmp_path)
    assert list(made) == ["a.gif", "a.png", "b.png", "b.webp"]
    assert not list(tmp_path.glob("run/jobs/*/images"))
    (out / "a.gif").unlink()
    status, lines = run(tmp_path, *SMALL)
    assert lines[-2] == "1 done, 1 finished before, 1 failed"
    assert bytes_of(tmp_path) == {
        name: data for name, (_, data) in made.items()
    }


# Long jobs, stopped and killed.


@pytest.mark.slow
def test_films_are_lines_beside_pictures(tmp_path):
    write_clip(tmp_path / "clip.mkv", [make_frame(n) for n in range(3)])
    film = {
        "content_video": str(tmp_path / "clip.mkv"),
        "style_images": STROKES,
        "output_video": str(tmp_path / "out" / "film.mp4"),
        "frame_steps": 1,
    }
    write_csv(tmp_path / "jobs.csv", [film, make_row(tmp_path, "a.png")])
    status, lines = run(tmp_path, *SMALL)
    assert status == 0, lines
    assert re.fullmatch(r"\[1/2\] \S+: 3 of 3 frames, \d+\.\d s.*", lines[-3])
    assert re.fullmatch(DONE, lines[-2])
    assert len(read_times(tmp_path / "out" / "film.mp4")) == 3
    before = written(tmp_path)["a.png"]
    status, lines = run(tmp_path, *SMALL)
    assert (status, lines[-1]) == (0, "0 done, 2 finished before")
    assert written(tmp_path)["a.png"] == before
    # Another style: it is painted anew.
    film["style_images"] = SCENE
    write_csv(tmp_path / "jobs.csv", [film, make_row(tmp_path, "a.png")])
    status, lines = run(tmp_path, *SMALL)
    assert (status, lines[-1]) == (0, "1 done, 1 finished before")


def make_long(folder):
    (folder / "out").mkdir()
    inits = ("noise", "content", "gray", "noise")
    lines = [
        make_row(folder, f"{i}.png", style_images=[STROKES], init=init)
        for i, init in enumerate(inits)
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (folder / "jobs.jsonl").write_text(text)
    return folder


@pytest.fixture(scope="module")
def straight(tmp_path_factory):
    """Returns the outputs of a batch that was left alone."""
    folder = make_long(tmp_path_factory.mktemp("straight"))
    status, lines = run(folder, *LONG, name="jobs.jsonl")
    assert status == 0, lines
    return bytes_of(folder)


def steps_of(folder, number):
    """Returns the steps that a job of a batch has made."""
    jobs = folder / "run" / "jobs"
    texts = [x.read_text() for x in jobs.glob(f"{number}-*/metrics.jsonl")]
    lines = "".join(texts).split("\n")[:-1]  # whole ones
    return [json.loads(line)["step"] for line in lines]


def wait_for_step(process, folder, number, step):
    """Waits until a job of a batch has made a step."""
    wait_for(lambda: step in steps_of(folder, number), process)


@pytest.mark.slow
def test_killed_batch_goes_on_and_does_nothing_twice(straight, tmp_path):
    folder = make_long(tmp_path)
    process = begin(folder, *LONG, name="jobs.jsonl")
    wait_for_step(process, folder, 1, 6)
    process.kill()
    process.communicate()
    before = written(folder)
    assert list(before) == ["0.png"]
    status, lines = run(folder, *LONG, name="jobs.jsonl")
    assert status == 0, lines
    assert lines[-1] == "3 done, 1 finished before"
    assert bytes_of(folder) == straight
    assert written(folder)["0.png"] == before["0.png"]
    assert steps_of(folder, 1) == list(range(25))


@pytest.mark.slow
def test_stopped_batch_leaves_a_picture_and_goes_on(straight, tmp_path):
    folder = make_long(tmp_path)
    process = begin(folder, *LONG, name="jobs.jsonl")
    wait_for_step(process, folder, 1, 6)
    process.send_signal(signal.SIGTERM)
    ended, stderr = finish(process)
    lines = stderr.splitlines()
    assert ended == 143, stderr
    assert re.fullmatch(
        r"\[2/4\] \S+/1\.png: stopped after \d+ steps \(SIG\w+\)", lines[-2]
    )
    assert lines[-1] == "1 done, 3 left"
    assert list(written(folder)) == ["0.png", "1.png"]
    ended, lines = run(folder, *LONG, name="jobs.jsonl")
    assert ended == 0, lines
    assert lines[-1] == "3 done, 1 finished before"
    assert bytes_of(folder) == straight


@pytest.mark.slow
def test_stop_before_the_first_step_begins_no_job(tmp_path):
    folder = make_long(tmp_path)
    process = begin(folder, *LONG, name="jobs.jsonl")
    assert "4 pictures of" in process.stderr.readline()
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    status, stderr = finish(process)
    assert (status, written(folder)) == (130, {}), stderr
    assert stderr.splitlines()[-1] == "0 done, 4 left"


def begin_worker(folder, index):
    """Starts one of two workers on a folder of long jobs."""
    task = {"type": "worker", "index": index}
    workers = ["localhost:1", "localhost:2"]
    setting = {"cluster": {"worker": workers}, "task": task}
    environment = os.environ | {"TF_CONFIG": json.dumps(setting)}
    return begin(folder, *LONG, name="jobs.jsonl", env=environment)


def numbers_done(stderr):
    """Returns the pictures that a worker painted, in order."""
    return re.findall(r"^\[.*\] \S+/(\d)\.png: \d+ steps", stderr, re.M)


@pytest.mark.slow
def test_jobs_of_a_dead_worker_are_done_by_another(straight, tmp_path):
    folder = make_long(tmp_path)
    first, second = begin_worker(folder, 0), begin_worker(folder, 1)
    wait_for_step(second, folder, 1, 6)
    second.kill()
    second.communicate()
    status, stderr = finish(first)
    assert status == 0, stderr
    assert "2 of them belong to this process, 1 of 2 by TF_CONFIG\n" in stderr
    assert numbers_done(stderr) == ["0", "2", "3", "1"]
    assert stderr.endswith("\n2 done, 2 done for other processes\n")
    assert bytes_of(folder) == straight
    assert len(list((folder / "run" / "jobs").iterdir())) == NUM_LONG
    assert steps_of(folder, 1) == list(range(25))  # continued, not anew


@pytest.mark.soak
def test_slow_worker_leaves_nobody_idle_and_no_picture_is_made_twice(
    straight, tmp_path
):
    folder = make_long(tmp_path)
    first, second = begin_worker(folder, 0), begin_worker(folder, 1)
    wait_for_step(second, folder, 1, 3)
    second.send_signal(signal.SIGSTOP)
    try:
        status, stderr = finish(first)
    finally:
        second.send_signal(signal.SIGCONT)
    assert status == 0, stderr
    assert numbers_done(stderr) == ["0", "2", "3"]
    before = written(folder)
    status, stderr = finish(second)
    assert status == 0, stderr
    assert numbers_done(stderr) == ["1"]
    assert stderr.endswith("\n1 done, 1 finished before\n")
    assert bytes_of(folder) == straight
    assert before.items() <= written(folder).items()
    assert len(list((folder / "run" / "jobs").iterdir())) == NUM_LONG


@pytest.mark.soak
def test_redone_picture_survives_a_kill_on_its_way(twenty):
    """The old run is kept, so what it made may still be replaced later."""
    folder, rows, _ = twenty
    row = rows[0] | {"content_weight": "0.25", "num_steps": "100000"}
    write_csv(folder / "redo.csv", [row])
    old = (folder / "out" / "00.png").read_bytes()
    process = begin(folder, *SMALL, name="redo.csv")
    (first,) = (folder / "run" / "jobs").glob("00-????????")
    wait_for((folder / f"{first}.1").exists, process)
    wait_for((first / "metrics.jsonl").exists, process)
    process.kill()
    process.communicate()
    assert (folder / "out" / "00.png").read_bytes() == old
    write_csv(folder / "redo.csv", [row | {"num_steps": "2"}])
    status, lines = run(folder, *SMALL, name="redo.csv")
    assert status == 0, lines
    text = read_text(str(folder / "out" / "00.png"))
    assert "--content_weight=0.25\n--style_weight" in text


# What ends a batch, and what is only one job's.


@pytest.mark.slow
def test_missing_weights_end_the_batch(tmp_path):
    folder = make_long(tmp_path)
    status, lines = run(folder, "--weights=none.h5", name="jobs.jsonl")
    assert status == 1
    assert len(lines) == 3, lines
    assert lines[-1].startswith("error: Weight file 'none.h5' does not exist")


def test_workdir_of_an_output_is_the_same_for_every_name_of_it():
    path = workdir_of("w", "out/a.png")
    assert re.fullmatch(r"w/jobs/a-[0-9a-f]{8}", path)
    assert workdir_of("w", "./out/../out/a.png") == path
    assert workdir_of("w", os.path.abspath("out/a.png")) == path
    assert workdir_of("w", "other/a.png") != path
    long = workdir_of("w", "é" * 300 + ".png")
    assert len(os.path.basename(long).encode()) < 200
    RunConfig(workdir=long)


@pytest.mark.slow
def test_shard_is_a_part_and_lines_of_others_are_left_to_them(
    straight, tmp_path
):
    folder = make_long(tmp_path)
    flags = (*LONG, "--shard=1/2")
    held = workdir_of(folder / "run", str(folder / "out" / "0.png"))
    os.makedirs(held)
    with filelock.FileLock(os.path.join(held, LOCK)):
        status, lines = run(folder, *flags, name="jobs.jsonl")
    assert status == 0, lines
    assert "2 of them belong to this process, 1 of 2 by --shard" in lines
    places = [
        line for line in lines if "another process is painting it" in line
    ]
    assert [place.split()[0] for place in places] == ["[1/2]", "[1/2]"]
    assert lines[-1] == (
        "1 done, 1 left to other processes, 2 of other processes"
    )
    assert bytes_of(folder) == {"2.png": straight["2.png"]}
