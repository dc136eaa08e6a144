"""Start of TensorFlow: quiet import, settings and devices."""

import contextlib
import ctypes
import gc
import glob
import os
import re
import sys
import tempfile
from collections.abc import Iterator

from absl import logging

from tfstyle.errors import SetupError
from tfstyle.system import processors

DEFAULT_THREADS = (0, 1)
"""Threads within an operation (0: all cores) and concurrent operations."""
_process: int | None = None
"""Id of the process in which this module started TensorFlow."""


def start_tensorflow(*, verbose: bool = False, is_alone: bool = True) -> None:
    """Imports TensorFlow; uses no device yet.

    Args:
        verbose: True to show TensorFlow's own messages on stderr.
        is_alone: False if processes share a picture: their convolutions are
            direct, so oneDNN is left to TensorFlow.

    Raises:
        SetupError: if Keras is set to another backend.
    """
    global _process
    backend = os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    if backend != "tensorflow":
        raise SetupError(
            "Keras must run on the TensorFlow backend. Received:"
            f" KERAS_BACKEND={backend!r}. Unset it."
        )
    if not verbose:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if is_alone:
        processors.request_onednn()
    with contextlib.nullcontext() if verbose else _stderr_aside():
        import tensorflow as tf

        if not verbose:
            tf.get_logger().setLevel("ERROR")
        _process = os.getpid()
        for gpu in tf.config.list_physical_devices("GPU"):
            try:
                tf.config.experimental.set_memory_growth(gpu, True)
            except RuntimeError:
                logging.warning(
                    "warning: TensorFlow was used before tfstyle, so it"
                    " reserves all memory of the GPU"
                )


def check_usable() -> None:
    """Checks that TensorFlow executes eagerly and was not forked.

    It would hang in a forked process.

    Raises:
        SetupError: if this process was forked from one in which TensorFlow was
            started, or execution is not eager.
    """
    import tensorflow as tf

    if _process is not None and _process != os.getpid():
        raise SetupError(
            f"TensorFlow was started in process {_process}, from which this one"
            " was forked without its threads. Call tfstyle only after the fork,"
            " or start processes by spawn."
        )
    if not tf.executing_eagerly():
        raise SetupError(
            "TensorFlow must execute eagerly, unlike within a graph or a"
            " tf.function, or after tf.compat.v1.disable_eager_execution() or"
            " disable_v2_behavior(). Call tfstyle outside of them, or in a"
            " process of its own."
        )


def apply_settings(
    *,
    intra_op_threads: int = 0,
    inter_op_threads: int = 1,
    tf32: bool = True,
    deterministic: bool = False,
) -> None:
    """Applies settings of TensorFlow, which are global to the process.

    Args:
        intra_op_threads: threads within one operation; 0: all cores available
            to this process.
        inter_op_threads: concurrent operations; 0: TensorFlow's choice. Default
            numbers of threads have no effect if TensorFlow was used before.
        tf32: True to let GPUs round float32 factors to TensorFloat-32.
        deterministic: True to make TensorFlow reproducible bit for bit; cannot
            be switched off again.

    Raises:
        SetupError: if threads are given that differ from the defaults, after
            TensorFlow was used.

    Notes:
        TensorFloat-32 does not degrade pictures. Emulated on the CPU by
        rounding factors, two pictures of 256 px ended at losses of 0.0888 and
        0.1269 with the network's convolutions in it, at 0.0894 and 0.1271 with
        Gram products as well, at 0.0894 and 0.1271 with L-BFGS' products as
        well; in float32 at 0.0897 and 0.1268.
    """
    import tensorflow as tf

    try:
        tf.config.threading.set_intra_op_parallelism_threads(
            intra_op_threads or processors.count_cores()
        )
        tf.config.threading.set_inter_op_parallelism_threads(inter_op_threads)
    except RuntimeError as error:
        if (intra_op_threads, inter_op_threads) != DEFAULT_THREADS:
            raise SetupError(
                "`intra_op_threads` and `inter_op_threads` must be given"
                " before TensorFlow is used for the first time in a process."
                " Restart it (in a notebook, the kernel)."
            ) from error
    tf.config.experimental.enable_tensor_float_32_execution(tf32)
    if deterministic:
        tf.config.experimental.enable_op_determinism()


