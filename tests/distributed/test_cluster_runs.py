"""One picture by two processes: equal, and ended together by every fault."""

import json
import os
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from tests import ROOT
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
LONG = (*RUN, "--num_steps=5000")
PATIENCE = 100  # seconds, for what takes far less


def start_two(*arguments, of_second=()):
    """Starts a cluster of two processes on this machine."""
    addresses = find_addresses(2)
    return [
        processes.start(
            *arguments,
            *extra,
            env=os.environ | {"TF_CONFIG": make_tf_config(addresses, index)},
        )
        for index, extra in enumerate(((), of_second))
    ]


def finish_all(started):
    """Returns the statuses and what each said on stderr."""
    try:
        ends = [processes.finish(process) for process in started]
    finally:
        for process in started:
            process.kill()
    return zip(*ends, strict=True)


def wait_for_step(workdir, step):
    """Waits until a run has logged a step."""
    path = workdir / "metrics.jsonl"
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if path.exists() and len(path.read_text().splitlines()) > step:
            return
        time.sleep(0.05)
    raise TimeoutError(f"no step {step} in {path}")


@pytest.fixture(scope="module")
def two_runs(tmp_path_factory):
    """Returns the workdirs of a run by one process and by two.

    A proxy is set, as on many compute nodes, which leads nowhere.
    """
    folder = tmp_path_factory.mktemp("runs")
    proxies = dict.fromkeys(("http_proxy", "https_proxy"), "http://127.0.0.1:9")
    workdirs = {}
    for number in (1, 2):
        workdirs[number] = folder / str(number)
        done = subprocess.run(
            [
                sys.executable,
                "tools/launch_local.py",
                f"--workers={number}",
                "--",
                *(sys.executable, "-m", "tfstyle.main", *RUN),
                *("--optimizer=adam", "--init=content", "--num_steps=20"),
                f"--workdir={workdirs[number]}",
            ],
            cwd=ROOT,
            env=os.environ | proxies,
            stderr=subprocess.PIPE,
            text=True,
            timeout=PATIENCE,
        )
        assert done.returncode == 0, done.stderr
    return workdirs


