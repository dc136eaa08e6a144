"""Free memory and cores, as the machine and containers give them."""

import math
import os
import re
import sys
import threading
from importlib import metadata

import psutil
import pytest

from tests.processes import end_python
from tests.processes import start_python
from tfstyle.errors import OutOfMemoryError
from tfstyle.errors import SetupError
from tfstyle.system import control_groups
from tfstyle.system import memory
from tfstyle.system import processors
from tfstyle.system.processors import is_bfloat16_faster  # not a stand-in


def test_free_memory_is_what_the_machine_has_at_most():
    with open("/proc/meminfo", encoding="ascii") as file:
        available = int(re.search(r"MemAvailable:\s+(\d+)", file.read())[1])
    assert 0 < memory.free_memory() < 1.1 * available * 1024


@pytest.mark.parametrize(
    ("limit", "used"),
    [
        ("memory.max", "memory.current"),
        ("memory.limit_in_bytes", "memory.usage_in_bytes"),
    ],
)
def test_limit_of_a_control_group_counts(monkeypatch, tmp_path, limit, used):
    (tmp_path / limit).write_text("700000\n")
    (tmp_path / used).write_text("400000\n")
    (tmp_path / "memory.stat").write_text(
        "anon 1\nactive_file 20000\ninactive_file 30000\n"
    )
    groups = [str(tmp_path), str(tmp_path / "absent")]
    monkeypatch.setattr(control_groups, "folders", lambda _: groups)
    assert memory.free_memory() == 350_000
    (tmp_path / limit).write_text("max\n")
    assert memory.free_memory() > 1_000_000


def test_free_memory_that_is_not_told_is_unlimited(monkeypatch):
    def fail():
        raise FileNotFoundError("/proc/meminfo")

    monkeypatch.setattr(psutil, "virtual_memory", fail)
    monkeypatch.setattr(control_groups, "folders", lambda _: [])
    assert memory.free_memory() == math.inf


LIMITED = """
import resource
from tfstyle.system import memory

limit = {limit}
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
print(memory.free_memory())
memory.check_program_fits()
"""


@pytest.mark.parametrize(("limit", "fits"), [(10**9, False), (3 * 10**9, True)])
def test_limit_of_the_address_space_counts(limit, fits):
    status, out, err = end_python(start_python(LIMITED.format(limit=limit)))
    assert 0.5 * limit < float(out) < limit
    assert (status == 0) == fits
    assert ("(ulimit -v)" in err) == (not fits)


def test_program_is_refused_where_the_machine_has_no_memory(monkeypatch):
    monkeypatch.setattr(memory, "free_memory", lambda with_swap: 3e8)
    with pytest.raises(OutOfMemoryError, match=r"0\.30 GB are free"):
        memory.check_program_fits()


def test_program_is_refused_where_there_is_no_room_for_threads(monkeypatch):
    threads = set(threading.enumerate())
    start = threading.Thread.start

    def start_five(thread):
        if threading.active_count() >= len(threads) + 5:
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", start_five)
    with pytest.raises(SetupError, match=r"^Only 5 of the "):
        memory.check_program_fits()
    assert set(threading.enumerate()) == threads


def test_swap_counts_only_where_it_is_asked_for(monkeypatch):
    swap = psutil.swap_memory()._replace(free=10**12)
    monkeypatch.setattr(psutil, "swap_memory", lambda: swap)
    monkeypatch.setattr(control_groups, "folders", lambda _: [])
    assert memory.free_memory() < 10**12
    assert memory.free_memory(with_swap=True) > 10**12


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({"cpu.max": "150000 100000"}, 2),
        ({"cpu.max": "50000 100000"}, 1),
        ({"cpu.max": "max 100000"}, 64),
        ({"cpu.cfs_quota_us": "300000", "cpu.cfs_period_us": "100000"}, 3),
        ({"cpu.cfs_quota_us": "-1", "cpu.cfs_period_us": "100000"}, 64),
        ({}, 64),
    ],
)
def test_quota_of_a_container_limits_the_cores(
    monkeypatch, tmp_path, files, cores
):
    for name, text in files.items():
        (tmp_path / name).write_text(f"{text}\n")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)))
    monkeypatch.setattr(control_groups, "folders", lambda _: [str(tmp_path)])
    assert processors.count_cores() == cores


