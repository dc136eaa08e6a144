"""The start of TensorFlow, in real child processes."""

import os
import re
import sys
from importlib import metadata

import pytest
import tensorflow as tf

from tests.processes import end_python
from tests.processes import start_python
from tfstyle.errors import SetupError
from tfstyle.system import tensorflow_setup

LOG = b"""\
WARNING: All log messages before absl::InitializeLog() is called are written
I0000 00:00:1750000000.123456     100 port.cc:153] oneDNN is on.
2025-06-15 12:00:00.123456: E external/cuda_fft.cc:477] Unable to register
To enable the following instructions: AVX2, in other operations, rebuild.
"""


@pytest.fixture
def leaves_no_file_open():
    files = os.listdir("/proc/self/fd")
    yield
    assert len(os.listdir("/proc/self/fd")) == len(files)


@pytest.mark.usefixtures("leaves_no_file_open")
def test_stderr_aside_takes_out_tensorflows_log_alone(capfd):
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


@pytest.mark.usefixtures("leaves_no_file_open")
def test_stderr_aside_plays_back_when_the_block_raises(capfd):
    def fail():
        with tensorflow_setup._stderr_aside():
            os.write(2, LOG)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    os.write(2, b"after")
    assert capfd.readouterr().err == f"{LOG.decode()}after"


TENSORFLOW = """
import os

from tfstyle.system import tensorflow_setup

tensorflow_setup.start_tensorflow(verbose={verbose})
tensorflow_setup.apply_settings(
    intra_op_threads=1, inter_op_threads=2, tf32=False, deterministic=True
)
print(tensorflow_setup.use_devices(verbose={verbose}))

import keras
import tensorflow as tf
from tensorflow.python.framework import config

print(tf.config.threading.get_intra_op_parallelism_threads())
print(tf.config.threading.get_inter_op_parallelism_threads())
print(keras.config.backend())
print(tf.config.experimental.tensor_float_32_execution_enabled())
print(config.is_op_determinism_enabled())
print(os.environ.get("TF_CPP_MIN_LOG_LEVEL"))
tf.function(lambda x: x @ x)(tf.ones((8, 8)))
"""


@pytest.mark.slow
@pytest.mark.parametrize(("verbose", "level"), [(False, "3"), (True, "None")])
def test_tensorflow_starts_with_settings_and_is_quiet_unless_verbose(
    verbose, level
):
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": "-1"}
    for name in ("KERAS_BACKEND", "TF_CPP_MIN_LOG_LEVEL"):
        environment.pop(name, None)
    code = TENSORFLOW.format(verbose=verbose)
    status, out, err = end_python(start_python(code, env=environment))
    assert status == 0, err
    line, *settings = out.splitlines()
    version = re.escape(metadata.version("tensorflow"))
    assert re.fullmatch(rf"TensorFlow {version} on CPU, 1 threads?", line)
    assert settings == ["1", "2", "tensorflow", "False", "True", level]
    assert (err == "") == (not verbose)


def test_start_tensorflow_refuses_other_backend(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    with pytest.raises(SetupError, match="Received: KERAS_BACKEND='jax'"):
        tensorflow_setup.start_tensorflow()
    assert os.environ["KERAS_BACKEND"] == "jax"


@pytest.mark.parametrize(
    ("seen", "hidden", "is_told"),
    [([], None, True), (["GPU"], None, False), ([], "", False)],
)
def test_gpus_that_tensorflow_does_not_detect_are_told(
    monkeypatch, caplog, seen, hidden, is_told
):
    monkeypatch.setattr(
        tensorflow_setup.glob, "glob", lambda _: ["/dev/nvidia0"]
    )
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda _: seen)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if hidden is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", hidden)
    tensorflow_setup.warn_of_unused_gpus()
    assert ("NVIDIA GPUs of this machine (1)" in caplog.text) == is_told


@pytest.mark.parametrize(
    ("one_gpu", "expected"), [(True, [["a"]]), (False, [])]
)
def test_other_gpus_are_left_to_other_programs(monkeypatch, one_gpu, expected):
    seen = []
    monkeypatch.setattr(
        tf.config, "list_physical_devices", lambda _: ["a", "b"]
    )
    monkeypatch.setattr(
        tf.config, "set_visible_devices", lambda gpus, kind: seen.append(gpus)
    )
    tensorflow_setup.use_devices(one_gpu=one_gpu)
    assert seen == expected
