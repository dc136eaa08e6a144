"""Cores that this process may use, and what they are good at."""

import functools
import math
import os
import re

from tfstyle.system import control_groups

_FOR_NETWORKS = {
    *("avx512_vnni", "avx512_bf16", "avx_vnni"),
    *("amx_tile", "amx_int8", "amx_bf16"),
}
"""Instructions of x86 processors, as Linux names them."""
_FOR_BFLOAT16 = {"avx512_bf16", "amx_bf16"}


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


@functools.cache
def has_onednn() -> bool:
    """Returns whether TensorFlow's convolutions on the CPU are oneDNN's.

    They are where the processor has instructions for networks, unless the
    environment says otherwise.
    """
    if said := os.environ.get("TF_ENABLE_ONEDNN_OPTS"):
        return said.lower() in ("1", "true")
    return bool(_FOR_NETWORKS & set(_read_field("flags").split()))


def has_bfloat16() -> bool:
    """Returns whether the processor has instructions for bfloat16.

    They need not be faster than those for float32.
    """
    return bool(_FOR_BFLOAT16 & set(_read_field("flags").split()))


def name_processor() -> str:
    """Returns the name of the processor's model, empty if it is unknown."""
    return _read_field("model name")


def _read_field(name: str) -> str:
    """Returns what Linux tells of the first processor; empty if nothing."""
    text = control_groups.read_text("/proc", "cpuinfo") or ""
    found = re.search(rf"(?m)^{name}\s*:(.*)", text)
    return found[1].strip() if found else ""


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
