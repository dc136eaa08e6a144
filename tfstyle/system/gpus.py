"""GPUs used by TensorFlow, and their free memory."""

import math
import os

CONTEXT = 0.5e9
"""GPU memory of a CUDA context, bytes; an estimate."""


def find_gpus() -> list[str]:
    """Returns the names of the GPUs used by TensorFlow."""
    import tensorflow as tf

    return [device.name for device in tf.config.get_visible_devices("GPU")]


def has_gpu() -> bool:
    """True if TensorFlow uses a GPU."""
    return bool(find_gpus())


def free_gpu_memory() -> float:
    """Returns the smallest memory available to a run on any GPU, in bytes.

    Memory used by other programs is subtracted, according to NVML; memory held
    by this program is available. Infinity if NVML is missing or fails.
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
            for number in (int(name.rpartition(":")[2]) for name in find_gpus())
        )
    except pynvml.NVMLError:
        return math.inf
    finally:
        pynvml.nvmlShutdown()


def _find_device(number: int):
    """Returns the NVML handle of a GPU, by its number among visible devices."""
    import pynvml

    names = os.environ.get("CUDA_VISIBLE_DEVICES")
    name = names.split(",")[number].strip() if names else str(number)
    if name.isdigit():
        return pynvml.nvmlDeviceGetHandleByIndex(int(name))
    return pynvml.nvmlDeviceGetHandleByUUID(name)


def _held_memory(number: int) -> float:
    """Returns the GPU memory held by this program, in bytes.

    That is the peak of TensorFlow's allocations, which it never gives back, and
    the CUDA context.
    """
    import tensorflow as tf

    logical = tf.config.list_logical_devices("GPU")
    if number >= len(logical):
        return 0.0
    peak = tf.config.experimental.get_memory_info(logical[number].name)["peak"]
    return CONTEXT + peak