@pytest.mark.parametrize(
    ("text", "is_faster"),
    [
        ("model name\t: A\nflags\t\t: fpu amx_tile amx_bf16\n", True),
        ("model name\t: A B\nflags\t\t: fpu avx512_bf16 ht\n", False),
        ("model name\t: A\nflags\t\t: fpu avx512_vnni\n", False),
        ("processor\t: 0\nFeatures\t: fp asimd bf16\n", False),  # ARM
        (None, False),
    ],
)
def test_processor_decides_whether_bfloat16_is_faster(
    monkeypatch, text, is_faster
):
    monkeypatch.setattr(control_groups, "read_text", lambda *_: text)
    monkeypatch.delenv("TF_ENABLE_ONEDNN_OPTS", raising=False)
    processors.has_onednn.cache_clear()
    assert is_bfloat16_faster() == is_faster
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "0")
    processors.has_onednn.cache_clear()
    assert not is_bfloat16_faster()
    processors.has_onednn.cache_clear()


@pytest.mark.parametrize(
    ("flags", "said", "is_imported", "version", "expected"),
    [
        ("fpu avx2 fma", None, False, "2.21.0", "1"),
        ("fpu avx2 fma", "0", False, "2.21.0", "0"),
        ("fpu avx2 fma", None, True, "2.21.0", None),
        ("fpu avx2 fma", None, False, "2.22.0rc0", None),
        ("fpu avx2 fma", None, False, None, None),
        ("fpu avx", None, False, "2.16.2", None),
    ],
)
def test_onednn_is_requested_before_tensorflow_is_imported(
    monkeypatch, flags, said, is_imported, version, expected
):
    def find_version(name):
        if name != "tensorflow-cpu" or version is None:
            raise metadata.PackageNotFoundError
        return version

    monkeypatch.setattr(metadata, "version", find_version)
    name = "TF_ENABLE_ONEDNN_OPTS"
    text = f"flags\t\t: {flags}\n"
    monkeypatch.setattr(control_groups, "read_text", lambda *_: text)
    monkeypatch.setenv(name, said or "")  # put back at the end
    if said is None:
        monkeypatch.delenv(name)
    if not is_imported:
        monkeypatch.delitem(sys.modules, "tensorflow")
    processors.request_onednn()
    assert os.environ.get(name) == expected


@pytest.mark.parametrize(
    ("flags", "said", "expected"),
    [
        ("avx2 fma", "1", True),
        ("avx2 fma", "0", False),
        ("avx2 avx512f", "1", False),
        ("fma", "1", False),
    ],
)
def test_gradients_are_faster_with_onednn_and_avx2_alone(
    monkeypatch, flags, said, expected
):
    text = f"flags\t\t: {flags}\n"
    monkeypatch.setattr(control_groups, "read_text", lambda *_: text)
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", said)
    processors.has_onednn.cache_clear()
    assert processors.is_gradient_faster.__wrapped__() == expected
    processors.has_onednn.cache_clear()


def test_system_without_control_groups_has_none(monkeypatch):
    def refuse(path, *_, **__):
        raise FileNotFoundError(path)

    monkeypatch.setattr("builtins.open", refuse)
    assert control_groups.folders("memory") == []


@pytest.mark.parametrize("controller", ["memory", "cpu"])
def test_control_groups_are_this_process_own(controller):
    folders = control_groups.folders(controller)
    assert folders
    assert any(os.path.isdir(folder) for folder in folders)
