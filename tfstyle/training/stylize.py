"""Style transfer from images and a plan to records and a result."""

import contextlib
import functools
from collections.abc import Callable
from collections.abc import Generator
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfstyle.config.config import Config
from tfstyle.distributed.replicas import LEVEL
from tfstyle.distributed.replicas import Replicas
from tfstyle.images import color_transfer
from tfstyle.images.image_set import ImageSet
from tfstyle.images.preprocessing import deprocess
from tfstyle.images.preprocessing import to_levels
from tfstyle.images.resize import resize
from tfstyle.images.resize import resize_floats
from tfstyle.images.resize import resize_mask
from tfstyle.network.extractor import Extractor
from tfstyle.network.extractor import load_extractor
from tfstyle.objective.objective import ExtraLosses
from tfstyle.system.machine import Machine
from tfstyle.training.callbacks import Action
from tfstyle.training.callbacks import Record
from tfstyle.training.callbacks import Result
from tfstyle.training.callbacks import ToPixels
from tfstyle.training.extractor import check_extractor
from tfstyle.training.initial_image import make_initial_image
from tfstyle.training.plan import Plan
from tfstyle.training.plan import make_plan
from tfstyle.training.pyramid_objective import PyramidObjective
from tfstyle.training.size_warnings import warn_if_small
from tfstyle.training.state import State
from tfstyle.training.trainer import Trainer

MOST_CHROMA = 2
"""Largest difference between the channels of a grey picture, grey levels."""


def stylize(
    images: ImageSet,
    config: Config,
    *,
    actions: Sequence[Action] = (),
    extractor: Extractor | None = None,
    extra_losses: ExtraLosses | None = None,
    replicas: Replicas | None = None,
    **options: Any,
) -> Result:
    """Renders the content image in the style of the style images.

    Args:
        images: images of the run.
        config: options; of its paths only `weights` is used.
        actions: callbacks for the record of every step.
        extractor: feature extractor to reuse over several runs; None makes one
            for the config.
        extra_losses: user-defined losses by name.
        replicas: replicas that share the work, led by this process.
        **options: further arguments of `iterate`.

    Raises:
        ConfigError: if images, extractor and config contradict each other.
        NotFiniteError: if the loss or gradient stops being finite; the message
            names the step.
        WeightsError: if the weights cannot be loaded.
    """
    num_replicas = replicas.num_replicas if replicas else 1
    strategy = "one_device" if config.strategy == "auto" else config.strategy
    machine = Machine.find(strategy, num_replicas)
    plan = make_plan(config, images, machine, is_whole=bool(extra_losses))
    records = iterate(
        images,
        plan,
        load_extractor(plan.network) if extractor is None else extractor,
        extra_losses=extra_losses,
        replicas=replicas,
        **options,
    )
    return run_to_end(records, actions)


def run_to_end(
    records: Generator[Record, str | None, Result], actions: Sequence[Action]
) -> Result:
    """Runs all steps and returns the result.

    Args:
        records: generator made by `iterate`; closed if an action raises.
        actions: callbacks for every record, then closed with the result. A
            returned string ends the run as its reason.
    """
    with contextlib.closing(records):
        reason = None
        while True:
            try:
                record = records.send(reason)
            except StopIteration as end:
                result = end.value
                break
            returned = [action(record) for action in actions]
            texts = [text for text in returned if isinstance(text, str)]
            reason = texts[-1] if texts else None
    for action in actions:
        action.close(result)
    return result


