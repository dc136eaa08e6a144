"""Batches on Ray: two nodes on this machine, of which workers and one die."""

import json
import os
import re
import secrets
import signal
import subprocess
import time

import psutil
import pytest
import ray

import tfstyle
from tests.batch.test_batch import SMALL
from tests.batch.test_batch import begin
from tests.batch.test_batch import bytes_of
from tests.batch.test_batch import make_row
from tests.batch.test_batch import run
from tests.batch.test_batch import write_csv
from tests.batch.test_batch import written
from tests.processes import start
from tests.refusals import refuses
from tfstyle.batch import ray_engine
from tfstyle.batch.ray_engine import Needs
from tfstyle.batch.ray_worker import find_problem
from tfstyle.config.run_config import RunConfig

FLAGS = [*SMALL, "--image_size=48", "--intra_op_threads=1"]
FLAGS += ["--content_layers=conv2_1", "--style_layers=conv1_1,conv2_1"]
FLAGS += ["--checkpoint_every_seconds=0.01", "--log_every_steps=1"]
ON_RAY = [*FLAGS, "--engine=ray"]
NUM_LINES = 20
CONTENTS = [f"tfstyle/samples/{x}.jpg" for x in ("scene", "strokes", "mosaic")]
BAD = 7
"""Number of the line whose content image is missing."""
READY = r"(?m)^\S+, process (\d+): ready$"
DONE = r"(?m)^\[\d+/\d+\] \S+/(\w+)\.png: \d+ steps, \d"

TRY = r"line \d+, \S+: its .*; try \d of 5"

MOST_SECONDS = 400
"""Patience with workers, as Ray gives them a low priority."""
MANIFEST = {"manifest": "a.csv", "engine": "ray"}


@pytest.mark.parametrize(
    ("fields", "nodes", "expected"),
    [
        ({}, [], (2, 0)),
        ({}, [{"CPU": 8.0}], (2, 0)),
        ({}, [{"CPU": 1.0}, {"memory": 1e9}], (1, 0)),
        ({}, [{"CPU": 8.0}, {"CPU": 8.0, "GPU": 1.0}], (1, 1)),
        ({"num_gpus": 0.25}, [], (1, 0.25)),
        ({"num_gpus": 0}, [{"CPU": 8.0, "GPU": 1.0}], (2, 0)),
        ({"intra_op_threads": 6}, [{"CPU": 2.0, "GPU": 2.0}], (6, 1)),
    ],
)
def test_needs_are_those_of_the_options_or_suit_the_nodes(
    fields, nodes, expected
):
    assert Needs.choose(RunConfig(**MANIFEST, **fields), nodes) == expected


@pytest.mark.parametrize(
    ("needs", "node", "expected"),
    [
        ((2, 0), {"CPU": 5.0}, 2),
        ((1, 1), {"CPU": 5.0, "GPU": 2.0}, 2),
        ((1, 0.1), {"CPU": 64.0, "GPU": 2.0}, 20),
        ((1, 2), {"CPU": 64.0, "GPU": 3.0}, 1),
        ((1, 1), {"CPU": 64.0}, 0),
        ((1, 0), {"memory": 1e9}, 0),
    ],
)
def test_nodes_have_room_for_a_number_of_workers(needs, node, expected):
    assert Needs(*needs).count_in(node) == expected


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"engine": "ray"}, "engine"),
        ({**MANIFEST, "shard": "1/2"}, "shard"),
        ({"manifest": "a.csv", "num_gpus": 1}, "num_gpus"),
        ({**MANIFEST, "num_gpus": 1.5}, "num_gpus"),
        ({**MANIFEST, "num_gpus": -1}, "num_gpus"),
        ({**MANIFEST, "engine": "dask"}, "engine"),
    ],
)
def test_options_of_ray_are_checked(fields, name):
    with refuses(name):
        RunConfig(**fields)