@contextlib.contextmanager
def without_tf32() -> Iterator[None]:
    """Disables TensorFloat-32 in the block.

    TensorFlow reads the setting when an operation runs, not when it is traced.
    """
    import tensorflow as tf

    settings = tf.config.experimental
    before = settings.tensor_float_32_execution_enabled()
    settings.enable_tensor_float_32_execution(False)
    try:
        yield
    finally:
        settings.enable_tensor_float_32_execution(before)


def use_devices(*, one_gpu: bool = False, verbose: bool = False) -> str:
    """Initialises the devices and returns a description of them.

    Args:
        one_gpu: True to hide all GPUs but the first from TensorFlow, which
            takes some memory of each visible one.
        verbose: True to show TensorFlow's own messages on stderr.
    """
    import tensorflow as tf

    if one_gpu:
        with contextlib.suppress(RuntimeError):  # used before, as in a notebook
            gpus = tf.config.list_physical_devices("GPU")
            tf.config.set_visible_devices(gpus[:1], "GPU")
    with contextlib.nullcontext() if verbose else _stderr_aside():
        tf.constant(0.0)
    if gpus := tf.config.get_visible_devices("GPU"):
        details = tf.config.experimental.get_device_details(gpus[0])
        device = f"{len(gpus)} GPU ({details.get('device_name', 'unnamed')})"
    else:
        cores = tf.config.threading.get_intra_op_parallelism_threads()
        cores = cores or processors.count_cores()
        device = f"CPU, {cores} threads"
    return f"TensorFlow {tf.__version__} on {device}"


def warn_of_unused_gpus() -> None:
    """Logs a warning if TensorFlow does not detect the machine's NVIDIA GPUs.

    If CUDA_VISIBLE_DEVICES is set, they may be hidden on purpose.
    """
    import tensorflow as tf

    number = len(glob.glob("/dev/nvidia[0-9]*"))
    is_seen = bool(tf.config.list_physical_devices("GPU"))
    if number and not is_seen and "CUDA_VISIBLE_DEVICES" not in os.environ:
        logging.warning(
            "warning: TensorFlow does not detect the NVIDIA GPUs of this"
            " machine (%d): pip install 'tensorflow[and-cuda]'",
            number,
        )


def return_freed_memory() -> None:
    """Returns unused memory of the Python and C heaps to the system.

    TensorFlow has its own allocator, so 80 MB of weights that have been copied
    would otherwise stay allocated until the process ends.
    """
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):  # not the GNU C library
        ctypes.CDLL("libc.so.6").malloc_trim(0)


_NO_NOISE = re.compile(
    rb"(?![IWE]\d{4} \d\d:\d\d:|\d{4}-\d\d-\d\d [\d:.]+: [IWE] "
    rb"|WARNING: All log messages before |To enable the following instructions)"
)
"""Pattern of lines that are not TensorFlow log messages, except fatal ones.

TensorFlow logs some lines before it reads TF_CPP_MIN_LOG_LEVEL.
"""


@contextlib.contextmanager
def _stderr_aside() -> Iterator[None]:
    """Filters TensorFlow's log messages from stderr in the block.

    File descriptor 2 is redirected to a temporary file, whose remaining lines
    are written after the block; all lines if the block raises.
    """
    try:
        aside = tempfile.TemporaryFile()  # noqa: SIM115
    except OSError:  # no folder for temporary files
        yield
        return
    with aside:
        sys.stderr.flush()
        saved = os.dup(2)
        os.dup2(aside.fileno(), 2)
        is_kept = re.compile(b"")
        try:
            yield
            is_kept = _NO_NOISE
        finally:
            sys.stderr.flush()
            os.dup2(saved, 2)
            os.close(saved)
            aside.seek(0)
            os.write(2, b"".join(filter(is_kept.match, aside)))
