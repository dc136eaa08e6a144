"""One picture by two processes: equal, and ended together by every fault."""

import json
import os
import random
import signal
import sys
import time

import numpy as np
import pytest

from tests import processes
from tfstyle.image_files.reading import read_image
from tfstyle.image_files.reading import read_text
from tools.launch_local import find_addresses
from tools.launch_local import make_tf_config

pytestmark = [pytest.mark.distributed, pytest.mark.slow]
RUN = (
    "--flagfile=configs/smoke.cfg",
    "--image_size=96",
    "--convolution=direct",
    "--checkpoint_every_seconds=0.001",
    "--log_every_steps=1",
)
SMALL = (*RUN, "--image_size=48")
LONG = (*SMALL, "--num_steps=5000")


def place(addresses, index):
    return {"TF_CONFIG": make_tf_config(addresses, index)}


def place_by_slurm(job, rank):
    return {
        "SLURM_JOB_ID": str(job),
        "SLURM_PROCID": str(rank),
        "SLURM_STEP_NUM_TASKS": "2",
        "SLURM_STEP_NODELIST": "localhost",
        "SLURM_STEP_TASKS_PER_NODE": "2",
    }


@pytest.fixture
def start():
    """Starts processes; those that a failed test leaves running are killed."""
    started = []

    def start(variables, *arguments, **options):
        process = processes.start(
            *arguments, env=os.environ | variables, **options
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def start_two(start):
    """Starts a cluster of two processes on this machine."""

    def start_two(*arguments, of_second=(), **options):
        addresses = find_addresses(2)
        return [
            start(place(addresses, index), *arguments, *extra, **options)
            for index, extra in enumerate(((), of_second))
        ]

    return start_two


def finish_all(started):
    """Returns the statuses and what each said on stderr."""
    return zip(*map(processes.finish, started), strict=True)


def wait_for_step(workdir, step):
    """Waits until a run has logged a step."""
    path = workdir / "metrics.jsonl"
    deadline = time.monotonic() + processes.PATIENCE
    while time.monotonic() < deadline:
        if path.exists() and len(path.read_text().splitlines()) > step:
            return
        time.sleep(0.05)
    raise TimeoutError(f"no step {step} in {path}")


TWO_DEVICES = """
import tensorflow as tf
from tensorflow.python.distribute import collective_all_reduce_strategy as s

tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0],
    [tf.config.LogicalDeviceConfiguration()] * 2,
)
# TensorFlow takes one CPU a process; of GPUs it would take all.
s.CollectiveAllReduceExtended._initialize_local_devices = lambda _, __, here: (
    (f"{here}/device:CPU:0", f"{here}/device:CPU:1"), "CPU"
)
from tfstyle import main
main.run()
"""


@pytest.fixture(scope="module")
def two_runs(tmp_path_factory):
    """Returns the workdirs of a run by one process and by two of two devices.

    A proxy is set, as on many compute nodes, which leads nowhere.
    """
    folder = tmp_path_factory.mktemp("runs")
    workdirs = folder / "one", folder / "four"
    programs = ("-m", "tfstyle.main"), ("-c", TWO_DEVICES)
    with pytest.MonkeyPatch.context() as patch:
        for name in ("http_proxy", "https_proxy"):
            patch.setenv(name, "http://127.0.0.1:9")
        for number, workdir in enumerate(workdirs, start=1):
            done = processes.run_tool(
                *("launch_local", f"--workers={number}", "--", sys.executable),
                *(*programs[number - 1], *RUN, "--optimizer=adam"),
                *("--init=content", "--num_levels=2", "--num_steps=10"),
                f"--workdir={workdir}",
            )
            assert done.returncode == 0, done.stderr
    return workdirs


def read_metrics(workdir):
    lines = (workdir / "metrics.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


@pytest.mark.soak
def test_two_processes_of_two_devices_evaluate_as_one(two_runs):
    (one, *_, last), (four, *_, last_of_four) = map(read_metrics, two_runs)
    assert one.keys() == four.keys()
    for name in one.keys() - {"seconds"}:
        assert four[name] == pytest.approx(one[name], rel=1e-5), name
    assert last_of_four["total"] == pytest.approx(last["total"], rel=1e-3)


def test_two_processes_paint_the_same_picture(two_runs):
    """Mean grey levels after 20 steps of Adam; measured 0.0005."""
    one, four = (
        read_image(str(workdir / "output.png")).pixels.astype(int)
        for workdir in two_runs
    )
    assert np.abs(one - four).mean() < 0.1


def test_first_of_two_processes_writes_all(two_runs):
    one, four = two_runs
    assert sorted(os.listdir(one)) == sorted(os.listdir(four))
    steps = [record["step"] for record in read_metrics(four)]
    assert steps == [*range(11), *range(10, 21)]  # of both levels
    text = read_text(str(four / "output.png"))
    assert "# replicas: 4\n" in text
    assert "--strategy" not in text


@pytest.mark.soak
def test_processes_meet_by_addresses_of_ipv6(start, tmp_path):
    addresses = [a.replace("127.0.0.1", "[::1]") for a in find_addresses(2)]
    flags = (*RUN, "--num_steps=2", f"--workdir={tmp_path}")
    statuses, said = finish_all(
        [start(place(addresses, index), *flags) for index in range(2)]
    )
    assert statuses == (0, 0), said


def test_killed_process_ends_the_other_and_a_restart_goes_on(
    start, start_two, tmp_path
):
    """The run that is not killed is a job step of Slurm."""
    flags = (*SMALL, "--optimizer=adam")
    straight, stopped = tmp_path / "straight", tmp_path / "stopped"
    started = start_two(*flags, "--num_steps=5000", f"--workdir={stopped}")
    wait_for_step(stopped, 12)
    started[1].kill()
    (status, killed), (said, _) = finish_all(started)
    assert (status, killed) == (1, -signal.SIGKILL)
    assert "error: Process 1 of 2 has ended: " in said
    assert f"The checkpoint '{stopped}/checkpoints/step_" in said
    assert "Traceback" not in said
    made = read_metrics(stopped)[-1]["step"]
    addresses, job = find_addresses(2), random.randrange(10000)
    pictures = []
    for workdir, places in (
        (stopped, [place(addresses, index) for index in (0, 1)]),
        (straight, [place_by_slurm(job, rank) for rank in (0, 1)]),
    ):
        ends = (f"--num_steps={made + 5}", f"--workdir={workdir}")
        statuses, said = finish_all(
            [start(variables, *flags, *ends) for variables in places]
        )
        assert statuses == (0, 0), said
        assert "2 replicas in 2 processes" in said[0]
        assert ("Resumed at step" in said[0]) == (workdir == stopped)
        pictures.append((workdir / "output.png").read_bytes())
    assert pictures[0] == pictures[1]


@pytest.mark.soak
@pytest.mark.parametrize(
    ("number", "which", "message"),
    [
        (0, signal.SIGKILL, "has ended: "),
        (0, signal.SIGSTOP, "was silent for 4 s"),
        (1, signal.SIGSTOP, "was silent for 4 s"),
    ],
)
def test_lost_process_ends_the_other(
    start_two, tmp_path, number, which, message
):
    """A frozen one by `cluster_timeout`, as it gives no sign."""
    started = start_two(*LONG, "--cluster_timeout=4", f"--workdir={tmp_path}")
    wait_for_step(tmp_path, 3)
    started[number].send_signal(which)
    status, said = processes.finish(started[1 - number])
    assert status == 1
    assert f"error: Process {number} of 2 {message}" in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("number", "which"),
    [
        pytest.param(0, signal.SIGINT, marks=pytest.mark.soak),
        (1, signal.SIGTERM),
    ],
)
def test_signal_to_one_process_ends_both_at_a_step(
    start_two, tmp_path, number, which
):
    started = start_two(*LONG, f"--workdir={tmp_path}")
    wait_for_step(tmp_path, 3)
    started[number].send_signal(which)
    statuses, said = finish_all(started)
    assert statuses == (128 + which, 128 + which), said
    reason = which.name if number == 0 else f"{which.name} in another process"
    assert f"Stopped ({reason}) after " in said[0]
    step = read_metrics(tmp_path)[-1]["step"]
    assert any(
        name.startswith(f"step_{step:06}_")
        for name in os.listdir(tmp_path / "checkpoints")
    )
    assert (tmp_path / "output.png").exists()


def test_absent_processes_are_waited_for_so_long(start, tmp_path):
    clusters = [find_addresses(2) for _ in range(2)]
    flags = (*RUN, "--cluster_timeout=2", f"--workdir={tmp_path / 'run'}")
    _, said = finish_all(
        [
            start(place(each, index), *flags)
            for index, each in enumerate(clusters)
        ]
    )
    for index, text in enumerate(said):
        waiting, error = text.splitlines()
        assert waiting.startswith(
            f"Process {index} of 2: waiting for the other"
        )
        other = f"{1 - index} ({clusters[index][1 - index]})"
        assert error.startswith(f"error: Process {other} ")
        assert "--cluster_timeout" in error


@pytest.mark.soak
def test_signal_while_waiting_ends_the_process(start, tmp_path):
    flags = (*RUN, f"--workdir={tmp_path}")
    started = {
        which: start(place(find_addresses(2), index), *flags)
        for index, which in enumerate((signal.SIGTERM, signal.SIGINT))
    }
    for process in started.values():
        assert "waiting for the other" in process.stderr.readline()
    time.sleep(0.5)
    for which, process in started.items():
        process.send_signal(which)
        status, _ = processes.finish(process)
        assert status == (130 if which == signal.SIGINT else -which)


def test_processes_with_other_flags_are_refused(start_two, tmp_path):
    started = start_two(
        *RUN, f"--workdir={tmp_path / 'run'}", of_second=["--seed=1"]
    )
    statuses, said = finish_all(started)
    assert statuses == (2, 2)
    for text in said:
        assert "process 1: seed was 0, now 1" in text, text
    assert not (tmp_path / "run").exists()


@pytest.mark.soak
def test_error_of_the_first_process_ends_the_other(start_two, tmp_path):
    started = start_two(*RUN, "--style_weight=1e39", f"--workdir={tmp_path}")
    statuses, said = finish_all(started)
    assert statuses == (1, 1)
    assert "error: The loss is inf at step 0" in said[0]
    assert "error: Process 0 ended with an error" in said[1]


IDLE = """
import time
from tfstyle.distributed import strategy
from tfstyle.distributed.environment import find_cluster
from tfstyle.system import tensorflow_setup
tensorflow_setup.start_tensorflow()
strategy.connect(find_cluster(), 5)
time.sleep(120)
"""


@pytest.mark.soak
def test_process_that_lives_but_is_silent_ends_the_other(start, tmp_path):
    """A signal still ends it, although TensorFlow watches for SIGTERM."""
    addresses = find_addresses(2)
    idle = start(place(addresses, 1), program=("-c", IDLE))
    flags = (*RUN, "--cluster_timeout=5", f"--workdir={tmp_path}")
    status, said = processes.finish(start(place(addresses, 0), *flags))
    assert idle.poll() is None
    idle.send_signal(signal.SIGTERM)
    assert status == 1
    assert "absent or silent for 5 s" in said
    assert processes.finish(idle)[0] == -signal.SIGTERM
