"""Whether bfloat16 is taken, by timings that are given, and their cache."""

import json
import os

import pytest

from tfstyle.network import bfloat16_speed
from tfstyle.system import processors

MACHINE = "A processor, 2 cores, TensorFlow 2"


class Measurements:
    """A `measure_gain` that returns what it is given, and counts its calls."""

    def __init__(self):
        self.gain = 1.5
        self.count = 0

    def __call__(self):
        self.count += 1
        return self.gain


@pytest.fixture
def measured(monkeypatch, tmp_path):
    """Replaces timings on a processor with bfloat16 and an empty cache."""
    measurements = Measurements()
    monkeypatch.setenv("TFSTYLE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(processors, "has_bfloat16", lambda: True)
    monkeypatch.setattr(processors, "has_onednn", lambda: True)
    monkeypatch.setattr(bfloat16_speed, "describe_machine", lambda: MACHINE)
    monkeypatch.setattr(bfloat16_speed, "measure_gain", measurements)
    bfloat16_speed.is_bfloat16_faster.cache_clear()
    yield measurements
    bfloat16_speed.is_bfloat16_faster.cache_clear()


def ask():
    """Returns the choice of a new process."""
    bfloat16_speed.is_bfloat16_faster.cache_clear()
    return bfloat16_speed.is_bfloat16_faster()


@pytest.mark.parametrize(
    ("gain", "is_faster"), [(0.6, False), (1.09, False), (1.1, True), (2, True)]
)
def test_choice_follows_the_timing(measured, gain, is_faster):
    measured.gain = float(gain)
    assert ask() is is_faster
    assert ask() is is_faster  # from the cache
    assert measured.count == 1


def test_choice_holds_in_a_process_without_a_cache(measured, tmp_path):
    (tmp_path / "cache").write_text("a file where the folder should be")
    assert ask()
    measured.gain = 0.5
    assert bfloat16_speed.is_bfloat16_faster()
    assert not ask()
    assert measured.count == 2


@pytest.mark.parametrize("name", ["has_bfloat16", "has_onednn"])
def test_nothing_is_timed_without_instructions(measured, monkeypatch, name):
    monkeypatch.setattr(processors, name, lambda: False)
    assert not ask()
    assert measured.count == 0


def test_cache_keeps_machines_apart(measured, monkeypatch, tmp_path):
    assert ask()
    other = "Another processor, 2 cores, TensorFlow 2"
    monkeypatch.setattr(bfloat16_speed, "describe_machine", lambda: other)
    measured.gain = 0.5
    assert not ask()
    path = tmp_path / "cache" / bfloat16_speed.FILE
    assert json.loads(path.read_text()) == {MACHINE: 1.5, other: 0.5}
    assert os.listdir(tmp_path / "cache") == [bfloat16_speed.FILE]


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[" * 100_000,
        b"[1.5]",
        b"null",
        json.dumps({MACHINE: "fast"}).encode(),
        json.dumps({MACHINE: True}).encode(),
        json.dumps({MACHINE: -2.0}).encode(),
        b'{"%s": NaN}' % MACHINE.encode(),
        b'{"%s": Infinity}' % MACHINE.encode(),
        b'{"%s": 1e999}' % MACHINE.encode(),
    ],
)
def test_damaged_cache_is_measured_anew(measured, tmp_path, damage):
    path = tmp_path / "cache" / bfloat16_speed.FILE
    path.parent.mkdir()
    path.write_bytes(damage)
    assert ask()
    assert measured.count == 1
    assert json.loads(path.read_text()) == {MACHINE: 1.5}


def test_cache_that_cannot_be_read_is_measured_anew(measured, tmp_path):
    (tmp_path / "cache" / bfloat16_speed.FILE).mkdir(parents=True)
    assert ask()
    assert measured.count == 1


def test_gain_compares_the_fastest_of_each(monkeypatch):
    """Each layer takes float32 3 s at best, and bfloat16 1 s."""
    monkeypatch.setattr(bfloat16_speed, "REPEATS", 3)
    monkeypatch.setattr(
        bfloat16_speed, "_make_call", lambda kind, *_: lambda: kind.__name__
    )
    seconds = {
        "WinogradConv2D": [9, 3, 4] * 2,
        "Bfloat16Conv2D": [2, 2, 1] * 2,
    }
    monkeypatch.setattr(
        bfloat16_speed, "_time", lambda call: seconds[call()].pop(0)
    )
    assert bfloat16_speed.measure_gain() == 3
    assert not any(seconds.values())


def test_gain_is_measured_with_tensorflow(monkeypatch):
    monkeypatch.setattr(bfloat16_speed, "LAYERS", ((64, 8), (512, 16)))
    monkeypatch.setattr(bfloat16_speed, "REPEATS", 1)
    assert 0.01 < bfloat16_speed.measure_gain() < 100


def test_machine_is_described_by_what_the_gain_depends_on(monkeypatch):
    monkeypatch.setattr(processors, "name_processor", lambda: "A processor")
    monkeypatch.setattr(processors, "count_cores", lambda: 3)
    assert bfloat16_speed.describe_machine().startswith(
        "A processor, 3 cores, TensorFlow 2."
    )
