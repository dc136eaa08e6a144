"""What a run needs, and what there is."""

import dataclasses
import math
import re
import subprocess
import sys

import pytest

from tests import ROOT
from tfstyle.config.run_config import RunConfig
from tfstyle.system.machine import Machine
from tfstyle.training import memory

GB = 1e9
ONEDNN = Machine(has_onednn=True)
MEASURE = """
import os, subprocess, sys
command = [sys.executable, *sys.argv[1:]]
process = subprocess.Popen(command)
_, status, usage = os.wait4(process.pid, 0)
print(status, usage.ru_maxrss * 1024)
"""
RUN = ("-m", "tfstyle.main")
FRUGAL_RUN = (
    "-c",
    """
import runpy
from tfstyle.training import memory
memory.count_kept_tiles = lambda config, height, width, machine: 0
runpy.run_module("tfstyle.main", run_name="__main__")
""",
)


def resolved(**fields):
    defaults = {
        "convolution": "direct",
        "num_correction_pairs": 20,
        "num_levels": 1,
        "num_steps": 500,
        "tile_size": 0,
    }
    return RunConfig(jit_compile="false", **(defaults | fields)).resolved()


def fit(side, free, *, can_cut=True, **fields):
    defaults = {"convolution": "winograd"}
    config = RunConfig(**(defaults | fields)).resolved()
    machine = Machine(memory=free * GB)
    return memory.fit_to_memory(config, side, side, machine, can_cut)


def needed(side=4096, machine=ONEDNN, **fields):
    return memory.estimate_memory(resolved(**fields), side, side, machine)


def peak(workdir, *flags, run=RUN):
    """Returns a run's peak of resident memory, bytes, and its stderr."""
    done = subprocess.run(
        [
            *(sys.executable, "-c", MEASURE, *run, f"--workdir={workdir}"),
            "--content_image=tfstyle/samples/scene.jpg",
            "--style_images=tfstyle/samples/strokes.jpg",
            *("--checkpoint_every_seconds=0", *flags),
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
    assert needed() < needed(convolution="winograd") < needed(machine=Machine())
    # 40 images of L-BFGS' pairs, 201 MB each.
    pairs = needed(num_correction_pairs=21) - needed(num_correction_pairs=1)
    assert pairs == pytest.approx(40 * 4096**2 * 12)


@pytest.mark.parametrize(
    ("free", "side", "tile_size"),
    [
        (math.inf, 4096, 0),
        (20, 512, 0),
        (5, 1024, 0),
        (3.6, 1024, 512),
        (2.2, 1024, 256),
        (0.1, 1024, 256),
    ],
)
def test_auto_takes_the_largest_tile_that_fits(free, side, tile_size):
    found = fit(side, free, optimizer="adam")
    assert found.tile_size == tile_size
    assert found.convolution == "winograd"


@pytest.mark.parametrize(
    ("free", "pairs"), [(math.inf, 20), (24, 20), (13, 10), (9, 5), (7.5, 3)]
)
def test_auto_keeps_fewer_pairs_if_no_tile_is_small_enough(free, pairs):
    found = fit(4896, free)  # 24 megapixels
    assert found.num_correction_pairs == pairs
    assert bool(found.tile_size) == (free < math.inf)
    assert (
        memory.estimate_memory(found, 4896, 4896, Machine()) <= 0.8 * free * GB
    )
    assert fit(4896, free, optimizer="adam").num_correction_pairs == 20


def test_given_choices_are_kept():
    found = fit(4096, 1, tile_size=48, num_correction_pairs=100)
    assert (found.tile_size, found.num_correction_pairs) == (48, 100)
    assert found.convolution == "winograd"
    assert fit(4096, 1, convolution="direct").convolution == "direct"


def test_auto_cuts_no_frame_that_must_be_whole():
    found = fit(4096, 1, can_cut=False)
    assert found.tile_size == 0


def test_half_of_the_spare_memory_keeps_tiles():
    config = resolved(tile_size=512)
    need = memory.estimate_memory(config, 4096, 4096, ONEDNN)

    def keep(free):
        machine = dataclasses.replace(ONEDNN, memory=free)
        return memory.count_kept_tiles(config, 4096, 4096, machine)

    assert keep(0) == keep(need / memory.SHARE) == keep(math.inf) == 0
    most = 704**2 * memory.KEPT_ACTIVATIONS  # of a tile and two halos
    assert keep((need + 2 * 10 * most) / memory.SHARE) == 10
    taken = memory.memory_of_tiles(config, (4096, 4096), 10)
    assert 0.9 * 10 * most < taken <= 10 * most
    assert keep(1e12) == 8 * 8


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
    more = re.search(r"uses (\d+\.\d) GB more", stderr)
    told = float(told) + (float(more[1]) if more else 0)
    assert told * GB == pytest.approx(measured, rel=0.2)


@pytest.mark.soak
def test_4096_pixels_run_in_five_gigabytes(real_weights, tmp_path):
    del real_weights  # in the cache
    measured, _ = peak(
        tmp_path,
        *("--image_size=4096", "--tile_size=512", "--optimizer=adam"),
        *("--num_steps=1", "--num_levels=1", "--init=content"),
        run=FRUGAL_RUN,
    )
    assert measured < 5 * GB
