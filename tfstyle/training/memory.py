"""Estimates of memory and disk space, and the options that follow from them.

The numbers were measured as peaks of resident memory on the CPU (TensorFlow
2.21, x86-64, VGG19's layers to conv5_1) and are meant to be right to a fifth.
On a GPU, whose own memory is meant then, they are not measured.
"""

import dataclasses
import math

from tfstyle.config.config import Config
from tfstyle.config.run_config import RunConfig
from tfstyle.network.layers import BY_NAME
from tfstyle.objective.tiles import cut_frame
from tfstyle.objective.tiles import share_frame
from tfstyle.system import gpus
from tfstyle.system.memory import free_memory
from tfstyle.system.memory import used_memory
from tfstyle.system.processors import has_onednn
from tfstyle.system.tensorflow_setup import return_freed_memory
from tfstyle.training.frames import frame_of

PROGRAM = 0.9e9
"""Bytes of TensorFlow, its kernels and the weights."""
PROGRAM_ON_GPU = gpus.CONTEXT + 0.1e9
"""The same on a GPU: CUDA's kernels and the weights."""
TRANSFORMED_WEIGHTS = 0.2e9
"""Bytes of the weights as Winograd's convolution takes them."""
ACTIVATIONS = {"direct": 3500, "winograd": 2600}
"""Bytes a pixel that an evaluation needs at once."""
ACTIVATIONS_OF_ONEDNN = 1850
"""The same of direct convolutions by oneDNN."""
KEPT_ACTIVATIONS = 1800
"""Bytes a pixel of a tile that is kept from the first pass to the second."""
IMAGE = 12
"""Bytes a pixel of an image in float32."""
WORK_IMAGES = 6
"""Images at once in a step: the image, gradients, intermediate ones."""
ADAM_IMAGES = 3
"""Moments, and intermediate results of Adam's step."""
SHARE = 0.8
"""Of the free memory, which a run may take before it is warned."""
TILE_SIZES = (2048, 1024, 512, 256)
CORRECTION_PAIRS = (20, 10, 5, 3)
"""What `num_correction_pairs` auto chooses from, the default first."""


def estimate_memory(
    config: Config, height: int, width: int, num_replicas: int = 1
) -> float:
    """Estimates the memory of a run at its peak, in process 0, bytes.

    That is the memory of the device that computes.

    Args:
        config: a resolved one, with no `auto` that a plan resolves.
        height: of the output, pixels.
        width: likewise.
        num_replicas: that share the work.
    """
    layers = (*config.content_layers, *config.style_layers)
    height, width = frame_of(height, width, config).size
    pixels = height * width
    at_once = max(
        math.prod((tile[:, 3] - tile[:, 2]).tolist())
        for tile in share_frame(
            (height, width), num_replicas, layers, config.pooling
        )
    )
    if config.tile_size:
        at_once = min(at_once, max(_tile_pixels(config, height, width)))
    is_winograd = config.convolution == "winograd"
    memory = program_memory() + TRANSFORMED_WEIGHTS * is_winograd
    activations = ACTIVATIONS[config.convolution]
    is_cpu = not gpus.has_gpu()
    if config.convolution == "direct" and is_cpu and has_onednn():
        activations = ACTIVATIONS_OF_ONEDNN
    memory += at_once * activations
    images = WORK_IMAGES + ADAM_IMAGES
    if config.optimizer == "lbfgs":
        images = WORK_IMAGES + 2 * config.num_correction_pairs
    memory += images * IMAGE * pixels
    for name in config.content_layers:
        layer = BY_NAME[name]
        memory += 4 * layer.channels * pixels / layer.stride**2
    return memory


def program_memory() -> float:
    """Returns the bytes of the program itself, on the device that computes."""
    return PROGRAM_ON_GPU if gpus.has_gpu() else PROGRAM


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
    if config.checkpoint_every_seconds:
        state_images = 2  # of Adam, its moments
        if config.optimizer == "lbfgs":
            steps = max(config.steps_by_level)
            state_images = 2 * min(config.num_correction_pairs, steps)
        disk += 2 * (1 + state_images) * IMAGE * pixels
    return disk


