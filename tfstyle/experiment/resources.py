"""Memory and disk estimates for the log, and flags that reduce them."""

import bisect
import contextlib
import dataclasses
import itertools
import math
import shutil
from collections.abc import Iterator
from typing import Any

from absl import logging

from tfstyle.config.config import Config
from tfstyle.errors import OutOfMemoryError
from tfstyle.images.resize import fit_size
from tfstyle.system.out_of_memory import raising_out_of_memory_errors
from tfstyle.training.memory import CORRECTION_PAIRS
from tfstyle.training.memory import IMAGE
from tfstyle.training.memory import SHARE
from tfstyle.training.memory import TILE_SIZES
from tfstyle.training.memory import estimate_memory
from tfstyle.training.memory import memory_of_tiles
from tfstyle.training.plan import Plan

ACCURACY = 0.5
"""Lower bound of a run's real memory use, as a share of the estimate."""
LEAST_SIZE = 64
"""Smallest `image_size` to suggest, pixels."""
SIZE_STEP = 16


def check_memory(plan: Plan) -> None:
    """Checks that memory and swap space suffice for a run.

    Raises:
        OutOfMemoryError: if they clearly do not; the system would kill the
            run, perhaps hours later.
    """
    need = _estimate(plan)
    free = plan.machine.free_for_run(ACCURACY * need, with_swap=True)
    if ACCURACY * need > free:
        raise OutOfMemoryError(
            f"There is not enough {plan.machine.kind_of_memory} for"
            f" {plan.frame.width}x{plan.frame.height} pixels: they need about"
            f" {need / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free."
            f" {advise(plan, SHARE * free)}"
        )


def log_needs(plan: Plan, folder: str) -> None:
    """Logs the memory and disk space that a run needs; warns if they lack.

    Args:
        plan: plan of the run; its config is a RunConfig.
        folder: the workdir.
    """
    need, need_of_disk = _estimate(plan), estimate_disk(plan)
    memory = plan.machine.free_for_run(need / SHARE)
    disk = _free_disk(folder)
    logging.info(
        "Needs about %.1f GB of %s, %s; %.2g GB of disk, %s",
        need / 1e9,
        plan.machine.kind_of_memory,
        _describe(memory, ".1f"),
        need_of_disk / 1e9,
        _describe(disk, ".3g"),
    )
    log_savings(plan)
    if need > SHARE * memory:
        logging.warning(
            "warning: memory may not suffice. %s", advise(plan, SHARE * memory)
        )
    if need_of_disk > disk:
        logging.warning(
            "warning: the disk may not suffice. --checkpoint_every_seconds=0"
            " leaves out the checkpoints, --optimizer=adam makes them small"
        )


def log_savings(plan: Plan) -> None:
    """Logs the tile size, and the number of correction pairs if reduced."""
    config = plan.config
    if config.tile_size:
        more = memory_of_tiles(config, plan.frame.size, plan.num_kept_tiles)
        logging.info(
            "Evaluates in tiles of %d pixels%s",
            config.tile_size,
            f"; uses {more / 1e9:.1f} GB more to be faster"
            if more >= 0.05e9
            else "",
        )
    if config.optimizer == "lbfgs" and (
        config.num_correction_pairs < CORRECTION_PAIRS[0]
    ):
        logging.info(
            "L-BFGS keeps %d correction pairs", config.num_correction_pairs
        )


@contextlib.contextmanager
def naming_flags_that_fit(plan: Plan) -> Iterator[None]:
    """Suggests flags that need less memory if the block runs out of it.

    The suggested flags fit the free memory and need half as much as the failed
    run, not counting the program itself.

    Raises:
        OutOfMemoryError: if memory runs out in the block.
    """
    most = (plan.machine.program_memory + _estimate(plan)) / 2
    most = min(most, SHARE * plan.machine.free_for_run(most / SHARE))
    with raising_out_of_memory_errors(advise(plan, most)):
        yield


def advise(plan: Plan, most: float) -> str:
    """Returns a sentence that suggests the smallest changes of flags that fit.

    Args:
        plan: plan of a run that does not fit.
        most: upper bound of memory, bytes.
    """
    config, flags = plan.config, []
    for change in _changes(config, plan.can_cut):
        changed = dataclasses.replace(config, **change)
        need = _estimate(plan, changed)
        if need <= most:
            flags.append(f"{_to_flags(config, changed)} ({need / 1e9:.1f} GB)")
            break
    size = plan.frame.height, plan.frame.width

    def need_of(long_edge: int) -> float:
        smaller = fit_size(*size, long_edge)
        return estimate_memory(config, *smaller, plan.machine)

    sizes = range(LEAST_SIZE, max(size), SIZE_STEP)
    number = bisect.bisect_right(sizes, most, key=need_of)
    if number:
        long_edge = sizes[number - 1]
        flags.append(
            f"--image_size={long_edge} ({need_of(long_edge) / 1e9:.1f} GB)"
        )
    if not flags:
        return (
            "Close other programs, or raise the memory limit if there is one."
        )
    return f"Give {' or '.join(flags)}."


def estimate_disk(plan: Plan) -> float:
    """Estimates the final size of a workdir, bytes.

    Intermediate pictures are not included.

    Args:
        plan: plan of the run; its config is a RunConfig.
    """
    config: Any = plan.config  # a RunConfig
    pixels = math.prod(plan.frame.size)
    disk = 6 * pixels * config.output_bits / 8
    if config.checkpoint_every_seconds:
        state_images = 2  # the moments of Adam
        if config.optimizer == "lbfgs":
            steps = max(config.steps_by_level)
            state_images = 2 * min(config.num_correction_pairs, steps)
        disk += 2 * (1 + state_images) * IMAGE * pixels
    return disk


def _estimate(plan: Plan, config: Config | None = None) -> float:
    """Estimates the memory of a plan, bytes, optionally with other options."""
    return estimate_memory(
        config or plan.config,
        plan.frame.height,
        plan.frame.width,
        plan.machine,
    )


def _changes(config: Config, can_cut: bool) -> list[dict[str, object]]:
    """Returns changes of options that save memory, smallest change first."""
    tiles = [
        {"tile_size": tile_size}
        for tile_size in TILE_SIZES
        if can_cut and tile_size < (config.tile_size or math.inf)
    ]
    fewer: list[dict[str, object]] = [{}]
    if config.optimizer == "lbfgs":
        fewer += [
            {"num_correction_pairs": number}
            for number in CORRECTION_PAIRS
            if number < config.num_correction_pairs
        ]
        adam = {"optimizer": "adam", "learning_rate": None}
        fewer.append(adam | {"preconditioner": "none"})
    pairs = itertools.product(fewer, [{}, *tiles])
    return [cut | few for few, cut in pairs][1:]  # the first changes nothing


def _to_flags(config: Config, changed: Config) -> str:
    """Returns the flags that turn `config` into `changed`."""
    names = ("tile_size", "num_correction_pairs", "optimizer")
    return " ".join(
        f"--{name}={getattr(changed, name)}"
        for name in names
        if getattr(changed, name) != getattr(config, name)
    )


def _free_disk(folder: str) -> float:
    """Returns the free disk space of a folder, bytes; infinity if unknown."""
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return math.inf


def _describe(free: float, form: str) -> str:
    known = free < math.inf
    return f"{free / 1e9:{form}} GB are free" if known else "free: unknown"
