"""The start of TensorFlow, in real child processes."""

import os
import re
import sys
from importlib import metadata

import pytest

from tests.processes import end_python
from tests.processes import start_python
from tfstyle.errors import SetupError
from tfstyle.system import tensorflow_setup

# What stderr shows.


LOG = b"""\
WARNING: All log messages before absl::InitializeLog() is called are written
I0000 00:00:1750000000.123456     100 port.cc:153] oneDNN is on.
2025-06-15 12:00:00.123456: E external/cuda_fft.cc:477] Unable to register
To enable the following instructions: AVX2, in other operations, rebuild.
"""


def test_stderr_aside_takes_out_tensorflows_log_alone(capfd):
    files = os.listdir("/proc/self/fd")
    os.write(2, b"before ")
    with tensorflow_setup._stderr_aside():
        os.write(2, b"a thread's\n" + LOG)
        print("the driver's", file=sys.__stderr__)
        os.write(2, b"F0000 00:00:1750000000.123456 100 a.cc:1] fatal\n")
        os.write(2, b"no end")
    os.write(2, b" after")
    assert capfd.readouterr().err == (
        "before a thread's\nthe driver's\n"
        "F0000 00:00:1750000000.123456 100 a.cc:1] fatal\nno end after"
    )
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
    status, out, err = end_python(start_python(code, env=environment))
    assert status == 0, err
    line, *settings = out.splitlines()
    version = re.escape(metadata.version("tensorflow"))
    assert re.fullmatch(rf"TensorFlow {version} on CPU, 1 threads?", line)
    assert settings[:5] == ["1", "2", "tensorflow", "False", "True"]
    return settings[5], err


@pytest.mark.slow
def test_start_tensorflow_is_quiet():
    level, err = start_tensorflow(verbose=False)
    assert err == ""
    assert level == "3"


@pytest.mark.slow
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
    with pytest.raises(SetupError, match=f"^{re.escape(text)}$"):
        tensorflow_setup.start_tensorflow()
    assert os.environ["KERAS_BACKEND"] == "jax"


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


@pytest.mark.parametrize(
    ("one_gpu", "expected"), [(True, [["a"]]), (False, [])]
)
def test_other_gpus_are_left_to_other_programs(monkeypatch, one_gpu, expected):
    import tensorflow as tf

    seen = []
    monkeypatch.setattr(
        tf.config, "list_physical_devices", lambda _: ["a", "b"]
    )
    monkeypatch.setattr(
        tf.config, "set_visible_devices", lambda gpus, kind: seen.append(gpus)
    )
    tensorflow_setup.use_devices(one_gpu=one_gpu)
    assert seen == expected
