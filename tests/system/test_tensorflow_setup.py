"""Start-up and signals, in real child processes."""

import os
import re
import signal
import subprocess
import sys
from importlib import metadata

import pytest

from tfstyle.config.config import Config
from tfstyle.system import tensorflow_setup

TIMEOUT = 60  # seconds, for processes that need far less


def start(code, **settings):
    """Starts Python on some code, with pipes for what it says.

    An alarm ends it, so that no test waits for a word that never comes.
    """
    alarm = f"import signal; signal.alarm({TIMEOUT})\n"
    return subprocess.Popen(
        [sys.executable, "-c", alarm + code],
        stdout=subprocess.PIPE,
        stderr=settings.pop("stderr", subprocess.PIPE),
        text=True,
        **settings,
    )


def end(child):
    """Waits for a child and returns its status and what else it said."""
    try:
        out, err = child.communicate(timeout=TIMEOUT)
    finally:
        child.kill()
        child.wait()
    return child.returncode, out, err


# Signals.

STOP = """
import signal
import threading
import time

from tfstyle.system.tensorflow_setup import StopSignals

numbers = (signal.SIGINT, signal.SIGTERM)
before = [signal.getsignal(number) for number in numbers]
with StopSignals() as signals:
    print(signals(), signals.number, flush=True)
    while signals() is None:
        time.sleep(0.01)
    print(signals(), signals(), signals.number)
print([signal.getsignal(number) for number in numbers] == before)
print(signal.set_wakeup_fd(-1), threading.active_count())
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stop_signals_ends_the_run_at_one_signal(number):
    child = start(STOP)
    first = child.stdout.readline()
    child.send_signal(number)
    status, out, err = end(child)
    assert (status, first) == (0, "None None\n")
    assert out.splitlines() == [
        f"{number.name} {number.name} {number.value}",
        "True",
        "-1 1",
    ]
    assert err == "\nStopping at this step; again to exit at once.\n"


RESTORED = """
import os
import signal

from tfstyle.system.tensorflow_setup import StopSignals

signal.signal(signal.SIGINT, signal.default_int_handler)
with StopSignals() as signals:
    pass
try:
    os.kill(os.getpid(), signal.SIGINT)
except KeyboardInterrupt:
    print("KeyboardInterrupt", signals.number, flush=True)
os.kill(os.getpid(), signal.SIGTERM)
"""


def test_stop_signals_leaves_signals_as_they_were():
    status, out, err = end(start(RESTORED))
    assert status == -signal.SIGTERM
    assert out == "KeyboardInterrupt None\n"
    assert err == ""


OTHER = """
import os
import signal
import time

from tfstyle.system.tensorflow_setup import StopSignals

signal.signal(signal.SIGUSR1, lambda *_: print("handled"))
with StopSignals() as signals:
    for _ in range(3):
        os.kill(os.getpid(), signal.SIGUSR1)
        time.sleep(0.1)
    print(signals())
"""


def test_stop_signals_leaves_other_signals_alone():
    status, out, err = end(start(OTHER))
    assert (status, err) == (0, "")
    assert out == "handled\nhandled\nhandled\nNone\n"


# A mutex locked twice: a C call that signals do not end, as TensorFlow's,
# during which Python runs no handler.
STUCK = """
import ctypes

from tfstyle.system.tensorflow_setup import StopSignals

mutex = ctypes.create_string_buffer(256)
lock = ctypes.CDLL(None).pthread_mutex_lock
with StopSignals():
    lock(mutex)
    print("stuck", flush=True)
    lock(mutex)
"""


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (signal.SIGINT, signal.SIGINT, 130),
        (signal.SIGTERM, signal.SIGTERM, 143),
        (signal.SIGINT, signal.SIGTERM, 143),
    ],
)
def test_stop_signals_exits_at_second_signal_when_c_code_runs(
    first, second, expected
):
    child = start(STUCK)
    assert child.stdout.readline() == "stuck\n"
    child.send_signal(first)
    assert child.stderr.readline() == "\n"
    assert child.stderr.readline().startswith("Stopping at this step;")
    assert child.poll() is None
    child.send_signal(second)
    assert end(child) == (expected, "", "")


BROKEN = """
import time

from tfstyle.system.tensorflow_setup import StopSignals

with StopSignals() as signals:
    print("ready", flush=True)
    while signals() is None:
        time.sleep(0.01)
    print("stopping", flush=True)
    time.sleep(2)
