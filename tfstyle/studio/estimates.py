"""Estimates of the time and memory of a job, before it begins."""

import dataclasses
import functools
import itertools
import os
import statistics

from tfstyle.config.config import Config
from tfstyle.errors import TfstyleError
from tfstyle.experiment.workdir_files import METRICS
from tfstyle.flags.command_line import read_config
from tfstyle.images.resize import fit_size
from tfstyle.studio import inputs
from tfstyle.studio import runs
from tfstyle.studio.runs import Run
from tfstyle.system import processors
from tfstyle.system.loop_progress import describe_time
from tfstyle.system.machine import Machine
from tfstyle.system.memory import free_memory
from tfstyle.training.memory import estimate_memory
from tfstyle.training.memory import fit_to_memory
from tfstyle.training.plan import choose_operations
from tfstyle.training.pyramid import choose_levels
from tfstyle.training.pyramid import level_sizes

RECENT = 12
"""Number of runs whose speed predicts that of the next."""


@dataclasses.dataclass(frozen=True)
class Speed:
    """The speed of a machine.

    Attributes:
        start: time until the first step of a level is done, seconds.
        per_pixel: time of a step per pixel, seconds.
    """

    start: float
    per_pixel: float


@dataclasses.dataclass(frozen=True)
class Needs:
    """Time and memory of a job.

    Attributes:
        seconds: time; None if no run tells the machine's speed.
        memory: memory, bytes.
    """

    seconds: float | None
    memory: float

    def __str__(self) -> str:
        gigabytes = f"{self.memory / 1e9:.1f} GB of memory"
        if self.seconds is None:
            return gigabytes
        return f"about {describe_time(self.seconds)}, {gigabytes}"


def estimate_needs(
    root: str, config: Config, layout_size: tuple[int, int]
) -> Needs:
    """Estimates the time and memory of a picture on this machine.

    Args:
        root: the folder of runs, whose times tell the speed.
        config: requested options.
        layout_size: height and width of the content, or of the style if there
            is none, pixels.

    Raises:
        ConfigError: if the output is too small for the number of levels.
    """
    machine = Machine(
        has_onednn=processors.has_onednn(),
        is_bfloat16_faster=processors.is_bfloat16_faster(),
    )
    size = fit_size(*layout_size, config.image_size)
    num_levels, steps = choose_levels(size, config)
    config = dataclasses.replace(
        config.resolved(), num_levels=num_levels, num_steps=steps
    )
    config = choose_operations(config, machine)
    config = fit_to_memory(config, *size, machine, True)
    memory = estimate_memory(config, *size, machine)
    speed = find_speed(root)
    if speed is None:
        return Needs(None, memory)
    seconds = sum(
        speed.start + speed.per_pixel * number * height * width
        for number, (height, width) in zip(
            config.steps_by_level,
            level_sizes(*size, config.num_levels),
            strict=True,
        )
    )
    return Needs(seconds, memory)


def needs_of(root: str, arguments: list[str]) -> Needs | None:
    """Estimates the needs of a job; None for films and invalid jobs.

    Args:
        root: the folder of runs.
        arguments: command line of the job.
    """
    try:
        config = read_config(arguments)
        pictures = [config.content_image, *config.style_images]
        path = next(filter(None, pictures), None)
        if config.content_video or path is None:
            return None
        return estimate_needs(root, config, inputs.size_of(path))
    except (TfstyleError, OSError):
        return None


def warn_of_memory(needs: Needs) -> str:
    """Returns a sentence if the free memory is too small, or else ""."""
    free = free_memory()
    if needs.memory <= free:
        return ""
    return f"Only {free / 1e9:.1f} GB of memory are free."


def find_speed(root: str) -> Speed | None:
    """Measures the speed of the newest runs; None if there are none."""
    found = [
        _measure(run.workdir, os.stat(metrics).st_mtime_ns)
        for run in runs.list_runs(root, RECENT)
        if os.path.exists(metrics := os.path.join(run.workdir, METRICS))
    ]
    starts = [start for run in found for start in run[0]]
    steps = [step for run in found for step in run[1]]
    if not steps:
        return None
    return Speed(statistics.median(starts), statistics.median(steps))


@functools.lru_cache(256)
def _measure(workdir: str, time: int) -> tuple[list[float], list[float]]:
    """Returns the start times of levels, and times of steps per pixel."""
    starts, steps = [], []
    before = 0.0
    levels = itertools.groupby(Run(workdir).metrics, lambda x: x["level"])
    for _, group in levels:
        records = [*group]
        first, last = records[0], records[-1]
        starts.append(max(0.0, first["seconds"] - before))
        before = last["seconds"]
        if number := last["step"] - first["step"]:
            pixels = last["width"] * last["height"]
            seconds = last["seconds"] - first["seconds"]
            steps.append(seconds / number / pixels)
    return starts, steps
