"""Disks that are full, read-only or gone, under real processes."""

import json
import os
import pathlib
import re
import resource
import shutil
import subprocess
import time

import pytest
from PIL import Image

from tests import ROOT
from tests.processes import end_python
from tests.processes import finish
from tests.processes import start
from tests.processes import start_python
from tfstyle.experiment.checkpoint import read_checkpoint

pytestmark = pytest.mark.slow

RUN = ["--flagfile=configs/smoke.cfg", "--image_size=48", "--num_steps=120"]
RUN += ["--checkpoint_every_seconds=0.001"]
LIMITED = """
from tests.training.test_callbacks import make_record
from tfstyle.reports.metric_writers import JsonLinesWriter
writer = JsonLinesWriter("metrics.jsonl")
for step in range(100):
    writer(make_record(step))
"""


@pytest.fixture
def disk(tmp_path):
    """Returns a small disk of its own, as a folder."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"a disk of memory cannot be mounted: {done.stderr}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture(scope="module")
def left_alone(tmp_path_factory):
    """Returns the bytes of the picture of a run that was left alone."""
    workdir = tmp_path_factory.mktemp("left")
    status, stderr = finish(start(*RUN, f"--workdir={workdir}"))
    assert status == 0, stderr
    return (workdir / "output.png").read_bytes()


def fill(disk):
    """Fills a disk to its last byte."""
    with (
        open("/dev/zero", "rb") as zeros,
        open(disk / "fill", "wb", buffering=0) as file,
        pytest.raises(OSError, match="No space"),
    ):
        shutil.copyfileobj(zeros, file)


def wait_for_second_checkpoint(workdir, process):
    while len(list(workdir.glob("checkpoints/step_*.npz"))) < 2:
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)


def error_of(stderr):
    """Returns the one line of error; nothing else went wrong."""
    assert "Traceback" not in stderr
    assert "Exception ignored" not in stderr
    (line,) = [x for x in stderr.splitlines() if x.startswith("error: ")]
    assert stderr.endswith(line + "\n")
    return line


@pytest.mark.parametrize(
    "log_every_steps", [1, pytest.param(1000, marks=pytest.mark.soak)]
)
def test_run_on_a_full_disk_goes_on_once_there_is_room(
    disk, left_alone, log_every_steps
):
    log = f"--log_every_steps={log_every_steps}"
    process = start(*RUN, log, f"--workdir={disk / 'run'}")
    wait_for_second_checkpoint(disk / "run", process)
    fill(disk)
    status, stderr = finish(process)
    assert status == 1
    assert re.fullmatch(
        r"error: .*No space left on device.*\. The checkpoint"
        r" '.*/step_\d+_\w+\.npz' is intact: the same command"
        r" continues from there; .*",
        error_of(stderr),
    )
    for line in (disk / "run" / "metrics.jsonl").read_text().splitlines():
        json.loads(line)
    assert not (disk / "run" / "output.png").exists()
    (disk / "fill").unlink()
    status, stderr = finish(start(*RUN, log, f"--workdir={disk / 'run'}"))
    assert status == 0, stderr
    assert re.search(r"^Resumed at step [1-9]\d*$", stderr, re.M)
    assert (disk / "run" / "output.png").read_bytes() == left_alone


@pytest.mark.soak
def test_output_stays_when_the_disk_is_full_at_the_end(disk):
    flags = [*RUN, f"--workdir={disk / 'run'}", "--checkpoint_every_seconds=0"]
    assert finish(start(*flags, "--num_steps=1"))[0] == 0
    before = (disk / "run" / "output.png").read_bytes()
    process = start(*flags, "--log_every_steps=1000")
    metrics = disk / "run" / "metrics.jsonl"
    while len(metrics.read_text().splitlines()) != 1:
        time.sleep(0.01)
    fill(disk)
    status, stderr = finish(process)
    assert status == 1
    assert "No space left on device" in error_of(stderr)
    assert (disk / "run" / "output.png").read_bytes() == before


def limit_files(size):
    """Returns a function that limits a process' files to a size, bytes."""
    limit = resource.RLIMIT_FSIZE, (size, size)
    return lambda: resource.setrlimit(*limit)


def test_file_of_limited_size_is_an_error_of_one_line(tmp_path):
    limit = limit_files(200_000)
    process = start(*RUN, f"--workdir={tmp_path}", preexec_fn=limit)
    status, stderr = finish(process)
    assert status == 1
    assert re.search(
        r"File too large: '.*/step_0000\d\d_\w+\.npz'\. The checkpoint"
        r" '.*/step_0000\d\d_\w+\.npz' is intact",
        error_of(stderr),
    )
    for path in (tmp_path / "checkpoints").iterdir():
        assert read_checkpoint(str(path)).state.numbers["evaluations"]


def test_metrics_hold_whole_lines_where_the_disk_ends(tmp_path):
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    process = start_python(
        LIMITED, cwd=tmp_path, env=environment, preexec_fn=limit_files(1000)
    )
    _, _, stderr = end_python(process)
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    steps = [json.loads(line)["step"] for line in lines]
    assert steps == list(range(len(steps)))
    assert 0 < len(steps) < 100
    assert re.search(r"WriteError: \[Errno .*'metrics.jsonl'", stderr)


@pytest.mark.parametrize(
    "log_every_steps", [1, pytest.param(100000, marks=pytest.mark.soak)]
)
def test_workdir_that_vanishes_ends_the_run(tmp_path, log_every_steps):
    workdir = tmp_path / "run"
    process = start(
        *RUN,
        *(f"--workdir={workdir}", "--num_steps=100000"),
        f"--log_every_steps={log_every_steps}",
    )
    wait_for_second_checkpoint(workdir, process)
    shutil.rmtree(workdir)
    status, stderr = finish(process)
    assert status == 1
    assert re.search(
        rf"No such file or directory: '{workdir}/\w+", error_of(stderr)
    )
    assert not workdir.exists()


def test_read_only_disk_is_told_before_the_work(disk):
    (disk / "run").mkdir()
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    status, stderr = finish(start(*RUN, f"--workdir={disk / 'run'}"))
    assert status == 1
    expected = f"error: The folder '{disk / 'run'}' is not writable.\n"
    assert stderr == expected


@pytest.mark.soak
def test_picture_whose_folder_turned_into_a_file_is_saved_elsewhere(tmp_path):
    """It was still a folder when the run began."""
    out, workdir = tmp_path / "out", tmp_path / "workdir"
    process = start(*RUN, f"--output_image={out}/a.png", f"--workdir={workdir}")
    wait_for_second_checkpoint(workdir, process)
    out.write_text("")
    status, stderr = finish(process)
    assert status == 1
    (other,) = re.findall(r"It was saved as '(.*?)' instead", stderr)
    assert os.path.dirname(other) == str(workdir)
    with Image.open(other) as picture:
        assert picture.size == (48, 36)
    out.unlink()
    process = start(*RUN, f"--output_image={out}/a.png", f"--workdir={workdir}")
    status, stderr = finish(process)
    assert status == 0, stderr
    assert (out / "a.png").read_bytes() == pathlib.Path(other).read_bytes()
