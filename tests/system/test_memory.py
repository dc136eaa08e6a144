"""Free memory."""

import os
import re

import pytest

from tfstyle.system import memory


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
    (tmp_path / "memory.stat").write_text("anon 1\ninactive_file 50000\n")
    groups = [str(tmp_path), str(tmp_path / "absent")]
    monkeypatch.setattr(memory, "_control_groups", lambda: groups)
    assert memory.free_memory() == 350_000
    (tmp_path / limit).write_text("max\n")
    assert memory.free_memory() > 1_000_000


def test_control_groups_are_this_process_own():
    folders = memory._control_groups()
    assert folders
    assert any(os.path.isdir(folder) for folder in folders)