def iterate(
    images: ImageSet,
    plan: Plan,
    extractor: Extractor,
    *,
    extra_losses: ExtraLosses | None = None,
    state: State | None = None,
    save_state: Callable[[State], None] | None = None,
    save_every_seconds: float = 30.0,
    should_stop: Callable[[], str | None] = lambda: None,
    replicas: Replicas | None = None,
) -> Generator[Record, str | None, Result]:
    """Yields a record of every step of a run, and returns the result.

    Leaving out an image removes its term from the loss: without content the run
    synthesises a texture, without styles it reconstructs the content. A string
    sent to the generator ends the run as its reason.

    Args:
        images: images of the run; transparent pixels have no weight in Gram
            matrices.
        plan: plan made for these images by `make_plan`.
        extractor: feature extractor with the plan's layers.
        extra_losses: user-defined losses by name; they need a plan made with
            `is_whole`.
        state: state of a run with the same arguments to continue, or None.
        save_state: function called with the state every `save_every_seconds`
            and at the end, such as a `checkpoint.Checkpoints`.
        save_every_seconds: interval between calls of `save_state`; longer if
            saving would take more than LONGEST_SHARE of the time. 0: after
            every step.
        should_stop: function called before every evaluation; a returned string
            ends the run at the last complete step as its reason.
        replicas: replicas that share the work, led by this process.

    Raises:
        ClusterError: if another process is lost.
        CheckpointError: if the state does not fit these arguments.
        ConfigError: if the extractor does not fit the plan.
        NotFiniteError: if the loss or gradient stops being finite; the message
            names the step.
    """
    if images.previous is None:  # else it was said of an earlier frame
        warn_if_small(images, plan.config)
    check_extractor(extractor, plan.network)
    pyramid = PyramidObjective(
        images, plan, extractor, extra_losses=extra_losses, replicas=replicas
    )
    trainer = Trainer(
        plan,
        make_to_pixels(images, plan.config),
        state=state,
        save_state=save_state,
        save_every_seconds=save_every_seconds,
        should_stop=should_stop,
    )
    image = None
    for level, frame in enumerate(pyramid.frames):
        stored = trainer.stored_image(level, frame)
        if stored is not None:
            image = stored
        elif image is not None:
            picture = pyramid.frames[level - 1].crop(image)
            picture = resize_floats(picture, frame.height, frame.width)
            image = frame.extend(picture[0])[np.newaxis]
        else:
            image = make_initial_image(images, pyramid, plan.config, level)
        if not trainer.has_work(level):
            continue
        if replicas is not None:
            replicas.lead(LEVEL, level)
        objective = pyramid.make_objective(level)
        variable = tf.Variable(image)
        image = None  # frees a large array
        yield from trainer.run_level(level, frame, variable, objective)
        image = variable.numpy()
    return trainer.result(pyramid.frames[-1].crop(image))


def make_to_pixels(images: ImageSet, config: Config) -> ToPixels:
    """Returns the function that converts an image of any level to pixels.

    The network tints its output even if the content is grey: matching a grey
    content therefore removes all colour.
    """
    content = images.content and images.content.pixels
    has_its_colors = config.preserve_colors == "luminance" or (
        config.preserve_colors == "match"
        and np.ptp(content, axis=-1).max() <= MOST_CHROMA
    )
    to_pixels = deprocess
    if has_its_colors:
        to_pixels = functools.partial(_to_pixels_in_colors_of, content)
    if config.keep_unmasked:
        masks = images.content_masks
        return functools.partial(_to_pixels_in_masks, to_pixels, content, masks)
    return to_pixels


def _to_pixels_in_colors_of(
    original: np.ndarray, image: np.ndarray, bits: int = 8
) -> np.ndarray:
    """Combines an image's luminance with the original's colours.

    For 16 bits no intermediate result is rounded to 8 bits.
    """
    if bits == 8:
        painted = deprocess(image)
    else:
        painted = to_levels(image)
        np.clip(painted, 0, 255, out=painted)
    content = _resize_levels(original, *image.shape[1:3], bits)
    return color_transfer.restore_colors(painted, content, bits)


def _to_pixels_in_masks(
    to_pixels: ToPixels,
    original: np.ndarray,
    masks: Sequence[np.ndarray],
    image: np.ndarray,
    bits: int = 8,
) -> np.ndarray:
    """Converts an image to pixels inside masks, and the original elsewhere.

    The share of the original is 1 - the sum of the masks, at least 0.
    """
    size = image.shape[1:3]
    inside = sum(
        resize_mask(mask, *size, is_smooth=True).astype(np.uint16)
        for mask in masks
    )
    painted = to_pixels(image, bits)
    content = _resize_levels(original, *size, bits)
    return color_transfer.mix(painted, content, np.minimum(inside, 255))


def _resize_levels(
    pixels: np.ndarray, height: int, width: int, bits: int
) -> np.ndarray:
    """Resizes uint8 pixels; for 16 bits the levels are not rounded."""
    if bits == 8:
        return resize(pixels, height, width)
    levels = pixels[np.newaxis].astype(np.float32)
    return np.clip(resize_floats(levels, height, width)[0], 0, 255)