def fit_to_memory(
    config: Config,
    height: int,
    width: int,
    num_replicas: int = 1,
    *,
    can_cut: bool = True,
    free: float | None = None,
) -> Config:
    """Returns a config whose memory is resolved to what fits.

    `tile_size` auto is 0 if the whole frame fits, else the largest that does.
    `num_correction_pairs` auto is 20 unless no tiles are small enough; then
    the picture differs a little, as L-BFGS finds another way.

    Args:
        config: a resolved one, also in `convolution`.
        height: of the output, pixels.
        width: likewise.
        num_replicas: that share the work.
        can_cut: whether the frame may be cut into tiles.
        free: bytes that the run may have, infinity if that is unknown; None:
            what the machine has.
    """
    pairs = [{"num_correction_pairs": config.num_correction_pairs}]
    if config.num_correction_pairs == "auto":
        is_lbfgs = config.optimizer == "lbfgs"
        numbers = CORRECTION_PAIRS if is_lbfgs else CORRECTION_PAIRS[:1]
        pairs = [{"num_correction_pairs": number} for number in numbers]
    tiles: list[dict[str, object]] = [{}]
    if config.tile_size == "auto":
        tiles = [{"tile_size": 0}, *(tile_changes(config) if can_cut else [])]
    choices = [
        dataclasses.replace(config, **few, **cut)
        for few in pairs
        for cut in tiles
    ]
    if len(choices) == 1:
        return choices[0]
    needs = [
        estimate_memory(choice, height, width, num_replicas)
        for choice in choices
    ]
    free = free_for_run(needs[0] / SHARE) if free is None else free
    fitting = (number for number, n in enumerate(needs) if n <= SHARE * free)
    return choices[next(fitting, needs.index(min(needs)))]


def can_cut_frames(config: Config) -> bool:
    """Returns whether a config's frames may be cut into tiles."""
    return config.precision != "mixed_float16"


def tile_changes(config: Config) -> list[dict[str, object]]:
    """Returns changes of fields that make tiles, largest tiles first."""
    if not can_cut_frames(config):
        return []
    return [{"tile_size": tile_size} for tile_size in TILE_SIZES]


def count_kept_tiles(config: Config, height: int, width: int) -> int:
    """Returns how many tiles' activations may be kept.

    They take at most half of what a run leaves of the free memory, as it may
    not be alone; none if that is unknown.

    Args:
        config: a resolved one, with a tile size.
        height: of the output, pixels.
        width: likewise.
    """
    need = estimate_memory(config, height, width)
    spare = (SHARE * free_for_run(need / SHARE) - need) / 2
    if not 0 < spare < math.inf:
        return 0
    tiles = _tile_pixels(config, *frame_of(height, width, config).size)
    kept = spare // (KEPT_ACTIVATIONS * max(tiles))
    return min(int(kept), len(tiles))


def memory_of_kept_tiles(config: Config, height: int, width: int) -> float:
    """Estimates the bytes that `count_kept_tiles` adds to a run's need."""
    size = frame_of(height, width, config).size
    kept = count_kept_tiles(config, height, width)
    return kept * KEPT_ACTIVATIONS * max(_tile_pixels(config, *size))


def _tile_pixels(config: Config, height: int, width: int) -> list[int]:
    """Returns the pixels of each tile with its halo."""
    layers = (*config.content_layers, *config.style_layers)
    tiles = cut_frame((height, width), config.tile_size, layers, config.pooling)
    return [math.prod((tile[:, 3] - tile[:, 2]).tolist()) for tile in tiles]


def free_for_run(enough: float, *, with_swap: bool = False) -> float:
    """Returns the bytes that a run may have, with those of the program.

    They are of the device that computes.

    Args:
        enough: bytes; if there are fewer, freed memory is given back to the
            system first, which takes a while.
        with_swap: whether disk space that serves as memory counts.
    """
    if gpus.has_gpu():
        return gpus.free_gpu_memory()
    own = min(used_memory(), PROGRAM)
    free = free_memory(with_swap=with_swap) + own
    if free < enough:
        return_freed_memory()
        free = free_memory(with_swap=with_swap) + own
    return free