"""


def test_stop_signals_exits_at_second_signal_when_stderr_is_closed():
    # As in `tfstyle 2>&1 | tee log`, where Ctrl-C ends tee first.
    read_end, write_end = os.pipe()
    child = start(BROKEN, stderr=write_end)
    os.close(write_end)
    os.close(read_end)
    assert child.stdout.readline() == "ready\n"
    child.send_signal(signal.SIGINT)
    assert child.stdout.readline() == "stopping\n"
    child.send_signal(signal.SIGINT)
    status, _, _ = end(child)
    assert status == 130


# What stderr shows.


def test_stderr_aside_hides_what_is_written_within(capfd):
    files = os.listdir("/proc/self/fd")
    os.write(2, b"before ")
    with tensorflow_setup._stderr_aside():
        os.write(2, b"hidden ")
        print("hidden too", file=sys.__stderr__, flush=True)
    os.write(2, b"after")
    assert capfd.readouterr().err == "before after"
    assert len(os.listdir("/proc/self/fd")) == len(files)


def fail_aside():
    with tensorflow_setup._stderr_aside():
        os.write(2, b"the reason ")
        raise ZeroDivisionError


def test_stderr_aside_plays_back_when_the_block_raises(capfd):
    files = os.listdir("/proc/self/fd")
    with pytest.raises(ZeroDivisionError):
        fail_aside()
    os.write(2, b"after")
    assert capfd.readouterr().err == "the reason after"
    assert len(os.listdir("/proc/self/fd")) == len(files)


# TensorFlow.

TENSORFLOW = """
import os

from tfstyle.system.tensorflow_setup import start_tensorflow
from tfstyle.system.tensorflow_setup import use_devices

start_tensorflow(
    intra_op_threads=1, inter_op_threads=2, tf32=False, deterministic=True,
    verbose={verbose},
)
print(use_devices(verbose={verbose}))

import keras
import tensorflow as tf

print(tf.config.threading.get_intra_op_parallelism_threads())
print(tf.config.threading.get_inter_op_parallelism_threads())
print(keras.config.backend())
print(tf.config.experimental.tensor_float_32_execution_enabled())
from tensorflow.python.framework import config
print(config.is_op_determinism_enabled())
print(os.environ.get("TF_CPP_MIN_LOG_LEVEL"))
tf.function(lambda x: x @ x)(tf.ones((8, 8)))
"""


def start_tensorflow(*, verbose):
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": "-1"}
    for name in ("KERAS_BACKEND", "TF_CPP_MIN_LOG_LEVEL"):
        environment.pop(name, None)
    code = TENSORFLOW.format(verbose=verbose)
    status, out, err = end(start(code, env=environment))
    assert status == 0, err
    line, *settings = out.splitlines()
    version = re.escape(metadata.version("tensorflow"))
    assert re.fullmatch(rf"TensorFlow {version} on CPU, 1 threads?", line)
    assert settings[:5] == ["1", "2", "tensorflow", "False", "True"]
    return settings[5], err


def test_start_tensorflow_is_quiet():
    level, err = start_tensorflow(verbose=False)
    assert err == ""
    assert level == "3"


def test_start_tensorflow_lets_messages_through_when_verbose():
    level, err = start_tensorflow(verbose=True)
    assert err != ""
    assert level == "None"


def test_start_tensorflow_refuses_other_backend(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    text = (
        "Keras must run on the TensorFlow backend. Received:"
        " KERAS_BACKEND='jax'. Unset it."
    )
    with pytest.raises(
        tensorflow_setup.SetupError, match=f"^{re.escape(text)}$"
    ):
        tensorflow_setup.start_tensorflow()
    assert os.environ["KERAS_BACKEND"] == "jax"


def test_resolve_for_machine_settles_what_is_auto_on_a_cpu():
    config = tensorflow_setup.resolve_for_machine(Config())
    assert (config.convolution, config.jit_compile) == ("winograd", "false")
    assert tensorflow_setup.resolve_for_machine(config) == config


def test_resolve_for_machine_keeps_what_was_asked_for():
    asked = Config(convolution="direct", jit_compile="true")
    assert tensorflow_setup.resolve_for_machine(asked) == asked


def test_resolve_for_machine_is_direct_in_mixed_precision():
    asked = Config(precision="mixed_bfloat16")
    assert tensorflow_setup.resolve_for_machine(asked).convolution == "direct"


def test_resolve_for_machine_on_a_gpu(monkeypatch):
    import tensorflow as tf

    devices = {"CPU": ["a CPU"], "GPU": ["a GPU"]}
    monkeypatch.setattr(tf.config, "list_physical_devices", devices.get)
    config = tensorflow_setup.resolve_for_machine(Config())
    assert (config.convolution, config.jit_compile) == ("direct", "true")
    text = (
        "`convolution` is winograd, which is for the CPU, but a GPU runs. Give"
        " convolution=direct, or hide it: CUDA_VISIBLE_DEVICES=''."
    )
    with pytest.raises(
        tensorflow_setup.SetupError, match=f"^{re.escape(text)}$"
    ):
        tensorflow_setup.resolve_for_machine(Config(convolution="winograd"))


def test_find_unused_gpus_counts_what_tensorflow_does_not_see(monkeypatch):
    import tensorflow as tf

    files = ["/dev/nvidia0", "/dev/nvidia1"]
    monkeypatch.setattr(tensorflow_setup.glob, "glob", lambda pattern: files)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert tensorflow_setup.find_unused_gpus() == 2
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda _: ["GPU"])
    assert tensorflow_setup.find_unused_gpus() == 0


def test_find_unused_gpus_leaves_hidden_ones_alone(monkeypatch):
    monkeypatch.setattr(
        tensorflow_setup.glob, "glob", lambda _: ["/dev/nvidia0"]
    )
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert tensorflow_setup.find_unused_gpus() == 0
