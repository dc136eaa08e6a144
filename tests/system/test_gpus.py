"""Free memory of GPUs; NVIDIA's library answers as it says it would."""

import math
import sys
from unittest import mock

import pynvml
import pytest
import tensorflow as tf

from tfstyle.system import gpus

GB = 1e9


@pytest.fixture
def machine(monkeypatch):
    """Two GPUs of whose memory 70 and 30 GB are free, by NVIDIA's library."""
    library = mock.create_autospec(pynvml)
    library.NVMLError = pynvml.NVMLError
    library.nvmlDeviceGetHandleByIndex.side_effect = [70, 30].__getitem__
    library.nvmlDeviceGetHandleByUUID.side_effect = {"GPU-b": 30}.__getitem__
    library.nvmlDeviceGetMemoryInfo.side_effect = lambda handle: mock.Mock(
        free=handle * GB
    )
    monkeypatch.setitem(sys.modules, "pynvml", library)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    see(monkeypatch, 2)
    return library


def see(monkeypatch, number):
    """Lets TensorFlow use so many GPUs, of which it holds nothing yet."""
    names = [f"/physical_device:GPU:{place}" for place in range(number)]
    monkeypatch.setattr(gpus, "find_gpus", lambda: names)
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: [])


@pytest.mark.parametrize(
    ("visible", "number", "expected"),
    [("", 2, 30), ("", 1, 70), ("1", 1, 30), ("GPU-b", 1, 30), ("1, 0", 1, 30)],
)
def test_memory_is_that_of_the_least_gpu_that_cuda_sees(
    machine, monkeypatch, visible, number, expected
):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    see(monkeypatch, number)
    assert gpus.free_gpu_memory() == expected * GB
    assert machine.nvmlShutdown.call_count == 1


def test_what_the_program_holds_is_its_own(machine, monkeypatch):
    see(monkeypatch, 1)
    device = mock.Mock()
    device.name = "/device:GPU:0"
    monkeypatch.setattr(
        tf.config, "list_logical_devices", lambda kind: [device]
    )
    monkeypatch.setattr(
        tf.config.experimental,
        "get_memory_info",
        {"/device:GPU:0": {"current": 1, "peak": 5 * GB}}.get,
    )
    assert gpus.free_gpu_memory() == 75 * GB + gpus.CONTEXT


def test_memory_is_unknown_if_the_library_does_not_tell(machine):
    error = pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)
    machine.nvmlDeviceGetMemoryInfo.side_effect = error
    assert gpus.free_gpu_memory() == math.inf
    assert machine.nvmlShutdown.call_count == 1
    machine.nvmlInit.side_effect = error
    assert gpus.free_gpu_memory() == math.inf


def test_memory_is_unknown_without_the_library(machine, monkeypatch):
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert gpus.free_gpu_memory() == math.inf


def test_memory_is_unknown_without_a_driver(monkeypatch):
    """The library as it is, on a machine without NVIDIA's driver."""
    if gpus.has_gpu():
        pytest.skip("there is a GPU")
    see(monkeypatch, 1)
    assert gpus.free_gpu_memory() == math.inf
    assert not tf.config.get_visible_devices("GPU")