def test_node_without_the_driver_s_disk_or_version_has_a_problem(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    version = tfstyle.__version__
    with ray_engine._marking("run") as marker:
        assert find_problem(version, str(tmp_path), marker) == ""
        assert "shar" in find_problem(version, "/none", "/none/marker")
        assert find_problem("0.0", str(tmp_path), marker).startswith("it has")
    assert os.listdir(tmp_path / "run") == []
    with ray_engine._marking("s3://bucket/run") as marker:
        assert find_problem(version, "/none", marker) == ""


# A cluster of two nodes.


@pytest.fixture(scope="module")
def cluster():
    """Yields a cluster of two nodes, as the process that has it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_AUTH_MODE", "token")
        patch.setenv("RAY_AUTH_TOKEN", secrets.token_hex(16))
        process = start(
            program=("-m", "tests.batch.ray_cluster"),
            stdin=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        with process:
            address = process.stdout.readline().strip()
            assert address
            patch.setenv("RAY_ADDRESS", address)
            yield process


def kill_node(cluster):
    """Kills a node; another follows."""
    cluster.stdin.write("\n")
    cluster.stdin.flush()
    assert cluster.stdout.readline() == "killed\n"


def num_steps_of(number):
    """Returns the steps of a line; with its content it is one of its own."""
    return 20 + number // len(CONTENTS)


def make_lines(folder, number=NUM_LINES, bad=BAD):
    """Writes a manifest; returns the folder."""
    (folder / "out").mkdir()
    rows = [
        make_row(
            folder,
            f"{i:02}.png",
            content_image=CONTENTS[i % len(CONTENTS)],
            num_steps=num_steps_of(i),
        )
        for i in range(number)
    ]
    if bad is not None:
        rows[bad]["content_image"] = "none.jpg"
    write_csv(folder / "jobs.csv", rows)
    return folder


@pytest.fixture(scope="module")
def straight(tmp_path_factory):
    """Returns the pictures of a batch without Ray."""
    folder = make_lines(tmp_path_factory.mktemp("straight"))
    status, lines = run(folder, *FLAGS)
    assert status == 1, lines
    return bytes_of(folder)


def check_once(folder, names):
    """Checks that each picture was painted once, from step 0 to its last."""
    folders = list((folder / "run" / "jobs").iterdir())
    assert sorted(path.name[:2] for path in folders) == names
    for path in folders:
        lines = (path / "metrics.jsonl").read_text().splitlines()
        num_steps = num_steps_of(int(path.name[:2]))
        steps = [json.loads(line)["step"] for line in lines]
        assert steps == list(range(num_steps + 1)), path


class Driver:
    """A batch on Ray whose log is read while it runs."""

    def __init__(self, folder, *flags):
        self._path = folder / "log"
        with self._path.open("w") as file:
            self.process = begin(folder, *ON_RAY, *flags, stderr=file)

    @property
    def log(self):
        return self._path.read_text()

    def wait_for(self, pattern, number=1):
        """Waits until a pattern is in the log so many times; returns them."""
        deadline = time.monotonic() + MOST_SECONDS
        while len(found := re.findall(pattern, self.log)) < number:
            assert self.process.poll() is None, self.log
            assert time.monotonic() < deadline, self.log
            time.sleep(0.05)
        return found

    def finish(self):
        try:
            status = self.process.wait(MOST_SECONDS)
        finally:
            self.process.kill()
            self.process.communicate()
        assert "Traceback" not in self.log, self.log
        return status, self.log.splitlines()


@pytest.mark.slow
def test_two_workers_paint_all_lines_once_and_the_same_bytes(
    cluster, straight, tmp_path
):
    driver = Driver(make_lines(tmp_path))
    status, lines = driver.finish()
    assert status == 1, lines
    assert len(re.findall(READY, driver.log)) == 2  # TensorFlow starts twice
    assert lines[-2] == "19 done, 1 failed"
    assert re.fullmatch(
        r".*/jobs\.csv line 9, .*/07\.png: Image 'none\.jpg' cannot be .*",
        lines[-1],
    )
    assert bytes_of(tmp_path) == straight
    check_once(tmp_path, [name[:2] for name in straight])
    assert len(re.findall(DONE, driver.log)) == 19


@pytest.mark.slow
def test_dead_worker_and_dead_node_cost_their_lines_a_new_try(
    cluster, straight, tmp_path
):
    driver = Driver(make_lines(tmp_path))
    driver.wait_for(READY, 2)
    done = driver.wait_for(DONE, 2)
    finished = {name: written(tmp_path)[f"{name}.png"] for name in done}
    kill_node(cluster)
    driver.wait_for(TRY)
    alive = [
        pid for pid in driver.wait_for(READY) if psutil.pid_exists(int(pid))
    ]
    psutil.Process(int(alive[0])).kill()
    driver.wait_for(TRY, 2)
    status, lines = driver.finish()
    assert status == 1, lines
    assert "19 done, 1 failed" in lines
    assert bytes_of(tmp_path) == straight
    check_once(tmp_path, [name[:2] for name in straight])
    after = written(tmp_path)
    assert {name: after[f"{name}.png"] for name in done} == finished


@pytest.mark.slow
def test_stopped_batch_is_continued_by_the_next(cluster, straight, tmp_path):
    driver = Driver(make_lines(tmp_path, 6, bad=None))
    driver.wait_for(DONE)
    driver.process.send_signal(signal.SIGINT)
    status, lines = driver.finish()
    assert status == 130, lines
    assert re.fullmatch(r"[1-5] done, [1-5] left", lines[-1])
    before = {
        name: written(tmp_path)[f"{name}.png"]
        for name in re.findall(DONE, driver.log)
    }
    assert not list((tmp_path / "run").glob(".ray-*"))
    driver = Driver(tmp_path)
    status, lines = driver.finish()
    assert status == 0, lines
    number = len(before)
    assert lines[-1] == f"{6 - number} done, {number} finished before"
    after = written(tmp_path)
    assert {name: after[f"{name}.png"] for name in before} == before
    assert bytes_of(tmp_path) == {
        name: straight[name] for name in list(straight)[:6]
    }
    check_once(tmp_path, [name[:2] for name in after])


@pytest.mark.slow
def test_workers_end_with_the_batch(cluster):
    assert not ray.is_initialized()
    titles = {
        " ".join(p.cmdline())
        for p in psutil.Process(cluster.pid).children(recursive=True)
    }
    assert not [title for title in titles if "ray::Worker" in title]
