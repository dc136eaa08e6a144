"""The plan of a run: options, images and machine, with nothing left open."""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
from absl import logging

from tfstyle.config import validation
from tfstyle.config.config import Config
from tfstyle.config.validation import ConfigError
from tfstyle.errors import SetupError
from tfstyle.images.frame import Frame
from tfstyle.images.resize import FACTOR
from tfstyle.images.resize import fit_size
from tfstyle.images.resize import level_sizes
from tfstyle.network.layers import num_positions
from tfstyle.objective.options import ObjectiveOptions
from tfstyle.system import gpus
from tfstyle.system import processors
from tfstyle.training.frames import deepest_layer
from tfstyle.training.frames import frame_of
from tfstyle.training.memory import TILE_SIZES
from tfstyle.training.memory import can_cut_frames
from tfstyle.training.memory import fit_to_memory

COARSEST = 128
"""Least long edge of the coarsest level, pixels.

The deepest style layer has a position every 16 pixels and sees more than 128
px: there it sees the whole picture, and the largest forms are laid out.
"""
STEPS = 90
"""Update steps of the finest level of up to MAIN_SIZE pixels, and finer ones.

With 130 the total was 2 percent lower (a townscape in The Scream, 384 px), and
what it gained was finer ripples: in the quiet quarter of the picture 1 dB more
at periods of 2 to 2.5 px, half a dB at 2.5 to 3.2 px. With 50 at 1024 px (the
townscape in The Starry Night) colours are pale and the total is 16 percent
higher.
"""
STEPS_RATIO = 2
"""Each coarser level gets so many times fewer."""
MAIN_SIZE = 724
"""Largest long edge of that level, pixels: 512 times the root of 2."""
ENLARGED = 1.1
"""From which factor on an enlarged image is named."""
FEWEST_STEPS = 30
"""Of a level.

A townscape in The Starry Night at 512 px, 204 evaluations in all, total
variation as a mean of squares: the total was 0.0808 with 60, 60 and 80 steps;
with 500 evaluations it was 0.0761. How the steps of the coarser levels are
spent hardly matters for the total.
"""


@dataclasses.dataclass(frozen=True)
class Level:
    """One level of the pyramid.

    Attributes:
        frame: where the picture lies within the image that is optimised.
        num_steps: update steps.
        options: of the objective function, with the level's loss weights.
    """

    frame: Frame
    num_steps: int
    options: ObjectiveOptions


@dataclasses.dataclass(frozen=True)
class Plan:
    """A run in which nothing is left open.

    Attributes:
        config: the options, without `auto` and without defaults to fill in.
        levels: coarsest first.
        smaller_tiles: tile sizes that may be taken, one after the other, if
            memory runs out; none if the tile size was asked for.
    """

    config: Config
    levels: tuple[Level, ...]
    smaller_tiles: tuple[int, ...] = ()


def make_plan(
    config: Config,
    content: np.ndarray | None,
    styles: Sequence[np.ndarray],
    num_replicas: int = 1,
    *,
    is_whole: bool = False,
) -> Plan:
    """Resolves everything that a run's options leave open.

    Args:
        config: the options; those that are resolved already stay as they are.
        content: uint8 `[H, W, 3]`, or None.
        styles: the same; may be empty.
        num_replicas: that share the work.
        is_whole: whether there are losses that must see the whole frame.

    Raises:
        SetupError: if the machine cannot run it.
    """
    config = resolve_for_images(config.resolved(), content, styles)
    can_cut = can_cut_frames(config) and not is_whole
    is_tile_open = config.tile_size == "auto" and num_replicas == 1
    config = resolve_for_machine(config)
    size = output_size(content, styles, config)
    config = fit_to_memory(
        config,
        *size,
        num_replicas,
        can_cut=can_cut,
    )
    options = ObjectiveOptions.of(config)
    frames = [
        frame_of(*level_size, config)
        for level_size in level_sizes(*size, config.num_levels)
    ]
    levels = [
        Level(
            frame,
            num_steps,
            weigh_level(options, frame.size, frames[-1].size),
        )
        for frame, num_steps in zip(frames, config.steps_by_level, strict=True)
    ]
    smaller_tiles = ()
    if is_tile_open and can_cut:
        most = config.tile_size or max(frames[-1].size)
        smaller_tiles = tuple(size for size in TILE_SIZES if size < most)
    return Plan(config, tuple(levels), smaller_tiles)


