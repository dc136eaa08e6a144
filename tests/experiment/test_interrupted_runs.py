"""Processes that are killed and stopped, and go on as if nothing had been."""

import json
import os
import random
import re
import shutil
import signal
import time

import pytest

from tests.processes import PATIENCE
from tests.processes import finish
from tests.processes import start
from tfstyle.experiment.workdir_files import LOCK

pytestmark = pytest.mark.slow

RUN = [
    "--flagfile=configs/smoke.cfg",
    "--image_size=48",
    "--num_levels=2",
    "--num_steps=30,40",
    "--log_every_steps=3",
    "--image_every_steps=4",
]
KINDS = {
    "lbfgs": ["--checkpoint_every_seconds=0.001"],
    "adam": [
        *("--optimizer=adam", "--checkpoint_every_seconds=0.001"),
        "--num_steps=80,80",
    ],
}


def run(*arguments):
    """Returns exit status and stderr."""
    return finish(start(*arguments))


@pytest.fixture(scope="module")
def straight(tmp_path_factory):
    """Returns a function from a kind to the workdir of a run left alone."""
    made = {}

    def make(kind):
        if kind not in made:
            made[kind] = tmp_path_factory.mktemp("runs") / "straight"
            status, stderr = run(*flags_of(kind, made[kind]))
            assert status == 0, stderr
        return made[kind]

    return make


def read_metrics(workdir):
    """Returns the records without their seconds."""
    lines = (workdir / "metrics.jsonl").read_text().splitlines()
    records = [json.loads(line) for line in lines]
    seconds = [record.pop("seconds") for record in records]
    assert seconds == sorted(seconds)
    return records


def wait_for(is_there, process, seconds=PATIENCE):
    """Waits, looking as often as it can; returns whether it came."""
    end = time.monotonic() + seconds
    while not is_there():
        if process.poll() is not None:
            return False
        assert time.monotonic() < end
    return True


def is_partial(folder):
    """Returns whether a file is being written in a folder."""
    try:
        return any(name.startswith(".partial-") for name in os.listdir(folder))
    except FileNotFoundError:
        return False


def kill_somewhere(process, workdir, place, generator):
    """Kills a run: at a random moment, or while it writes to a folder."""
    wait_for((workdir / "metrics.jsonl").exists, process)
    if place is None:
        time.sleep(generator.uniform(0, 3))
    else:
        time.sleep(generator.uniform(0, 1))
        wait_for(lambda: is_partial(workdir / place), process)
    process.kill()
    process.communicate()


def flags_of(kind, workdir):
    """Returns the flags of a run, whose film lies beside its workdir."""
    film = f"--film={workdir}.gif"
    return [*RUN, *KINDS[kind], film, f"--workdir={workdir}"]


def check_same(workdir, expected):
    """Checks that a run left the same files as another."""
    for name in ("output.png", "flags.cfg"):
        assert (workdir / name).read_bytes() == (expected / name).read_bytes()
    assert read_metrics(workdir) == read_metrics(expected)
    _, last = sorted(os.listdir(workdir / "checkpoints"))
    assert last == max(os.listdir(expected / "checkpoints"))
    names = sorted(os.listdir(workdir / "images"))
    assert names == [f"{n:06}.png" for n in range(1, len(names) + 1)]
    assert names == sorted(os.listdir(expected / "images"))
    for name in names:
        picture = (workdir / "images" / name).read_bytes()
        assert picture == (expected / "images" / name).read_bytes()
    film = workdir.with_suffix(".gif").read_bytes()
    assert film == expected.with_suffix(".gif").read_bytes()


OFTEN = (None, "checkpoints", None, "images", None)


