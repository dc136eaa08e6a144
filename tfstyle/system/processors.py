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
_FAST_BFLOAT16 = {"amx_bf16"}
"""Instructions with which the network is clearly faster in bfloat16.

On 2 cores of a Xeon with AMX and TensorFlow 2.21 an evaluation takes 0.84 of
the time of float32 at 512 px and 0.86 at 256 px (medians of 15 pairs). The dot
products of AVX-512 alone are no clear gain.
"""


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


def is_bfloat16_faster() -> bool:
    """Returns whether the network is clearly faster in bfloat16 than float32.

    It decides pixels, so the processor's kind tells and no timing: the same
    machine must make the same picture every time.
    """
    has_it = bool(_FAST_BFLOAT16 & set(_read_field("flags").split()))
    return has_it and has_onednn()


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
