"""Free memory of the machine and within the limits of this process."""

import math
import resource
import threading

import psutil

from tfstyle.errors import OutOfMemoryError
from tfstyle.errors import SetupError
from tfstyle.system import control_groups
from tfstyle.system import processors

LOADED = 0.5e9
"""Memory of TensorFlow and other libraries before any computation, bytes."""
ADDRESSES = 1.7e9
"""Address space that libraries and threads reserve (`ulimit -v`), bytes."""


def check_program_fits() -> None:
    """Checks that there is enough memory for the program's libraries.

    Otherwise they would end the process by a signal, or after pages of
    messages.

    Raises:
        OutOfMemoryError: if there is not enough memory.
        SetupError: if not enough threads can be started.
    """
    left, free = free_addresses(), free_memory(with_swap=True)
    remedy = "Close other programs, or raise the container's limit."
    need = LOADED
    if left < ADDRESSES:
        free, need = left, ADDRESSES
        remedy = "Raise the limit (ulimit -v)."
    if free < need:
        raise OutOfMemoryError(
            f"There is not enough memory to start: {free / 1e9:.2f} GB are"
            f" free, and TensorFlow alone needs {need / 1e9:.1f} GB. {remedy}"
        )
    cores = processors.count_cores()
    _check_threads(2 * cores + 8)  # NumPy's, TensorFlow's and some of our own


def _check_threads(needed: int) -> None:
    """Checks the limit of threads by starting and ending `needed` threads.

    Not by a pool, which a Ctrl-C can leave waiting for its own lock.
    """
    is_over = threading.Event()
    waiting: list[threading.Thread] = []
    try:
        for _ in range(needed):
            thread = threading.Thread(target=is_over.wait, daemon=True)
            thread.start()
            waiting.append(thread)
    except RuntimeError as error:
        raise SetupError(
            f"Only {len(waiting)} of the {needed} threads that the program"
            " needs can be started. Close other programs, or raise the"
            " limit (ulimit -u, or that of the container or job)."
        ) from error
    finally:
        is_over.set()
        for thread in waiting:
            thread.join()


def free_memory(*, with_swap: bool = False) -> float:
    """Returns the memory that this process can still allocate, in bytes.

    The minimum of the machine's free memory, the limits of control groups and
    the limit of the address space; infinity if unknown.

    Args:
        with_swap: True to include swap space.
    """
    try:
        free = psutil.virtual_memory().available
        free += psutil.swap_memory().free if with_swap else 0
    except (OSError, RuntimeError, psutil.Error):
        free = math.inf
    for folder in control_groups.folders("memory"):
        limit = control_groups.read_number(
            folder, "memory.max", "memory.limit_in_bytes"
        )
        used = control_groups.read_number(
            folder, "memory.current", "memory.usage_in_bytes"
        )
        if limit is not None and used is not None:
            free = min(free, max(0, limit - used + _reclaimable(folder)))
    return float(min(free, free_addresses()))


def free_addresses() -> float:
    """Returns the address space left by `ulimit -v`, in bytes."""
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit == resource.RLIM_INFINITY:
        return math.inf
    return float(max(0, limit - psutil.Process().memory_info().vms))


def used_memory() -> float:
    """Returns the resident memory of this process without files, in bytes."""
    info = psutil.Process().memory_info()
    return float(info.rss - getattr(info, "shared", 0))


def _reclaimable(folder: str) -> int:
    """Returns the reclaimable page cache of a control group, in bytes."""
    text = control_groups.read_text(folder, "memory.stat") or ""
    fields = dict(line.split() for line in text.splitlines())
    names = ("active_file", "inactive_file")
    return sum(int(fields.get(name, 0)) for name in names)
