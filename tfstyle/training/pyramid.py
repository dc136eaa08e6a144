"""The image pyramid: levels of a run from coarse to fine.

Notes: a photograph in a painting's style at 768 px, from noise, 212 seconds on
2 cores: three levels of 120, 70 and 30 steps reached a total of 1.43e7 (style
1.68e6), one level of 53 steps 1.72e7 (style 3.44e6), with strokes of one small
scale only. Measured by `tools/compare_levels.py`.
"""

import dataclasses
import math
from collections.abc import Sequence

from tfstyle.config.config import Config
from tfstyle.errors import ConfigError
from tfstyle.images.frame import Frame
from tfstyle.network.layers import num_positions
from tfstyle.objective.options import ObjectiveOptions
from tfstyle.training.frames import deepest_layer
from tfstyle.training.frames import frame_of

FACTOR = 2
"""Ratio of the sides of each level to those of the next coarser one."""
COARSEST = 128
"""Minimum long edge of the coarsest level, pixels.

The deepest style layer has a position every 16 pixels and a receptive field of
more than 128 px, so at this size it covers the whole picture and shapes the
largest forms.
"""
STEPS = 90
"""Update steps of the finest level of up to MAIN_SIZE pixels, and finer ones.

Notes: with 130 the total was 2 percent lower (a townscape in the style of The
Scream, 384 px), but the gain was finer ripples: in the quiet quarter of the
picture 1 dB more at periods of 2 to 2.5 px, half a dB at 2.5 to 3.2 px. With 50
at 1024 px (the townscape in the style of The Starry Night) colours are pale and
the total is 16 percent higher.
"""
STEPS_RATIO = 2
"""Ratio of the update steps of a level to those of the next coarser one."""
MAIN_SIZE = 724
"""Maximum long edge of the main level, pixels: 512 times the root of 2.

The main level and finer ones get STEPS update steps.
"""
FEWEST_STEPS = 30
"""Minimum number of update steps per level.

Notes: for a townscape in the style of The Starry Night at 512 px, 204
evaluations, total variation as a mean of squares, the total was 0.0808 with 60,
60 and 80 steps; with 500 evaluations it was 0.0761. The distribution of steps
over the coarser levels hardly affects the total.
"""


@dataclasses.dataclass(frozen=True)
class Level:
    """One level of the pyramid.

    Attributes:
        frame: position of the picture within the optimised image.
        num_steps: number of update steps.
        options: options of the objective function, with the level's weights.
    """

    frame: Frame
    num_steps: int
    options: ObjectiveOptions


def choose_levels(
    size: tuple[int, int], config: Config
) -> tuple[int, tuple[int, ...]]:
    """Chooses the number of levels and their update steps.

    Levels are added while the coarsest has at least COARSEST pixels and is no
    thinner than one position of the deepest layer. A `num_steps` with several
    entries sets the number of levels.

    Args:
        size: height and width of the output, pixels.
        config: options, including `num_levels`, `num_steps` and the layers.

    Returns:
        The number of levels, and `num_steps`.

    Raises:
        ConfigError: if the output is too small for the number of levels.
    """
    num_levels = config.num_levels
    if num_levels == "auto":
        short, long = sorted(size)
        least = deepest_layer(config).stride
        num_levels = max(1, len(config.num_steps))
        if num_levels == 1:
            while long >= FACTOR * COARSEST and short >= FACTOR * least:
                short, long = short / FACTOR, long / FACTOR
                num_levels += 1
    _check_levels(num_levels, size, config)
    steps = tuple(config.num_steps)
    return num_levels, steps or _default_steps(level_sizes(*size, num_levels))


def make_levels(size: tuple[int, int], config: Config) -> tuple[Level, ...]:
    """Makes the levels of a run, coarsest first.

    Args:
        size: height and width of the output, pixels.
        config: options of a plan.
    """
    options = ObjectiveOptions.of(config)
    frames = [
        frame_of(*level_size, config)
        for level_size in level_sizes(*size, config.num_levels)
    ]
    return tuple(
        Level(frame, steps, weigh_level(options, frame.size, frames[-1].size))
        for frame, steps in zip(frames, config.steps_by_level, strict=True)
    )


def describe_levels(levels: Sequence[Level]) -> str:
    """Describes levels: `45 steps at 256 px, then 90 steps at 512 px`."""
    return ", then ".join(
        f"{level.num_steps} steps at"
        f" {max(level.frame.height, level.frame.width)} px"
        for level in levels
    )


def level_sizes(
    height: int, width: int, num_levels: int
) -> list[tuple[int, int]]:
    """Returns the height and width of every level in pixels, coarsest first.

    The last is the size of the output; coarser sizes are divided by powers of
    `FACTOR`, rounded half to even, and at least 1.
    """
    scales = [FACTOR**level for level in reversed(range(num_levels))]
    return [
        (max(1, round(height / s)), max(1, round(width / s))) for s in scales
    ]


def _default_steps(sizes: Sequence[tuple[int, int]]) -> tuple[int, ...]:
    """Returns the update steps of levels of these sizes, coarsest first."""
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
        num_levels: number of levels.
        size: height and width of the output, pixels.
        config: options, including the layers.

    Raises:
        ConfigError: if this size does not allow the number of levels.
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


def weigh_level(
    options: ObjectiveOptions,
    size: tuple[int, int],
    final_size: tuple[int, int],
) -> ObjectiveOptions:
    """Returns options whose losses have the same weight at a level's size.

    The content loss is a sum over positions, pixel losses are sums over pixels,
    so a level with a quarter of them gets four times the weight.
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
