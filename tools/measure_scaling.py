"""Measures the speed-up of a second process.

    python tools/measure_scaling.py

One process of one core and two of one core each evaluate the same picture by
turns, whole programs with Adam, from their metrics.jsonl. The ideal is 2
divided by the halo's overhead: the pixels that both see, by the picture's.
"""

import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

import numpy as np
from absl import flags
from running import run

from tfstyle.config.config import Config
from tfstyle.image_files import reading as image_files
from tfstyle.image_files.writing import write_image
from tfstyle.images.resize import resize
from tfstyle.objective.tiles import share_frame

ROOT = pathlib.Path(__file__).parents[1]

_WIDTH = flags.DEFINE_integer("width", 2048, "of the picture, pixels")
_HEIGHT = flags.DEFINE_integer("height", 1024, "likewise")
_STEPS = flags.DEFINE_integer("steps", 2, "of each run, besides the first")
_ROUNDS = flags.DEFINE_integer("rounds", 3, "of one process and two by turns")


def main() -> None:
    """Prints the measurement."""
    size = _HEIGHT.value, _WIDTH.value
    ideal = 2 / overhead(size, 2)
    with tempfile.TemporaryDirectory() as folder:
        _write_pictures(folder, size)
        ratios = []
        for turn in range(_ROUNDS.value):
            one, two = (_measure(folder, number, turn) for number in (1, 2))
            ratios.append(one / two)
            print(
                f"one process {one:.2f} s, two {two:.2f} s an evaluation:"
                f" {one / two:.3f} times as fast, {one / two / ideal:.3f} of"
                " the ideal",
                flush=True,
            )
    median = statistics.median(ratios)
    print(f"median {median:.3f}, ideal {ideal:.3f}: {median / ideal:.3f} of it")


def overhead(size: tuple[int, int], number: int) -> float:
    """Returns the pixels that replicas compute, by those of the picture.

    The slowest replica counts, as the others wait for it.
    """
    config = Config().resolved()
    names = (*config.content_layers, *config.style_layers)
    tiles = share_frame(size, number, names, config.pooling)
    views = [np.prod(tile[:, 3] - tile[:, 2]) for tile in tiles]
    return max(views) * number / (size[0] * size[1])


def _write_pictures(folder: str, size: tuple[int, int]) -> None:
    samples = ROOT / "tfstyle" / "samples"
    for name in ("scene.jpg", "strokes.jpg"):
        pixels = image_files.read_image(str(samples / name)).pixels
        path = os.path.join(folder, name.replace(".jpg", ".png"))
        write_image(path, resize(pixels, *size))


def _measure(folder: str, number: int, turn: int) -> float:
    """Returns seconds an evaluation of so many processes of one core."""
    workdir = os.path.join(folder, f"{number}-{turn}")
    cores = sorted(os.sched_getaffinity(0))[:number]
    command = [
        sys.executable,
        str(ROOT / "tools" / "launch_local.py"),
        f"--workers={number}",
        "--",
        *(sys.executable, "-m", "tfstyle.main", "--weights=random"),
        f"--content_image={folder}/scene.png",
        f"--style_images={folder}/strokes.png",
        f"--image_size={max(_HEIGHT.value, _WIDTH.value)}",
        "--style_scale=0.25",
        *("--convolution=direct", "--optimizer=adam", "--log_every_steps=1"),
        f"--num_steps={1 + _STEPS.value}",
        *("--checkpoint_every_seconds=0", f"--workdir={workdir}"),
    ]
    done = subprocess.run(
        command,
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: os.sched_setaffinity(0, cores),
    )
    if done.returncode:
        raise RuntimeError(done.stderr)
    with open(os.path.join(workdir, "metrics.jsonl"), encoding="utf-8") as file:
        seconds = [json.loads(line)["seconds"] for line in file]
    return (seconds[-1] - seconds[1]) / _STEPS.value


if __name__ == "__main__":
    run(main)