@pytest.mark.parametrize(
    ("kind", "places", "seed"),
    [
        ("lbfgs", ("checkpoints", None), 0),
        *(
            pytest.param(kind, OFTEN, seed, marks=pytest.mark.soak)
            for kind in KINDS
            for seed in range(3)
        ),
    ],
)
def test_killed_run_ends_as_if_left_alone(
    straight, tmp_path, kind, places, seed
):
    workdir, generator = tmp_path / "killed", random.Random(seed)
    for place in places:
        process = start(*flags_of(kind, workdir))
        kill_somewhere(process, workdir, place, generator)
        for line in (workdir / "metrics.jsonl").read_text().splitlines():
            json.loads(line)
    status, stderr = run(*flags_of(kind, workdir))
    assert status == 0, stderr
    check_same(workdir, straight(kind))


@pytest.mark.soak
@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)]
)
def test_stopped_run_ends_as_if_left_alone(straight, tmp_path, number, status):
    workdir = tmp_path / "stopped"
    process = start(*flags_of("lbfgs", workdir))
    wait_for(lambda: (workdir / "images" / "000003.png").exists(), process)
    process.send_signal(number)
    _, stderr = process.communicate(timeout=PATIENCE)
    assert process.returncode == status, stderr
    assert (workdir / "output.png").exists()
    assert workdir.with_suffix(".gif").exists()  # of what there is
    made = read_metrics(workdir)[-1]
    newest = max(os.listdir(workdir / "checkpoints"))
    found = re.fullmatch(r"step_0*(\d+)_evaluation_0*(\d+).npz", newest)
    numbers = [int(n) for n in found.groups()]
    assert numbers == [made["step"], made["evaluations"]]
    status, stderr = run(*flags_of("lbfgs", workdir))
    assert status == 0, stderr
    assert f"Resumed at step {made['step']}\n" in stderr
    check_same(workdir, straight("lbfgs"))


def test_finished_run_is_finished_the_second_time(straight, tmp_path):
    expected, again = straight("lbfgs"), tmp_path / "again"
    shutil.copytree(expected, again)
    shutil.copy(expected.with_suffix(".gif"), again.with_suffix(".gif"))
    status, stderr = run(*flags_of("lbfgs", again))
    assert status == 0, stderr
    assert "Resumed at step 70" in stderr
    check_same(again, expected)


def test_second_run_on_a_workdir_is_refused_until_the_first_ends(tmp_path):
    workdir = tmp_path / "shared"
    many = "--num_steps=1000000"
    process = start(*RUN, many, f"--workdir={workdir}")
    try:
        assert wait_for((workdir / "metrics.jsonl").exists, process)
        flags = (workdir / "flags.cfg").read_bytes()
        status, stderr = run(*RUN, f"--workdir={workdir}")
        assert status == 1
        assert stderr.startswith(f"error: Another run is using '{workdir}'.")
        assert stderr.count("\n") == 1
        assert (workdir / "flags.cfg").read_bytes() == flags
    finally:
        process.kill()
        process.communicate()
    assert (workdir / LOCK).exists()  # which locks nothing any more
    again = ["--num_steps=1", "--resume=restart", f"--workdir={workdir}"]
    status, stderr = run(*RUN, *again)
    assert status == 0, stderr
    assert (workdir / "output.png").exists()
    assert (tmp_path / "shared.1" / "flags.cfg").read_bytes() == flags


def test_loss_that_is_not_finite_names_the_last_good_checkpoint(tmp_path):
    status, stderr = run(
        *(*RUN, f"--workdir={tmp_path}", "--optimizer=adam", "--num_levels=1"),
        *("--num_steps=9", "--checkpoint_every_seconds=0.001"),
        "--learning_rate=1e25",
    )
    assert status == 1
    last = stderr.splitlines()[-1]
    assert re.fullmatch(
        # Whether a sum of huge products is inf or nan depends on its order, and
        # so on the processor.
        r"error: The loss( or its gradient)? is (inf|nan) at step 1 of level 0:"
        rf" .* The checkpoint '{tmp_path}/checkpoints/step_000000_\w+.npz' is"
        r" intact: .*",
        last,
    )
    assert not (tmp_path / "output.png").exists()
