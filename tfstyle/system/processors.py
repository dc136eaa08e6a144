"""Cores that this process may use."""

import math
import os

from tfstyle.system import control_groups


def count_cores() -> int:
    """Returns how many cores this process may use, at least 1.

    Those that the system gives it, or fewer if a container's quota says so.
    """
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # not Linux
        cores = os.cpu_count() or 1
    quotas = map(_read_quota, control_groups.folders("cpu"))
    return max(1, math.ceil(min([cores, *filter(None, quotas)])))


def _read_quota(folder: str) -> float | None:
    """Returns the cores that a group may use at once; None: no limit."""
    text = control_groups.read_text(folder, "cpu.max")
    if text is None:
        quota = control_groups.read_number(folder, "cpu.cfs_quota_us")
        period = control_groups.read_number(folder, "cpu.cfs_period_us")
    else:
        quota, period = (
            int(word) if word.isdecimal() else None
            for word in f"{text} 100000".split()[:2]
        )
    return quota / period if quota and period else None
