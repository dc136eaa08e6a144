"""The GPUs that TensorFlow uses, and their free memory."""

import math
import os

CONTEXT = 0.5e9
"""Bytes that CUDA takes of a GPU for a program; not measured."""


def find_gpus() -> list[str]:
    """Returns the names of the GPUs that TensorFlow uses."""
    import tensorflow as tf

    return [device.name for device in tf.config.get_visible_devices("GPU")]


def has_gpu() -> bool:
    """Returns whether TensorFlow uses a GPU."""
    return bool(find_gpus())


def free_gpu_memory() -> float:
    """Returns the bytes that a run may have of the GPU that has least.

    What other programs hold is counted, by NVIDIA's library; what this one
    holds is its own. Infinity if the library is missing or does not tell.
    """
    try:
        import pynvml

        pynvml.nvmlInit()
    except (ImportError, OSError):
        return math.inf
    except pynvml.NVMLError:
        return math.inf
    try:
        return min(
            pynvml.nvmlDeviceGetMemoryInfo(_find_device(number)).free
            + _held_memory(number)
            for number in map(_number_of, find_gpus())
        )
    except pynvml.NVMLError:
        return math.inf
    finally:
        pynvml.nvmlShutdown()


def _number_of(name: str) -> int:
    return int(name.rpartition(":")[2])


def _find_device(number: int):
    """Returns NVIDIA's device of a number among those that CUDA sees."""
    import pynvml

    names = os.environ.get("CUDA_VISIBLE_DEVICES")
    name = names.split(",")[number].strip() if names else str(number)
    if name.isdigit():
        return pynvml.nvmlDeviceGetHandleByIndex(int(name))
    return pynvml.nvmlDeviceGetHandleByUUID(name)


def _held_memory(number: int) -> float:
    """Returns the bytes that this program holds, as far as they are its own.

    TensorFlow keeps what it ever had at once.
    """
    import tensorflow as tf

    logical = tf.config.list_logical_devices("GPU")
    if number >= len(logical):
        return 0.0
    peak = tf.config.experimental.get_memory_info(logical[number].name)["peak"]
    return CONTEXT + peak
