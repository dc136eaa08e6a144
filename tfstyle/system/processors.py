"""CPU cores available to this process, and their instruction sets."""

import contextlib
import functools
import math
import os
import re
import sys
from importlib import metadata

from tfstyle.system import control_groups

_FOR_NETWORKS = {
    *("avx512_vnni", "avx512_bf16", "avx_vnni"),
    *("amx_tile", "amx_int8", "amx_bf16"),
}
"""x86 instruction sets for neural networks, as named by Linux."""
_SWITCH = "TF_ENABLE_ONEDNN_OPTS"
NEWEST_WITH_ONEDNN = (2, 21)
"""Newest TensorFlow that is asked to use oneDNN with AVX2.

With 2.22.0rc0 a direct convolution took minutes for a picture of 64x48 px.
"""


def count_cores() -> int:
    """Returns the number of cores available to this process, at least 1.

    The minimum of the system's CPU affinity and the container's quota.
    """
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # not Linux
        cores = os.cpu_count() or 1
    quotas = map(_read_quota, control_groups.folders("cpu"))
    return max(1, math.ceil(min([cores, *filter(None, quotas)])))


def request_onednn() -> None:
    """Asks TensorFlow to use oneDNN, by its environment variable.

    By itself it does so only with instructions for neural networks. It reads
    the variable when it is imported; what the user has set is kept.

    Notes:
        On 2 cores of an AMD EPYC with AVX2 and TensorFlow 2.21 an evaluation
        with Winograd's convolution takes 0.6 of the time without oneDNN at 512
        px. Products with 36 matrices of 1024x256 run at 124 in place of 84
        GFLOP/s, and freed memory is kept, in place of 400000 page faults.
    """
    is_early = "tensorflow" not in sys.modules
    is_known = (0, 0) < _find_tensorflow() <= NEWEST_WITH_ONEDNN
    if is_early and is_known and "avx2" in _read_instruction_sets():
        os.environ.setdefault(_SWITCH, "1")


def _find_tensorflow() -> tuple[int, int]:
    """Returns the version of the installed TensorFlow, zeros if not known."""
    for name in ("tensorflow", "tensorflow-cpu"):
        with contextlib.suppress(metadata.PackageNotFoundError):
            major, minor = metadata.version(name).split(".")[:2]
            return int(major), int(minor)
    return 0, 0


@functools.cache
def has_onednn() -> bool:
    """True if TensorFlow uses oneDNN on the CPU.

    It does if the processor has instructions for neural networks, unless
    `TF_ENABLE_ONEDNN_OPTS` is set.
    """
    if said := os.environ.get(_SWITCH):
        return said.lower() in ("1", "true")
    return bool(_FOR_NETWORKS & _read_instruction_sets())


@functools.cache
def is_gradient_faster() -> bool:
    """True if oneDNN's gradients are faster than its forward passes.

    That is so with AVX2 and no AVX-512; see `network.direct`.
    """
    found = _read_instruction_sets()
    return has_onednn() and "avx2" in found and "avx512f" not in found


def is_bfloat16_faster() -> bool:
    """True if the network is clearly faster in bfloat16 than in float32.

    The result affects the pixels, so it depends on the processor's instruction
    sets, not on a timing: a machine must always produce the same picture.

    Notes:
        On 2 cores of a Xeon with AMX and TensorFlow 2.21 an evaluation takes
        0.84 of the time of float32 at 512 px and 0.86 at 256 px (medians of 15
        pairs). The dot products of AVX-512 alone give no clear gain.
    """
    return "amx_bf16" in _read_instruction_sets() and has_onednn()


def _read_instruction_sets() -> set[str]:
    """Returns the instruction sets of an x86 processor, as named by Linux."""
    text = control_groups.read_text("/proc", "cpuinfo") or ""
    found = re.search(r"(?m)^flags\s*:(.*)", text)
    return set(found[1].split()) if found else set()


def _read_quota(folder: str) -> float | None:
    """Returns the CPU quota of a control group, in cores; None: no limit."""
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
