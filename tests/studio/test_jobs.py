"""The queue, and the process that paints."""

import json
import os
import signal
import time

import pytest

from tests import ROOT
from tests.clips import make_frame
from tests.clips import read_times
from tests.clips import write_clip
from tests.processes import PATIENCE
from tfstyle.experiment.workdir_files import ASKED
from tfstyle.experiment.workdir_files import JOB
from tfstyle.experiment.workdir_files import METRICS
from tfstyle.studio.jobs import Jobs
from tfstyle.studio.jobs import options_of_process
from tfstyle.studio.runs import Run

pytestmark = pytest.mark.slow
STYLE = f"--style_images={ROOT}/tfstyle/samples/strokes.jpg"
SMALL = [STYLE, "--weights=random", "--image_size=48", "--num_steps=2"]
LONG = [*SMALL[:2], "--image_size=256", "--num_steps=100000"]
NUM_FRAMES = 5


@pytest.fixture
def jobs(tmp_path):
    jobs = Jobs(str(tmp_path))
    yield jobs
    jobs.close()


def test_job_is_painted_in_its_workdir(jobs):
    job = jobs.submit(SMALL)
    assert jobs.unfinished() == [job]
    assert jobs.wait(job, PATIENCE)
    assert (job.state, job.error) == ("done", "")
    names = os.listdir(job.workdir)
    assert {"output.png", ASKED} <= set(names)
    assert JOB not in names
    assert jobs.unfinished() == []
    assert jobs.find(job.name) is job


def test_error_is_told_and_the_next_job_painted(jobs):
    first = jobs.submit([*SMALL[1:], "--style_images=none.jpg"])
    second = jobs.submit([*SMALL, "--deterministic"])  # another process
    assert first.workdir != second.workdir
    assert jobs.wait(second, PATIENCE)
    assert first.state == "failed"
    assert "'none.jpg' cannot be read" in first.error
    assert second.state == "done", second.error


def test_job_that_waits_is_taken_back(jobs):
    first, second = (jobs.submit(LONG) for _ in range(2))
    jobs.stop(second)
    assert second.state == "stopped"
    assert not os.path.exists(second.workdir)
    for _ in range(3):  # a second signal would end the process
        jobs.stop(first)
    assert jobs.wait(first, PATIENCE)
    assert first.state == "stopped"


def test_stop_keeps_the_picture_and_is_not_announced(jobs, capfd):
    job = jobs.submit(LONG)
    metrics = os.path.join(job.workdir, METRICS)
    while not (os.path.exists(metrics) or jobs.wait(job, 0.1)):
        pass
    jobs.stop(job)
    assert jobs.wait(job, PATIENCE)
    assert job.state == "stopped", job.error
    assert os.path.exists(os.path.join(job.workdir, "output.png"))
    assert "Ctrl-C" not in capfd.readouterr().err


def test_killed_process_fails_its_job_alone(jobs):
    first, second = jobs.submit(LONG), jobs.submit(SMALL)
    assert not jobs.wait(first, 0.5)
    jobs._worker.send_signal(signal.SIGKILL)
    assert jobs.wait(second, PATIENCE)
    assert first.state == "failed"
    assert "was killed, as the system does for lack of memory" in first.error
    assert not os.path.exists(os.path.join(first.workdir, JOB))
    assert second.state == "done"


def test_jobs_of_an_earlier_studio_are_painted(tmp_path):
    workdir = tmp_path / "2026-01-01-120000"
    workdir.mkdir()
    (workdir / JOB).write_text(json.dumps(SMALL))
    (workdir / ASKED).write_text("".join(f"{flag}\n" for flag in SMALL))
    others = {"a": "[", "b": '["--seed=1"]', "c": "1", "d": "[1]"}
    for name, text in others.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / JOB).write_text(text)
    jobs = Jobs(str(tmp_path))
    try:
        job = jobs.find(workdir.name)
        assert jobs.wait(job, PATIENCE)
    finally:
        jobs.close()
    assert job.state == "done"
    assert (workdir / "output.png").exists()
    for name, text in others.items():
        assert (tmp_path / name / JOB).read_text() == text


def test_order_of_the_queue_is_kept(tmp_path):
    jobs = Jobs(str(tmp_path))
    try:
        painting = jobs.submit(LONG)
        while painting.state == "waiting":
            time.sleep(0.01)
        first, second, third = (jobs.submit(SMALL) for _ in range(3))
        jobs.move(third, -2)
        last = jobs.submit(SMALL)
    finally:
        jobs.close()
    expected = [job.name for job in (third, first, second, last)]
    jobs = Jobs(str(tmp_path))
    try:
        assert [job.name for job in jobs.unfinished()] == expected
    finally:
        jobs.close()


def test_job_takes_the_place_of_another(jobs):
    painting = jobs.submit(LONG)
    waiting = [jobs.submit(SMALL) for _ in range(2)]
    while painting.state == "waiting":
        time.sleep(0.01)
    with jobs.holding():
        jobs.stop(painting)
        assert jobs.wait(painting, PATIENCE)
        time.sleep(0.2)
        assert {job.state for job in waiting} == {"waiting"}
        place = jobs.place_of(waiting[1])
        jobs.stop(waiting[1])
        last = jobs.submit(SMALL, place)
        first = jobs.submit(LONG, jobs.place_of(painting))
        assert jobs.unfinished() == [first, waiting[0], last]
    while first.state == "waiting":
        time.sleep(0.01)
    assert jobs.unfinished()[0] is first


def test_film_goes_on_when_the_studio_is_opened_again(tmp_path):
    clip = tmp_path / "harbour.mkv"
    write_clip(clip, [make_frame(n) for n in range(NUM_FRAMES)])
    root = tmp_path / "runs"
    film = [f"--content_video={clip}", "--frame_steps=2"]
    jobs = Jobs(str(root))
    try:
        job = jobs.submit([*SMALL, *film])
        while not Run(job.workdir).frames and not job.has_ended:
            time.sleep(0.01)
    finally:
        jobs.close()
    run = Run(job.workdir)
    assert run.film
    assert not run.is_whole
    assert os.path.exists(os.path.join(job.workdir, JOB))
    first = os.stat(run.frames[0]).st_mtime_ns
    jobs = Jobs(str(root))
    try:
        assert jobs.wait(jobs.find(job.name), PATIENCE)
    finally:
        jobs.close()
    run = Run(job.workdir)
    assert run.is_whole
    assert run.title == f"harbour in strokes ({run.name})"
    assert os.stat(run.frames[0]).st_mtime_ns == first
    assert len(read_times(run.film)) == NUM_FRAMES


def test_options_of_the_process_are_told_apart():
    found = options_of_process(["--weights=random", "--seed=1", "--tf32=false"])
    assert found == ["--weights=random", "--tf32=false"]
