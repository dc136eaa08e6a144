"""What a run is said to need, and the flags that fit if it is too much."""

import bisect
import contextlib
import dataclasses
import math
import shutil
from collections.abc import Iterator

from absl import logging

from tfstyle.config.config import Config
from tfstyle.config.run_config import RunConfig
from tfstyle.errors import OutOfMemoryError
from tfstyle.errors import raising_out_of_memory_errors
from tfstyle.images.resize import fit_size
from tfstyle.system import gpus
from tfstyle.system import out_of_memory
from tfstyle.training.memory import CORRECTION_PAIRS
from tfstyle.training.memory import SHARE
from tfstyle.training.memory import estimate_disk
from tfstyle.training.memory import estimate_memory
from tfstyle.training.memory import free_for_run
from tfstyle.training.memory import memory_of_kept_tiles
from tfstyle.training.memory import program_memory
from tfstyle.training.memory import tile_changes

ACCURACY = 0.5
"""Of an estimate, which a run takes at least."""
LEAST_SIZE = 64
"""Of the sizes that are advised, pixels."""
SIZE_STEP = 16


def check_memory(
    config: Config,
    height: int,
    width: int,
    num_replicas: int = 1,
    *,
    can_cut: bool = True,
) -> None:
    """Checks that a run's memory is there, swap space included.

    Args:
        config: a resolved one.
        height: of the output, pixels.
        width: likewise.
        num_replicas: that share the work.
        can_cut: whether the frame may be cut into tiles.

    Raises:
        OutOfMemoryError: if it is clearly not: the run would be killed, maybe
            hours later.
    """
    need = estimate_memory(config, height, width, num_replicas)
    free = free_for_run(ACCURACY * need, with_swap=True)
    if ACCURACY * need > free:
        most = SHARE * free
        remedy = advise(config, height, width, num_replicas, most, can_cut)
        raise OutOfMemoryError(
            f"There is not enough {_kind()} for {width}x{height} pixels: they"
            f" need about {need / 1e9:.1f} GB, and {free / 1e9:.1f} GB are"
            f" free. {remedy}"
        )


def log_needs(
    config: RunConfig,
    height: int,
    width: int,
    folder: str,
    num_replicas: int = 1,
) -> None:
    """Logs the memory and disk space a run needs; warns if there is less.

    Args:
        config: a resolved one.
        height: of the output, pixels.
        width: likewise.
        folder: the workdir.
        num_replicas: that share the work.
    """
    need = estimate_memory(config, height, width, num_replicas)
    need_of_disk = estimate_disk(config, height, width)
    memory, disk = free_for_run(need / SHARE), _free_disk(folder)
    logging.info(
        "Needs about %.1f GB of %s, %s; %.2g GB of disk, %s",
        need / 1e9,
        _kind(),
        _describe(memory, ".1f"),
        need_of_disk / 1e9,
        _describe(disk, ".3g"),
    )
    log_cuts(config, height, width, num_replicas)
    if need > SHARE * memory:
        logging.warning(
            "warning: memory may not suffice. %s",
            advise(config, height, width, num_replicas, SHARE * memory),
        )
    if need_of_disk > disk:
        logging.warning(
            "warning: the disk may not suffice. --checkpoint_every_seconds=0"
            " leaves out the checkpoints, --optimizer=adam makes them small"
        )


def log_cuts(
    config: RunConfig, height: int, width: int, num_replicas: int = 1
) -> None:
    """Logs tiles and correction pairs where they are for lack of memory.

    Args:
        config: as `log_needs` takes it, and the others.
        height: the same.
        width: the same.
        num_replicas: the same.
    """
    if config.tile_size:
        more = 0.0
        if num_replicas == 1:
            more = memory_of_kept_tiles(config, height, width)
        logging.info(
            "Evaluates in tiles of %d pixels%s",
            config.tile_size,
            f"; takes {more / 1e9:.1f} GB more to be faster"
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
def naming_flags_that_fit(
    config: Config,
    height: int,
    width: int,
    num_replicas: int = 1,
    *,
    can_cut: bool = True,
) -> Iterator[None]:
    """Names flags that need less if a run's memory does not suffice.

    They need half as much as the run that failed, besides the program, and
    fit the free memory.

    Args:
        config: a resolved one.
        height: of the output, pixels.
        width: likewise.
        num_replicas: that share the work.
        can_cut: whether the frame may be cut into tiles.

    Raises:
        OutOfMemoryError: if memory runs out in the block.
    """
    need = estimate_memory(config, height, width, num_replicas)
    most = (program_memory() + need) / 2
    most = min(most, SHARE * free_for_run(most / SHARE))
    remedy = advise(config, height, width, num_replicas, most, can_cut)
    out_of_memory.set_message(
        f"error: Memory ran out while painting {width}x{height} pixels."
        f" {remedy}"
    )
    with raising_out_of_memory_errors(remedy):
        yield


def advise(
    config: Config,
    height: int,
    width: int,
    num_replicas: int,
    most: float,
    can_cut: bool = True,
) -> str:
    """Returns a sentence with the least changes of flags that fit.

    Args:
        config: a resolved one.
        height: of the output, pixels.
        width: likewise.
        num_replicas: that share the work.
        most: bytes.
        can_cut: whether the frame may be cut into tiles.
    """
    flags = []
    for change in _changes(config, can_cut):
        changed = dataclasses.replace(config, **change)
        need = estimate_memory(changed, height, width, num_replicas)
        if need <= most:
            flags.append(f"{_to_flags(config, changed)} ({need / 1e9:.1f} GB)")
            break

    def need_of(long_edge: int) -> float:
        size = fit_size(height, width, long_edge)
        return estimate_memory(config, *size, num_replicas)

    sizes = range(LEAST_SIZE, max(height, width), SIZE_STEP)
    number = bisect.bisect_right(sizes, most, key=need_of)
    if number:
        long_edge = sizes[number - 1]
        flags.append(
            f"--image_size={long_edge} ({need_of(long_edge) / 1e9:.1f} GB)"
        )
    if not flags:
        return "End other programs, or raise the limit of memory, if there is."
    return f"Give {' or '.join(flags)}."


def _changes(config: Config, can_cut: bool) -> Iterator[dict[str, object]]:
    """Yields changes of fields that need less memory, the least first."""
    fewer: list[dict[str, object]] = [
        {"num_correction_pairs": number}
        for number in CORRECTION_PAIRS
        if config.optimizer == "lbfgs" and number < config.num_correction_pairs
    ]
    adam = {
        "optimizer": "adam",
        "learning_rate": None,
        "preconditioner": "none",
    }
    if config.optimizer == "lbfgs":
        fewer.append(adam)
    tiles = [
        change
        for change in tile_changes(config)
        if can_cut and change["tile_size"] < (config.tile_size or math.inf)
    ]
    cuts: list[dict[str, object]] = [{}, *tiles]
    yield from tiles
    for few in fewer:
        for cut in cuts:
            yield cut | few


def _to_flags(config: Config, changed: Config) -> str:
    """Writes the flags in which a config was changed."""
    names = ("tile_size", "num_correction_pairs", "optimizer")
    return " ".join(
        f"--{name}={getattr(changed, name)}"
        for name in names
        if getattr(changed, name) != getattr(config, name)
    )


def _free_disk(folder: str) -> float:
    """Returns the free bytes of a folder's disk; infinity if it is unknown."""
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return math.inf


def _kind() -> str:
    return "GPU memory" if gpus.has_gpu() else "memory"


def _describe(free: float, form: str) -> str:
    known = free < math.inf
    return f"{free / 1e9:{form}} GB are free" if known else "free: unknown"
