"""Warnings about images that are too small."""

import math

from absl import logging

from tfstyle.config.config import Config
from tfstyle.images.image_set import ImageSet
from tfstyle.images.resize import fit_size
from tfstyle.training.frames import deepest_layer

ENLARGED = 1.1
"""Enlargement factor above which a warning is logged."""


def warn_if_small(images: ImageSet, config: Config) -> None:
    """Warns about images that are too small for the run.

    The output should be no thinner than a position of the deepest layer, and
    no image much smaller than its size in the run.

    Args:
        images: images of the run.
        config: options of the run's plan.
    """
    size = images.layout_size
    height, width = fit_size(*size, config.image_size)
    layer = deepest_layer(config)
    if min(height, width) < layer.stride:
        logging.warning(
            "The output has only %dx%d pixels, but %s needs %d each way. Raise"
            " --image_size to %d.",
            width,
            height,
            layer.alias,
            layer.stride,
            math.ceil(layer.stride * max(size) / min(size)),
        )
    output = max(height, width)
    if images.content is not None and output > ENLARGED * max(size):
        logging.warning(
            "The content image, %d pixels long, is enlarged to %d, which adds"
            " no detail. Use a larger file, or --image_size=%d.",
            max(size),
            output,
            max(size),
        )
    for number, style in enumerate(images.styles, start=1):
        long_edge = max(style.pixels.shape)
        if output * config.style_scale > ENLARGED * long_edge:
            logging.warning(
                "Style image %d, %d pixels long, is enlarged to %d, which"
                " blurs its strokes. Use a larger file, or --style_scale=%.2f"
                " for smaller strokes.",
                number,
                long_edge,
                round(output * config.style_scale),
                long_edge / output,
            )
