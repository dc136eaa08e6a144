"""The machine that runs are planned for."""

from tfstyle.system import machine
from tfstyle.system.machine import Machine

GB = 1e9


def test_memory_of_a_run_is_the_free_memory_and_the_program_s(monkeypatch):
    monkeypatch.setattr(machine, "free_memory", lambda with_swap: 2 * GB)
    monkeypatch.setattr(machine, "used_memory", lambda: 0.3 * GB)
    assert Machine().free_for_run(GB) == 2.3 * GB
    monkeypatch.setattr(machine, "used_memory", lambda: 30 * GB)
    assert Machine().free_for_run(GB) == 2 * GB + machine.PROGRAM


def test_memory_of_a_run_on_a_gpu_is_the_gpu_s(monkeypatch):
    monkeypatch.setattr(machine, "free_memory", lambda with_swap: 0.0)
    monkeypatch.setattr(machine.gpus, "free_gpu_memory", lambda: 3 * GB)
    assert Machine(has_gpu=True).free_for_run(GB) == 3 * GB


def test_find_describes_this_machine():
    found = Machine.find("mirrored", 2)
    assert (found.strategy, found.num_replicas) == ("mirrored", 2)
    assert found.memory is None
