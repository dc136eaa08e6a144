"""Estimates of memory and disk space, logged before a run starts.

The numbers were measured as peaks of resident memory on the CPU (TensorFlow
2.21, x86-64, VGG19's layers to conv5_1) and are meant to be right to a fifth.
"""

import dataclasses
import math
import shutil

from absl import logging

from tfstyle.config.config import Config
from tfstyle.config.run_config import RunConfig
from tfstyle.network.layers import BY_NAME
from tfstyle.objective.tiles import halo_of
from tfstyle.objective.tiles import share_frame
from tfstyle.system.memory import free_memory
from tfstyle.training.frames import frame_of

PROGRAM = 0.75e9
"""Bytes of TensorFlow, its kernels and the weights."""
TRANSFORMED_WEIGHTS = 0.2e9
"""Bytes of the weights as Winograd's convolution takes them."""
ACTIVATIONS = {"direct": 1850, "winograd": 2600}
"""Bytes a pixel that an evaluation needs at once."""
IMAGE = 12
"""Bytes a pixel of an image in float32."""
WORK_IMAGES = 6
"""Images at once in a step: the image, gradients, intermediate ones."""
ADAM_IMAGES = 3
"""Moments, and intermediate results of Adam's step."""
SHARE = 0.8
"""Of the free memory, which a run may take before it is warned."""
TILE_SIZES = (2048, 1024, 512, 256)


def estimate_memory(
    config: Config, height: int, width: int, num_replicas: int = 1
) -> float:
    """Estimates the memory of a run at its peak, in process 0, bytes.

    Args:
        config: a resolved one, also in `tile_size` and `convolution`.
        height: of the output, pixels.
        width: likewise.
        num_replicas: that share the work.
    """
    layers = (*config.content_layers, *config.style_layers)
    height, width = frame_of(height, width, config).size
    pixels = height * width
    at_once = max(
        math.prod((tile[:, 3] - tile[:, 2]).tolist())
        for tile in share_frame((height, width), num_replicas, layers)
    )
    if config.tile_size and max(height, width) > config.tile_size:
        side = config.tile_size + 2 * halo_of(layers)
        at_once = min(at_once, min(side, height) * min(side, width))
    is_winograd = config.convolution == "winograd"
    memory = PROGRAM + TRANSFORMED_WEIGHTS * is_winograd
    memory += at_once * ACTIVATIONS[config.convolution]
    images = WORK_IMAGES + ADAM_IMAGES
    if config.optimizer == "lbfgs":
        images = WORK_IMAGES + 2 * config.num_correction_pairs
    memory += images * IMAGE * pixels
    for name in config.content_layers:
        layer = BY_NAME[name]
        memory += 4 * layer.channels * pixels / layer.stride**2
    return memory


def estimate_disk(config: RunConfig, height: int, width: int) -> float:
    """Estimates a workdir at the end, without intermediate pictures, bytes.

    Args:
        config: a resolved one.
        height: of the output, pixels.
        width: likewise.
    """
    height, width = frame_of(height, width, config).size
    pixels = height * width
    disk = 6 * pixels * config.output_bits / 8
    if config.checkpoint_every_steps:
        state_images = 2  # of Adam, its moments
        if config.optimizer == "lbfgs":
            steps = max(config.steps_by_level)
            state_images = 2 * min(config.num_correction_pairs, steps)
        disk += 2 * (1 + state_images) * IMAGE * pixels
    return disk


def choose_tile_size(
    config: Config, height: int, width: int, num_replicas: int = 1
) -> Config:
    """Returns a config whose `tile_size` is resolved.

    `tile_size` auto is 0 if the whole frame fits the free memory, else the
    largest that fits.
    """
    if config.tile_size != "auto":
        return config
    free = free_memory()
    chosen = dataclasses.replace(config, tile_size=0)
    for tiles in _tile_changes(config):
        needed = estimate_memory(chosen, height, width, num_replicas)
        if needed <= SHARE * free:
            break
        chosen = dataclasses.replace(config, **tiles)
    return chosen


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
    memory, disk = free_memory(), _free_disk(folder)
    logging.info(
        "Needs about %.1f GB of memory, %s; %.2g GB of disk, %s",
        need / 1e9,
        _describe(memory, ".1f"),
        need_of_disk / 1e9,
        _describe(disk, ".3g"),
    )
    if need > SHARE * memory:
        logging.warning(
            "warning: memory may not suffice.%s",
            _advise(config, height, width, num_replicas, memory),
        )
    if need_of_disk > disk:
        logging.warning(
            "warning: the disk may not suffice. --checkpoint_every_steps=0"
            " leaves out the checkpoints, --optimizer=adam makes them small"
        )


def _advise(
    config: Config, height: int, width: int, num_replicas: int, free: float
) -> str:
    """Returns the first change of flags that makes a run fit."""
    fewer = {"num_correction_pairs": 5}
    adam = {
        "optimizer": "adam",
        "learning_rate": None,
        "preconditioner": "none",
    }
    for tiles in _tile_changes(config):
        for change in (tiles, tiles | fewer, tiles | adam):
            changed = dataclasses.replace(config, **change)
            need = estimate_memory(changed, height, width, num_replicas)
            if need <= SHARE * free:
                flags = " ".join(
                    f"--{name}={str(value).lower()}"
                    for name, value in change.items()
                    if name in ("tile_size", *fewer, "optimizer")
                    and value != getattr(config, name)
                )
                return f" {flags} needs about {need / 1e9:.1f} GB"
    return " A smaller --image_size needs less"


def _tile_changes(config: Config) -> list[dict[str, object]]:
    """Returns changes of fields that make tiles, largest tiles first."""
    if config.precision == "mixed_float16":
        return []
    return [
        {"tile_size": tile_size, "convolution": "direct"}
        for tile_size in TILE_SIZES
    ]


def _free_disk(folder: str) -> float:
    """Returns the free bytes of a folder's disk; infinity if it is unknown."""
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return math.inf


def _describe(free: float, form: str) -> str:
    known = free < math.inf
    return f"{free / 1e9:{form}} GB are free" if known else "free: unknown"
