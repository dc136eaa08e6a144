"""Start-up and signals: TensorFlow loaded quietly, runs stopped cleanly."""

import contextlib
import ctypes
import dataclasses
import gc
import glob
import os
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator

from absl import logging

from tfstyle.config import validation


class SetupError(RuntimeError):
    """The machine or its settings cannot run the program."""


def start_tensorflow(
    *,
    intra_op_threads: int = 0,
    inter_op_threads: int = 1,
    tf32: bool = True,
    deterministic: bool = False,
    verbose: bool = False,
) -> None:
    """Loads TensorFlow and Keras; no device is used yet.

    Args:
        intra_op_threads: threads within one operation; 0: all cores.
        inter_op_threads: operations at once; 0: TensorFlow's choice.
        tf32: whether a GPU may round factors of float32 to TensorFloat-32.
        deterministic: whether TensorFlow must give the same bits every time.
        verbose: whether TensorFlow's own messages reach stderr.

    Raises:
        SetupError: if Keras is told to run on another backend.
    """
    backend = os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    if backend != "tensorflow":
        raise SetupError(
            "Keras must run on the TensorFlow backend. Received:"
            f" KERAS_BACKEND={backend!r}. Unset it."
        )
    if not verbose:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with contextlib.nullcontext() if verbose else _stderr_aside():
        import tensorflow as tf

        if not verbose:
            tf.get_logger().setLevel("ERROR")
        tf.config.threading.set_intra_op_parallelism_threads(intra_op_threads)
        tf.config.threading.set_inter_op_parallelism_threads(inter_op_threads)
        tf.config.experimental.enable_tensor_float_32_execution(tf32)
        if deterministic:
            tf.config.experimental.enable_op_determinism()
        for gpu in tf.config.list_physical_devices("GPU"):
            tf.config.experimental.set_memory_growth(gpu, True)


def use_devices(*, verbose: bool = False) -> str:
    """Uses a device for the first time and returns a line about it.

    Args:
        verbose: whether TensorFlow's own messages reach stderr.
    """
    import tensorflow as tf

    with contextlib.nullcontext() if verbose else _stderr_aside():
        tf.constant(0.0)
    if gpus := tf.config.list_physical_devices("GPU"):
        details = tf.config.experimental.get_device_details(gpus[0])
        device = f"{len(gpus)} GPU ({details.get('device_name', 'unnamed')})"
    else:
        cores = tf.config.threading.get_intra_op_parallelism_threads()
        cores = cores or len(os.sched_getaffinity(0))
        device = f"CPU, {cores} threads"
    return f"TensorFlow {tf.__version__} on {device}"


def find_unused_gpus() -> int:
    """Counts NVIDIA GPUs of this machine that TensorFlow does not see.

    Those that CUDA_VISIBLE_DEVICES hides are not meant to be seen.
    """
    import tensorflow as tf

    if "CUDA_VISIBLE_DEVICES" in os.environ:
        return 0
    if tf.config.list_physical_devices("GPU"):
        return 0
    return len(glob.glob("/dev/nvidia[0-9]*"))


def warn_of_unused_gpus() -> None:
    """Logs a warning if the machine has GPUs that TensorFlow does not see."""
    if number := find_unused_gpus():
        logging.warning(
            "warning: TensorFlow does not see the %d NVIDIA GPU of this"
            " machine: pip install 'tensorflow[and-cuda]'",
            number,
        )


def resolve_for_machine(config):
    """Returns a Config whose `auto`s are what they mean on this machine.

    Args:
        config: a `Config`; one that is resolved already comes back as it is.

    Raises:
        SetupError: if it asks for what the machine has not.
    """
    import tensorflow as tf

    has_gpu = bool(tf.config.list_physical_devices("GPU"))
    if has_gpu and config.convolution == "winograd":
        raise SetupError(
            "`convolution` is winograd, which is for the CPU, but a GPU runs."
            " Give convolution=direct, or hide it: CUDA_VISIBLE_DEVICES=''."
        )
    is_cut = (
        config.tile_size not in (0, "auto")
        or config.strategy in validation.REPLICATED
    )
    is_direct = has_gpu or config.precision != "float32" or is_cut
    choices = {
        "convolution": "direct" if is_direct else "winograd",
        "jit_compile": "true" if has_gpu else "false",
    }
    return dataclasses.replace(
        config,
        **{n: v for n, v in choices.items() if getattr(config, n) == "auto"},
    )


def return_freed_memory() -> None:
    """Gives the system back what is free in Python's and C's memory.

    TensorFlow does not allocate from there: 80 MB of weights that have been
    copied would stay to the end.
    """
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):  # not the GNU C library
        ctypes.CDLL("libc.so.6").malloc_trim(0)


@contextlib.contextmanager
def _stderr_aside() -> Iterator[None]:
    """Sets file descriptor 2 aside and plays it back if the block raises.

    Some of what TensorFlow's libraries say at their start heeds no setting.
    """
    sys.stderr.flush()
    saved = os.dup(2)
    with tempfile.TemporaryFile() as aside:
        os.dup2(aside.fileno(), 2)
        try:
            yield
        except BaseException:
            os.dup2(saved, 2)
            aside.seek(0)
            with os.fdopen(os.dup(2), "wb") as stderr:
                shutil.copyfileobj(aside, stderr)
            raise
        finally:
            os.dup2(saved, 2)
            os.close(saved)


class StopSignals:
    """Turns SIGINT and SIGTERM into the end of a run, a second into an exit.

    Python runs its handlers only between calls of TensorFlow, so a thread
    watches; the second signal ends the process even while TensorFlow works.

    Attributes:
        number: of the signal that came, or None.
    """

    def __init__(self):
        self.number: int | None = None
        self._handlers = {}

    def __enter__(self):
        self._read_end, self._write_end = os.pipe()
        os.set_blocking(self._write_end, False)
        self._old_wakeup = signal.set_wakeup_fd(self._write_end)
        for number in (signal.SIGINT, signal.SIGTERM):
            self._handlers[number] = signal.signal(number, lambda *_: None)
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()
        return self

    def __exit__(self, *_):
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._old_wakeup)
        os.close(self._write_end)
        self._watcher.join()
        os.close(self._read_end)

    def __call__(self) -> str | None:
        """Returns the signal's name if one has come: the run is to end."""
        return signal.Signals(self.number).name if self.number else None

    def _watch(self) -> None:
        while number := os.read(self._read_end, 1):
            if number[0] not in self._handlers:
                continue
            if self.number is not None:
                os._exit(128 + number[0])
            self.number = number[0]
            message = b"\nStopping at this step; again to exit at once.\n"
            with contextlib.suppress(OSError):  # nobody reads it any more
                os.write(2, message)
