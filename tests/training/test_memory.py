"""What a run needs, and what there is."""

import re
import subprocess
import sys

import pytest

from tests import ROOT
from tfstyle.config.run_config import RunConfig
from tfstyle.training import memory
from tfstyle.training.plan import resolve_for_machine

GB = 1e9
MEASURE = """
import os, subprocess, sys
command = [sys.executable, "-m", "tfstyle.main", *sys.argv[1:]]
process = subprocess.Popen(command)
_, status, usage = os.wait4(process.pid, 0)
print(status, usage.ru_maxrss * 1024)
"""


def resolved(**fields):
    fields.setdefault("convolution", "direct")
    steps = {"num_levels": 1, "num_steps": 500}
    return RunConfig(jit_compile="false", **(steps | fields)).resolved()


def needed(side=4096, **fields):
    return memory.estimate_memory(resolved(**fields), side, side)


def peak(workdir, *flags):
    """Returns a run's peak of resident memory, bytes, and its stderr."""
    done = subprocess.run(
        [
            *(sys.executable, "-c", MEASURE, f"--workdir={workdir}"),
            "--content_image=tfstyle/samples/scene.jpg",
            "--style_images=tfstyle/samples/strokes.jpg",
            *("--checkpoint_every_steps=0", *flags),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    status, number = done.stdout.split()
    assert status == "0", done.stderr
    return int(number), done.stderr


def test_need_grows_with_what_is_kept():
    assert needed(tile_size=512) < needed(tile_size=1024) < needed()
    assert needed(num_correction_pairs=5) < needed(num_correction_pairs=20)
    assert needed(optimizer="adam") < needed(num_correction_pairs=5)
    assert needed() < needed(convolution="winograd")
    # 40 images of L-BFGS' pairs, 201 MB each.
    pairs = needed(num_correction_pairs=21) - needed(num_correction_pairs=1)
    assert pairs == pytest.approx(40 * 4096**2 * 12)


def test_checkpoints_need_disk():
    def disk(**fields):
        return memory.estimate_disk(resolved(**fields), 4096, 4096)

    assert disk() == pytest.approx(2 * 41 * 4096**2 * 12, rel=0.02)
    assert disk(optimizer="adam") == pytest.approx(
        2 * 3 * 4096**2 * 12, rel=0.1
    )
    assert disk(checkpoint_every_steps=0) < 0.2 * GB


@pytest.mark.parametrize(
    ("free", "side", "tile_size"),
    [
        (20, 512, 0),
        (5, 1024, 0),
        (3.6, 1024, 2048),
        (2.2, 1024, 512),
    ],
)
def test_auto_takes_the_largest_tile_that_fits(
    monkeypatch, free, side, tile_size
):
    monkeypatch.setattr(memory, "free_memory", lambda: free * GB)
    config = RunConfig(tile_size="auto", optimizer="adam").resolved()
    config = resolve_for_machine(config)
    found = memory.choose_tile_size(config, side, side)
    assert found.tile_size == tile_size
    assert found.convolution == ("direct" if tile_size else "winograd")


def test_given_tile_size_is_kept():
    config = resolve_for_machine(RunConfig(tile_size=48).resolved())
    assert memory.choose_tile_size(config, 4096, 4096).tile_size == 48
    assert memory.choose_tile_size(config, 4096, 4096).convolution == "direct"


def test_scarce_memory_is_warned_of_with_flags_that_fit(
    monkeypatch, caplog, tmp_path
):
    monkeypatch.setattr(memory, "free_memory", lambda: 8 * GB)
    caplog.set_level("INFO", logger="absl")
    memory.log_needs(resolved(), 4096, 4096, str(tmp_path))
    need, warning = (record.getMessage() for record in caplog.records[:2])
    assert re.match(
        r"Needs about \d+\.\d GB of memory, 8.0 GB are free; 17 GB of disk,",
        need,
    )
    flags = re.search(r"may not suffice\. (--.*) needs about", warning).group(1)
    fields = dict(flag[2:].split("=") for flag in flags.split())
    assert needed(**fields) < 0.8 * 8 * GB
    assert fields["optimizer"] == "adam"


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({}, r"suffice\. --tile_size=\d+ "),
        ({"precision": "mixed_float16"}, "A smaller --image_size needs less"),
    ],
)
def test_advice_and_auto_are_flags_that_go_together(
    monkeypatch, caplog, tmp_path, fields, text
):
    monkeypatch.setattr(memory, "free_memory", lambda: 8 * GB)
    memory.log_needs(resolved(**fields), 4096, 4096, str(tmp_path))
    assert re.search(text, caplog.records[0].getMessage())
    found = memory.choose_tile_size(
        resolved(tile_size="auto", **fields), 4096, 4096
    )
    assert bool(found.tile_size) == (not fields)


def test_enough_memory_is_said_in_one_line(caplog, tmp_path):
    caplog.set_level("INFO", logger="absl")
    memory.log_needs(resolved(), 64, 64, str(tmp_path))
    assert len(caplog.records) == 1


@pytest.mark.soak
@pytest.mark.parametrize(
    "flags",
    [
        ("--image_size=1024",),
        ("--image_size=1024", "--convolution=direct", "--optimizer=adam"),
        ("--image_size=1536", "--tile_size=512", "--optimizer=adam"),
    ],
)
def test_estimate_is_right_to_a_fifth(real_weights, tmp_path, flags):
    del real_weights  # in the cache
    measured, stderr = peak(tmp_path, *flags, "--num_steps=22")
    told = re.search(r"Needs about (\d+\.\d) GB", stderr).group(1)
    assert float(told) * GB == pytest.approx(measured, rel=0.2)


@pytest.mark.soak
def test_4096_pixels_run_in_six_gigabytes(real_weights, tmp_path):
    del real_weights  # in the cache
    measured, _ = peak(
        tmp_path,
        *("--image_size=4096", "--tile_size=1024", "--optimizer=adam"),
        *("--num_steps=1", "--init=content"),
    )
    assert measured < 6 * GB
