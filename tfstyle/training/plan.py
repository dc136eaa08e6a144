"""Resolves options by the images and the machine: levels, steps, frames."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from tfstyle.config import validation
from tfstyle.config.config import Config
from tfstyle.images import files as image_files
from tfstyle.images.frame import Frame
from tfstyle.images.frame import make_frame
from tfstyle.images.resize import FACTOR
from tfstyle.network.layers import Layer
from tfstyle.network.layers import deepest
from tfstyle.system.tensorflow_setup import SetupError

COARSEST = 128
"""Least long edge of the coarsest level, pixels.

The deepest style layer has a position every 16 pixels and sees 155: at 128 px
it sees the whole picture, and the largest forms are laid out there.
"""
STEPS = 130
"""Update steps of the finest level."""
STEPS_RATIO = 3
"""Each coarser level gets so many times fewer."""
FEWEST_STEPS = 30
"""Of a level.

A townscape in The Starry Night at 512 px, 204 evaluations in all, total
variation as a mean of squares: the total was 0.0808 with 60, 60 and 80 steps;
with 500 evaluations it was 0.0761. How the steps of the coarser levels are
spent hardly matters for the total.
"""


def resolve_for_images(
    config: Config, content: np.ndarray | None, styles: Sequence[np.ndarray]
) -> Config:
    """Returns a config whose `init`, levels and steps are resolved.

    With content and style the optimisation starts at the content, else at
    noise. Levels are added while the coarsest has COARSEST pixels; several
    `num_steps` are of as many levels.

    Args:
        config: a resolved one.
        content: uint8 `[H, W, 3]`, or None.
        styles: the same; may be empty.
    """
    changes = {}
    if config.init == "auto":
        has_both = content is not None and len(styles)
        changes["init"] = "content" if has_both else "noise"
    num_levels = config.num_levels
    if num_levels == "auto":
        shape = (styles[0] if content is None else content).shape
        long_edge = max(image_files.fit_size(*shape[:2], config.image_size))
        num_levels = max(1, len(config.num_steps))
        if num_levels == 1:
            while long_edge >= FACTOR * COARSEST:
                long_edge /= FACTOR
                num_levels += 1
        changes["num_levels"] = num_levels
    if not config.num_steps:
        changes["num_steps"] = tuple(
            max(FEWEST_STEPS, STEPS // STEPS_RATIO**level)
            for level in reversed(range(num_levels))
        )
    return dataclasses.replace(config, **changes)


def resolve_for_machine(config: Config) -> Config:
    """Returns a config whose `auto`s are what they mean on this machine.

    Args:
        config: one that is resolved already comes back as it is.

    Raises:
        SetupError: if the machine cannot run it.
    """
    import tensorflow as tf

    has_gpu = bool(tf.config.list_physical_devices("GPU"))
    if has_gpu and config.convolution == "winograd":
        raise SetupError(
            "`convolution` is winograd, which is for the CPU, but a GPU runs."
            " Give convolution=direct, or hide it: CUDA_VISIBLE_DEVICES=''."
        )
    is_cut = (
        config.tile_size not in (0, "auto")
        or config.strategy in validation.REPLICATED
    )
    is_direct = has_gpu or config.precision != "float32" or is_cut
    choices = {
        "convolution": "direct" if is_direct else "winograd",
        "jit_compile": "true" if has_gpu else "false",
    }
    return dataclasses.replace(
        config,
        **{n: v for n, v in choices.items() if getattr(config, n) == "auto"},
    )


def frame_of(height: int, width: int, config: Config) -> Frame:
    """Returns the frame of a picture, by the config's padding and layers."""
    if config.padding == "zero":
        return Frame(height, width)
    return make_frame(height, width, deepest_layer(config).stride)


def style_size(height: int, width: int, config: Config) -> tuple[int, int]:
    """Returns the size at which a scaled style image is read.

    With replicated padding both have whole positions of the deepest layer, so
    that the zeros beyond the edges take the same part in both Gram matrices.
    Else the contrast of a texture's outermost 8 pixels was 4, 11, 4 and 20
    percent too low at 79 px, by side (six seeds, 130 steps).

    Args:
        height: of the scaled style image, at least one position, pixels.
        width: likewise.
        config: gives the padding and the layers.
    """
    if config.padding == "zero":
        return height, width
    stride = deepest_layer(config).stride
    return round(height / stride) * stride, round(width / stride) * stride


def deepest_layer(config: Config) -> Layer:
    """Returns the deepest of the content and style layers."""
    return deepest((*config.content_layers, *config.style_layers))