def resolve_for_images(
    config: Config, content: np.ndarray | None, styles: Sequence[np.ndarray]
) -> Config:
    """Returns a config whose `init`, figures, levels and steps are resolved.

    With content and style the optimisation starts at the content, else at
    noise. Levels are added while the coarsest has COARSEST pixels and is no
    thinner than one position of the deepest layer; several `num_steps` are of
    as many levels.

    Args:
        config: a resolved one.
        content: uint8 `[H, W, 3]`, or None.
        styles: the same; may be empty.

    Raises:
        ConfigError: if the images are too small for so many levels.
    """
    changes = {}
    size = output_size(content, styles, config)
    if config.init == "auto":
        has_both = content is not None and len(styles)
        changes["init"] = "content" if has_both else "noise"
    if config.style_figures == "auto":
        is_painted = content is not None and config.loss_scale == "relative"
        changes["style_figures"] = "few" if is_painted else "all"
    num_levels = config.num_levels
    if num_levels == "auto":
        short, long = sorted(size)
        least = deepest_layer(config).stride
        num_levels = max(1, len(config.num_steps))
        if num_levels == 1:
            while long >= FACTOR * COARSEST and short >= FACTOR * least:
                short, long = short / FACTOR, long / FACTOR
                num_levels += 1
        changes["num_levels"] = num_levels
    _check_levels(num_levels, size, config)
    if not config.num_steps:
        changes["num_steps"] = _default_steps(level_sizes(*size, num_levels))
    return dataclasses.replace(config, **changes)


