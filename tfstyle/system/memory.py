"""Free memory of the machine, and of the control groups of this process."""

import math

import psutil

from tfstyle.system import control_groups


def free_memory() -> float:
    """Returns the bytes that this process may still take.

    That is the machine's free memory, or less if control groups limit it;
    infinity if the system does not tell.
    """
    try:
        free = psutil.virtual_memory().available
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
    return float(free)


def _reclaimable(folder: str) -> int:
    """Returns the bytes of files that a group gives back when asked."""
    text = control_groups.read_text(folder, "memory.stat") or ""
    fields = dict(line.split() for line in text.splitlines())
    return int(fields.get("inactive_file", 0))
