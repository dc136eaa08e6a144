"""The whole program on arrays: images in, an image out."""

import dataclasses
import math
import time
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from tfstyle import image_io
from tfstyle.config import Config
from tfstyle.config import ConfigError
from tfstyle.features import Extractor
from tfstyle.features import make_extractor
from tfstyle.initial_image import make_initial_image
from tfstyle.objective import compute_targets
from tfstyle.objective import make_value_and_gradient
from tfstyle.optimizers import make_optimizer
from tfstyle.periodic_actions import Action
from tfstyle.periodic_actions import Record
from tfstyle.preprocessing import deprocess
from tfstyle.preprocessing import preprocess
from tfstyle.vgg19_layers import deepest


@dataclasses.dataclass(frozen=True)
class Result:
    """What a run made.

    Attributes:
        pixels: uint8 `[H, W, 3]`, RGB.
        image: float32 `[1, H, W, 3]`, BGR without the mean, as optimised:
            neither clipped nor rounded.
        losses: of that image, by name, `total` first.
        step: update steps made.
        evaluations: of the losses and their gradient.
        seconds: since the first step.
        reason: why it ended: `steps`, `converged`, `max_evaluations`,
            `time_limit`, or what an action returned.
    """

    pixels: np.ndarray
    image: np.ndarray
    losses: dict[str, float]
    step: int
    evaluations: int
    seconds: float
    reason: str


class NotFiniteError(ArithmeticError):
    """The loss stopped being a finite number."""


def stylize(
    content: np.ndarray | None,
    styles: Sequence[np.ndarray],
    config: Config,
    *,
    initial_image: np.ndarray | None = None,
    extractor: Extractor | None = None,
    actions: Sequence[Action] = (),
) -> Result:
    """Paints the content in the style of the styles.

    Without content it synthesises a texture, without styles it reconstructs
    the content: these are not modes but what is left of the sum.

    Args:
        content: uint8 `[H, W, 3]`, RGB, of any size, or None.
        styles: uint8 `[H, W, 3]`, RGB, of any sizes; may be empty.
        config: the choices. Its file names are not read, but for `weights`.
        initial_image: uint8 `[H, W, 3]`, RGB, to start from in place of
            `config.init`; resized to the output.
        extractor: made by `make_extractor(config)` if None; give it to use it
            for several runs.
        actions: called with the `Record` of every step.

    Raises:
        ConfigError: if images and config contradict.
        NotFiniteError: if the loss stops being finite; names the step.
        WeightsError: if the weights cannot be had.
    """
    config = config.resolved()
    config.check_images(content is not None, len(styles))
    height, width = output_size(content, styles, config)
    if content is not None:
        content = image_io.resize(content, height, width)
    styles = [_resize_style(s, max(height, width), config) for s in styles]
    if extractor is None:
        extractor = make_extractor(config)
    if initial_image is None:
        start = make_initial_image(
            config.init,
            height,
            width,
            content=content,
            styles=styles,
            seed=config.seed,
        )
    else:
        start = preprocess(image_io.resize(initial_image, height, width))
    targets = compute_targets(
        extractor,
        None if content is None else tf.constant(preprocess(content)),
        [tf.constant(preprocess(style)) for style in styles],
        config,
    )
    image = tf.Variable(start, trainable=True)
    optimizer = make_optimizer(
        config.optimizer,
        image,
        make_value_and_gradient(extractor, targets, config),
        learning_rate=config.learning_rate,
        num_correction_pairs=config.num_correction_pairs,
    )
    record, reason = _run(image, optimizer, config, actions)
    pixels = image.numpy()
    return Result(
        deprocess(pixels),
        pixels,
        record.losses,
        record.step,
        record.evaluations,
        record.seconds,
        reason,
    )


def output_size(
    content: np.ndarray | None, styles: Sequence[np.ndarray], config: Config
) -> tuple[int, int]:
    """Returns the output's height and width in pixels.

    The aspect ratio is the content's or, without one, the first style's.

    Raises:
        ConfigError: if the short edge is less than one position of the
            deepest layer.
    """
    shape = (styles[0] if content is None else content).shape
    size = image_io.fit_size(shape[0], shape[1], config.image_size)
    _check_short_edge(size, "the output", config)
    return size


def _resize_style(
    style: np.ndarray, long_edge: int, config: Config
) -> np.ndarray:
    """Resizes a style image by `style_scale`."""
    scaled = round(long_edge * config.style_scale)
    if config.style_scale and not scaled:
        scaled = 1
    size = image_io.fit_size(style.shape[0], style.shape[1], scaled)
    _check_short_edge(size, "a style image", config)
    return image_io.resize(style, *size)


def _check_short_edge(size: tuple[int, int], what: str, config: Config) -> None:
    layer = deepest((*config.content_layers, *config.style_layers))
    if min(size) < layer.stride:
        raise ConfigError(
            f"`image_size` makes {what} {size[1]}x{size[0]} pixels, less than"
            f" one position of {layer.name}, which is {layer.stride} pixels."
            " Raise it, or ask for earlier layers."
        )


def _run(
    image: tf.Variable, optimizer, config: Config, actions: Sequence[Action]
) -> tuple[Record, str]:
    """Moves the image until there is a reason to end."""
    start = time.monotonic()
    limit = config.max_evaluations or math.inf
    step, reason, terms = 0, None, optimizer.start()
    while True:
        record = Record(
            step=step,
            num_steps=config.num_steps,
            evaluations=optimizer.evaluations,
            level=0,
            height=image.shape[1],
            width=image.shape[2],
            seconds=time.monotonic() - start,
            is_last=False,
            terms=terms,
            image=image,
        )
        if not math.isfinite(record.total):
            raise NotFiniteError(
                f"The loss is {record.total} at step {step}: smaller weights or"
                " a smaller `learning_rate` may help."
            )
        for action in actions:
            reason = action(record) or reason
        if step >= config.num_steps:
            reason = "steps"
        elif optimizer.is_converged:
            reason = "converged"
        elif optimizer.evaluations >= limit:
            reason = "max_evaluations"
        elif config.time_limit and record.seconds >= config.time_limit:
            reason = "time_limit"
        if reason:
            break
        terms = optimizer.update_step(limit - optimizer.evaluations)
        step += 1
    record = dataclasses.replace(record, is_last=True)
    for action in actions:
        action(record)
    return record, reason