def read_metrics(workdir):
    lines = (workdir / "metrics.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def test_two_processes_evaluate_as_one(two_runs):
    one, two = (read_metrics(two_runs[number])[0] for number in (1, 2))
    assert one.keys() == two.keys()
    for name in one.keys() - {"seconds"}:
        assert two[name] == pytest.approx(one[name], rel=1e-5), name


TWO_DEVICES_EACH = """
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


def test_two_devices_in_each_of_two_processes_evaluate_as_one(
    two_runs, tmp_path
):
    addresses = find_addresses(2)
    statuses, said = finish_all(
        [
            subprocess.Popen(
                [
                    *(sys.executable, "-c", TWO_DEVICES_EACH, *RUN),
                    *("--optimizer=adam", "--init=content", "--num_steps=20"),
                    f"--workdir={tmp_path}",
                ],
                cwd=ROOT,
                env=os.environ
                | {"TF_CONFIG": make_tf_config(addresses, index)},
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
            )
            for index in (0, 1)
        ]
    )
    assert statuses == (0, 0), said
    assert "4 replicas in 2 processes" in said[0]
    one, four = (read_metrics(path) for path in (two_runs[1], tmp_path))
    for name in one[0].keys() - {"seconds"}:
        assert four[0][name] == pytest.approx(one[0][name], rel=1e-5), name
    assert four[-1]["total"] == pytest.approx(one[-1]["total"], rel=1e-3)


def test_two_processes_paint_the_same_picture(two_runs):
    """Mean grey levels after 20 steps of Adam; measured 0.018."""
    one, two = (
        read_image(str(two_runs[number] / "output.png")).pixels.astype(int)
        for number in (1, 2)
    )
    assert np.abs(one - two).mean() < 0.1
    totals = [read_metrics(two_runs[number])[-1]["total"] for number in (1, 2)]
    assert totals[1] == pytest.approx(totals[0], rel=1e-3)


def test_first_of_two_processes_writes_all(two_runs):
    names = [sorted(os.listdir(two_runs[number])) for number in (1, 2)]
    assert names[0] == names[1]
    steps = [record["step"] for record in read_metrics(two_runs[2])]
    assert steps == list(range(21))
    text = read_text(str(two_runs[2] / "output.png"))
    assert "# replicas: 2\n" in text
    assert "--strategy" not in text


@pytest.mark.soak
def test_processes_meet_by_addresses_of_ipv6(tmp_path):
    addresses = [a.replace("127.0.0.1", "[::1]") for a in find_addresses(2)]
    started = [
        processes.start(
            *(*RUN, "--num_steps=2", f"--workdir={tmp_path}"),
            env=os.environ | {"TF_CONFIG": make_tf_config(addresses, index)},
        )
        for index in range(2)
    ]
    statuses, said = finish_all(started)
    assert statuses == (0, 0), said


def test_killed_process_ends_the_other_and_a_restart_goes_on(tmp_path):
    straight, stopped = tmp_path / "straight", tmp_path / "stopped"
    started = start_two(*LONG, "--optimizer=adam", f"--workdir={stopped}")
    wait_for_step(stopped, 12)
    started[1].kill()
    (status, killed), (said, _) = finish_all(started)
    assert (status, killed) == (1, -signal.SIGKILL)
    assert "error: Process 1 of 2 has ended: " in said
    assert f"The checkpoint '{stopped}/checkpoints/step_" in said
    assert "Traceback" not in said
    (made,) = {record["step"] for record in read_metrics(stopped)[-1:]}
    steps = (*RUN, f"--num_steps={made + 5}", "--optimizer=adam")
    for workdir in (stopped, straight):
        statuses, said = finish_all(start_two(*steps, f"--workdir={workdir}"))
        assert statuses == (0, 0), said
        is_resumed = "Resumed at step" in said[0]
        assert is_resumed == (workdir == stopped)
    pictures = [(w / "output.png").read_bytes() for w in (stopped, straight)]
    assert pictures[0] == pictures[1]


def test_first_process_killed_ends_the_other(tmp_path):
    started = start_two(*LONG, f"--workdir={tmp_path}")
    wait_for_step(tmp_path, 3)
    started[0].kill()
    (killed, status), (_, said) = finish_all(started)
    assert (killed, status) == (-signal.SIGKILL, 1)
    assert "error: Process 0 of 2 has ended: " in said
    assert "Traceback" not in said


@pytest.mark.parametrize("frozen", [pytest.param(0, marks=pytest.mark.soak), 1])
def test_frozen_process_ends_the_other(tmp_path, frozen):
    """By `cluster_timeout`, as it gives no sign."""
    started = start_two(*LONG, "--cluster_timeout=4", f"--workdir={tmp_path}")
    wait_for_step(tmp_path, 3)
    started[frozen].send_signal(signal.SIGSTOP)
    try:
        status, said = processes.finish(started[1 - frozen])
    finally:
        for process in started:
            process.kill()
            process.communicate()
    assert status == 1
    assert f"error: Process {frozen} of 2 gave no sign for 4 s" in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("number", "which"),
    [
        pytest.param(0, signal.SIGINT, marks=pytest.mark.soak),
        (1, signal.SIGTERM),
    ],
)
def test_signal_to_one_process_ends_both_at_a_step(tmp_path, number, which):
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


@pytest.mark.parametrize("index", [0, 1])
def test_absent_process_is_waited_for_so_long(tmp_path, index):
    variable = make_tf_config(find_addresses(2), index)
    started = processes.start(
        *RUN,
        "--cluster_timeout=2",
        f"--workdir={tmp_path / 'run'}",
        env=os.environ | {"TF_CONFIG": variable},
    )
    status, said = processes.finish(started)
    assert status == 1
    other = json.loads(variable)["cluster"]["worker"][1 - index]
    waiting, error = said.splitlines()
    assert waiting.startswith(f"Process {index} of 2, waiting for the others;")
    assert error.startswith(f"error: Process {1 - index} ({other}) ")
    assert "--cluster_timeout" in error


@pytest.mark.parametrize(
    ("index", "which"), [(0, signal.SIGTERM), (1, signal.SIGINT)]
)
def test_signal_while_waiting_ends_the_process(tmp_path, index, which):
    variable = make_tf_config(find_addresses(2), index)
    started = processes.start(
        *RUN,
        f"--workdir={tmp_path / 'run'}",
        env=os.environ | {"TF_CONFIG": variable},
    )
    assert "waiting for the others" in started.stderr.readline()
    time.sleep(0.5)
    started.send_signal(which)
    status, _ = processes.finish(started)
    assert status == (130 if which == signal.SIGINT else -which)


def test_processes_with_other_flags_are_refused(tmp_path):
    started = start_two(
        *RUN, f"--workdir={tmp_path / 'run'}", of_second=["--seed=1"]
    )
    statuses, said = finish_all(started)
    assert statuses == (2, 2)
    for text in said:
        assert "process 1: seed was 0, now 1" in text, text
    assert not (tmp_path / "run").exists()


def test_error_of_the_first_process_ends_the_other(tmp_path):
    started = start_two(
        *RUN, "--style_weight=1e39", f"--workdir={tmp_path / 'run'}"
    )
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


def test_signal_before_the_run_ends_the_process():
    """TensorFlow, which watches for SIGTERM, must not keep it to itself."""
    addresses = find_addresses(2)
    code = IDLE.replace("time.sleep", "print(flush=True)\ntime.sleep")
    both = [
        subprocess.Popen(
            [sys.executable, "-c", code],
            cwd=ROOT,
            env=os.environ | {"TF_CONFIG": make_tf_config(addresses, index)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for index in (0, 1)
    ]
    for process in both:
        assert process.stdout.readline() == "\n"
        process.send_signal(signal.SIGTERM)
    statuses, said = finish_all(both)
    assert statuses == (-signal.SIGTERM, -signal.SIGTERM), said


def test_process_that_lives_but_is_silent_ends_the_other(tmp_path):
    addresses = find_addresses(2)
    idle, run = (
        subprocess.Popen(
            [sys.executable, *command],
            cwd=ROOT,
            env=os.environ | {"TF_CONFIG": make_tf_config(addresses, index)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for index, command in (
            (1, ["-c", IDLE]),
            (
                0,
                [
                    *("-m", "tfstyle.main", *RUN, "--cluster_timeout=5"),
                    f"--workdir={tmp_path / 'run'}",
                ],
            ),
        )
    )
    try:
        status, said = processes.finish(run)
        assert idle.poll() is None
    finally:
        for process in (idle, run):
            process.kill()
            process.communicate()
    assert status == 1
    assert "absent or silent for 5 s" in said


def test_slurm_s_tasks_are_a_cluster(tmp_path):
    job = str(random.randrange(10000))
    started = [
        processes.start(
            *RUN,
            f"--workdir={tmp_path}",
            env=os.environ
            | {
                "SLURM_JOB_ID": job,
                "SLURM_PROCID": str(rank),
                "SLURM_STEP_NUM_TASKS": "2",
                "SLURM_STEP_NODELIST": "localhost",
                "SLURM_STEP_TASKS_PER_NODE": "2",
            },
        )
        for rank in (0, 1)
    ]
    statuses, said = finish_all(started)
    assert statuses == (0, 0), said
    assert "2 replicas in 2 processes" in said[0]
    assert (tmp_path / "output.png").exists()
