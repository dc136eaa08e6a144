"""Memory estimates, and options chosen to fit the memory.

Notes: the constants are peaks of resident memory measured on the CPU
(TensorFlow 2.21, x86-64, VGG19's layers to conv5_1), meant to be accurate to
20 percent. They have not been measured on a GPU, where they estimate the
memory of the GPU.
"""

import dataclasses
import math

from tfstyle.config.config import Config
from tfstyle.network.layers import BY_NAME
from tfstyle.objective.tiles import cut_frame
from tfstyle.objective.tiles import num_pixels
from tfstyle.objective.tiles import share_frame
from tfstyle.system.machine import Machine
from tfstyle.training.frames import frame_of

TRANSFORMED_WEIGHTS = 0.2e9
"""Bytes of the weights transformed for Winograd convolution."""
ACTIVATIONS = {"direct": 3500, "winograd": 2600}
"""Peak bytes per pixel of an evaluation, by convolution."""
ACTIVATIONS_OF_ONEDNN = 1850
"""Peak bytes per pixel of an evaluation with oneDNN's direct convolutions."""
KEPT_ACTIVATIONS = 1800
"""Bytes per pixel of a tile whose activations are kept between passes."""
IMAGE = 12
"""Bytes per pixel of an image in float32."""
WORK_IMAGES = 6
"""Images in memory during a step, including gradients and intermediates."""
ADAM_IMAGES = 3
"""Images in memory for Adam: moments and intermediate results."""
SHARE = 0.8
"""Share of the free memory that a run may use without a warning."""
TILE_SIZES = (2048, 1024, 512, 256)
CORRECTION_PAIRS = (20, 10, 5, 3)
"""Choices of `num_correction_pairs` auto, the default first."""


def estimate_memory(
    config: Config, height: int, width: int, machine: Machine
) -> float:
    """Estimates the peak memory of a run in process 0, bytes.

    This is the memory of the device that computes.

    Args:
        config: options of a plan.
        height: height of the output, pixels.
        width: width of the output, pixels.
        machine: devices that share the work.
    """
    layers = (*config.content_layers, *config.style_layers)
    height, width = frame_of(height, width, config).size
    pixels = height * width
    shares = share_frame(
        (height, width), machine.num_replicas, layers, config.pooling
    )
    at_once = max(map(num_pixels, shares))
    if config.tile_size:
        at_once = min(at_once, max(_tile_pixels(config, height, width)))
    is_winograd = config.convolution == "winograd"
    memory = machine.program_memory + TRANSFORMED_WEIGHTS * is_winograd
    activations = ACTIVATIONS[config.convolution]
    has_onednn = machine.has_onednn and not machine.has_gpu
    if config.convolution == "direct" and has_onednn:
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


def fit_to_memory(
    config: Config,
    height: int,
    width: int,
    machine: Machine,
    can_cut: bool,
) -> Config:
    """Chooses `tile_size` and `num_correction_pairs` that fit the memory.

    `tile_size` auto is 0 if the whole frame fits, else the largest that fits.
    `num_correction_pairs` auto is 20 unless no tiles are small enough; with
    fewer pairs the picture differs a little, as L-BFGS takes another path.

    Args:
        config: options of a plan; these two may be `auto`.
        height: height of the output, pixels.
        width: width of the output, pixels.
        machine: machine that runs the plan.
        can_cut: True if the frame may be cut into tiles.
    """
    pairs, tile_sizes = [config.num_correction_pairs], [config.tile_size]
    if config.num_correction_pairs == "auto":
        is_lbfgs = config.optimizer == "lbfgs"
        pairs = CORRECTION_PAIRS if is_lbfgs else CORRECTION_PAIRS[:1]
    if config.tile_size == "auto":
        tile_sizes = [0, *TILE_SIZES] if can_cut else [0]
    choices = [
        dataclasses.replace(config, num_correction_pairs=number, tile_size=size)
        for number in pairs
        for size in tile_sizes
    ]
    if len(choices) == 1:
        return choices[0]
    needs = [
        estimate_memory(choice, height, width, machine) for choice in choices
    ]
    free = machine.free_for_run(needs[0] / SHARE)
    fitting = (number for number, n in enumerate(needs) if n <= SHARE * free)
    return choices[next(fitting, needs.index(min(needs)))]


def count_kept_tiles(
    config: Config, height: int, width: int, machine: Machine
) -> int:
    """Returns the number of tiles whose activations fit into spare memory.

    They use at most half of the spare memory, as other processes may need it;
    0 if the free memory is unknown.

    Args:
        config: options of a plan, with a tile size.
        height: height of the output, pixels.
        width: width of the output, pixels.
        machine: machine that runs the plan.
    """
    need = estimate_memory(config, height, width, machine)
    spare = (SHARE * machine.free_for_run(need / SHARE) - need) / 2
    if not 0 < spare < math.inf:
        return 0
    tiles = _tile_pixels(config, *frame_of(height, width, config).size)
    kept = spare // (KEPT_ACTIVATIONS * max(tiles))
    return min(int(kept), len(tiles))


def memory_of_tiles(
    config: Config, size: tuple[int, int], num_tiles: int
) -> float:
    """Estimates the bytes of the activations that are kept between passes.

    Args:
        config: options of a plan, with a tile size.
        size: height and width of the frame, pixels.
        num_tiles: number of tiles whose activations are kept.
    """
    return num_tiles * KEPT_ACTIVATIONS * max(_tile_pixels(config, *size))


def _tile_pixels(config: Config, height: int, width: int) -> list[int]:
    """Returns the number of pixels of each tile with its halo."""
    layers = (*config.content_layers, *config.style_layers)
    tiles = cut_frame((height, width), config.tile_size, layers, config.pooling)
    return [num_pixels(tile) for tile in tiles]