def _default_steps(sizes: Sequence[tuple[int, int]]) -> tuple[int, ...]:
    """Returns the update steps of levels of some sizes, coarsest first."""
    main = sum(max(size) <= MAIN_SIZE for size in sizes[1:])
    return tuple(
        max(FEWEST_STEPS, STEPS // STEPS_RATIO ** max(0, main - level))
        for level in range(len(sizes))
    )


def _check_levels(
    num_levels: int, size: tuple[int, int], config: Config
) -> None:
    """Checks that no coarse level is thinner than a position.

    One level is allowed at any size.

    Args:
        num_levels: asked for, or one for each of `num_steps`.
        size: of the output, pixels.
        config: gives the deepest layer.

    Raises:
        ConfigError: says how many levels this size allows.
    """
    layer, most = deepest_layer(config), 1
    while round(min(size) / FACTOR**most) >= layer.stride:
        most += 1
    if num_levels <= most:
        return
    received = f"num_levels={num_levels!s:.40}"
    if config.num_levels == "auto":
        received = f"num_steps for {num_levels} levels"
    raise ConfigError(
        f"`num_levels` must leave the coarsest level {layer.stride} pixels or"
        f" more each way, one position of {layer.alias}. Received: {received}"
        f" at {size[1]}x{size[0]} pixels. Give at most {most}, or raise"
        " `image_size`."
    )


def resolve_for_machine(config: Config) -> Config:
    """Resolves the `auto` options that depend on this machine.

    On a GPU `jit_compile` stays auto: whether XLA gains is found out while it
    evaluates; what is to give the same bits every time does without.

    Args:
        config: one that is resolved already comes back as it is.

    Raises:
        SetupError: if the machine cannot run it.
    """
    is_gpu = gpus.has_gpu()
    if is_gpu and config.convolution == "winograd":
        raise SetupError(
            "`convolution` is winograd, which is for the CPU, but a GPU runs."
            " Give convolution=direct, or hide it: CUDA_VISIBLE_DEVICES=''."
        )
    is_replicated = config.strategy in validation.REPLICATED
    if config.precision == "auto":
        is_float32 = (
            is_gpu
            or is_replicated
            or config.convolution == "direct"
            or config.jit_compile == "true"
            or not processors.is_bfloat16_faster()
        )
        precision = "float32" if is_float32 else "mixed_bfloat16"
        config = dataclasses.replace(config, precision=precision)
    is_direct = is_gpu or is_replicated or config.precision == "mixed_float16"
    choices = {
        "convolution": "direct" if is_direct else "winograd",
        "jit_compile": (
            "auto" if is_gpu and not config.deterministic else "false"
        ),
    }
    return dataclasses.replace(
        config,
        **{n: v for n, v in choices.items() if getattr(config, n) == "auto"},
    )


def output_size(
    content: np.ndarray | None, styles: Sequence[np.ndarray], config: Config
) -> tuple[int, int]:
    """Returns the output's height and width in pixels.

    The aspect ratio is the content's or, without one, the first style's.
    """
    shape = (styles[0] if content is None else content).shape
    return fit_size(shape[0], shape[1], config.image_size)


def warn_if_thin(
    content: np.ndarray | None, styles: Sequence[np.ndarray], config: Config
) -> None:
    """Names the size from which on the deepest layer sees no more border.

    Args:
        content: uint8 `[H, W, 3]`, or None.
        styles: the same; may be empty.
        config: of a plan.
    """
    shape = (styles[0] if content is None else content).shape
    height, width = output_size(content, styles, config)
    layer = deepest_layer(config)
    if min(height, width) < layer.stride:
        logging.warning(
            "The output has %dx%d pixels, of which %s needs %d each way to see"
            " it well. Raise --image_size to %d.",
            width,
            height,
            layer.alias,
            layer.stride,
            math.ceil(layer.stride * max(shape[:2]) / min(shape[:2])),
        )


def warn_if_enlarged(
    content: np.ndarray | None, styles: Sequence[np.ndarray], config: Config
) -> None:
    """Names images that are much smaller than what is asked of them.

    Args:
        content: uint8 `[H, W, 3]`, or None.
        styles: the same; may be empty.
        config: of a plan.
    """
    output = max(output_size(content, styles, config))
    if content is not None and output > ENLARGED * max(content.shape):
        logging.warning(
            "The content image, %d pixels long, is enlarged to %d and has no"
            " finer detail to give. Take a larger file, or --image_size=%d.",
            max(content.shape),
            output,
            max(content.shape),
        )
    for number, style in enumerate(styles, start=1):
        if output * config.style_scale > ENLARGED * max(style.shape):
            logging.warning(
                "Style image %d, %d pixels long, is enlarged to %d, which makes"
                " soft strokes. Take a larger file, or --style_scale=%.2f for"
                " smaller strokes.",
                number,
                max(style.shape),
                round(output * config.style_scale),
                max(style.shape) / output,
            )


def weigh_level(
    options: ObjectiveOptions,
    size: tuple[int, int],
    final_size: tuple[int, int],
) -> ObjectiveOptions:
    """Returns options whose losses weigh at a level as at the final size.

    The content loss sums over positions, the image's own losses over pixels,
    so a level with a quarter of them gets four times their weight.
    """
    if options.loss_scale != "absolute":
        return options
    is_sum = options.content_reduction == "sum"
    ratios = [
        num_positions(name, final_size) / num_positions(name, size)
        if is_sum
        else 1.0
        for name in options.content_layers
    ]
    weights = zip(options.content_layer_weights, ratios, strict=True)
    ratio_of_pixels = math.prod(final_size) / math.prod(size)
    return dataclasses.replace(
        options,
        content_layer_weights=tuple(w * ratio for w, ratio in weights),
        tv_weight=options.tv_weight * ratio_of_pixels,
        chroma_weight=options.chroma_weight * ratio_of_pixels,
        range_weight=options.range_weight * ratio_of_pixels,
    )
