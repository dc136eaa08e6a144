"""Style transfer on arrays: images in, an image out."""

import contextlib
import functools
from collections.abc import Callable
from collections.abc import Generator
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfstyle.config.config import Config
from tfstyle.config.validation import ConfigError
from tfstyle.distributed.replicas import LEVEL
from tfstyle.distributed.replicas import Replicas
from tfstyle.images import color_transfer
from tfstyle.images.preprocessing import deprocess
from tfstyle.images.preprocessing import preprocess
from tfstyle.images.preprocessing import to_levels
from tfstyle.images.resize import resize
from tfstyle.images.resize import resize_floats
from tfstyle.network.extractor import Extractor
from tfstyle.objective.objective import ExtraLosses
from tfstyle.training.callbacks import Action
from tfstyle.training.callbacks import Finish
from tfstyle.training.callbacks import Record
from tfstyle.training.extractor import check_extractor
from tfstyle.training.extractor import make_extractor
from tfstyle.training.initial_image import make_initial_image
from tfstyle.training.plan import Plan
from tfstyle.training.plan import make_plan
from tfstyle.training.plan import warn_if_enlarged
from tfstyle.training.plan import warn_if_thin
from tfstyle.training.problem import Problem
from tfstyle.training.state import State
from tfstyle.training.trainer import Result
from tfstyle.training.trainer import Trainer

MOST_CHROMA = 2
"""Grey levels between the channels of a picture that counts as grey."""


def stylize(
    content: np.ndarray | None,
    styles: Sequence[np.ndarray],
    config: Config,
    *,
    content_masks: Sequence[np.ndarray] = (),
    style_masks: Sequence[np.ndarray] = (),
    actions: Sequence[Action] = (),
    extractor: Extractor | None = None,
    extra_losses: ExtraLosses | None = None,
    replicas: Replicas | None = None,
    **options: Any,
) -> Result:
    """Renders the content image in the style of the style images.

    Args:
        content: uint8 `[H, W, 3]`, RGB, of any size, or None.
        styles: uint8 `[H, W, 3]`, RGB, of any sizes; may be empty.
        config: options; of its paths only `weights` is used.
        content_masks: uint8 `[H, W]` of any sizes, one per region of the
            output, 255 inside; as many as styles, or none.
        style_masks: uint8 `[H, W]`, one per style, or none for whole styles.
        actions: called with the `Record` of every step. A text that one
            returns ends the run, as the reason.
        extractor: made by `make_extractor(config)` if None; give it to use it
            for several runs.
        extra_losses: terms of one's own, by name.
        replicas: that share the work; this process leads the others.
        **options: further arguments of `iterate`.

    Raises:
        ConfigError: if images, extractor and config contradict.
        NotFiniteError: if loss or gradient stop being finite; names the step.
        WeightsError: if the weights cannot be had.
    """
    _check_arrays("content", [] if content is None else [content], "HW3")
    _check_arrays("styles", styles, "HW3")
    _check_arrays("content_masks", content_masks, "HW")
    _check_arrays("style_masks", style_masks, "HW")
    config.check_images(
        content is not None, len(styles), len(content_masks), len(style_masks)
    )
    num_replicas = replicas.num_replicas if replicas else 1
    plan = make_plan(
        config, content, styles, num_replicas, is_whole=bool(extra_losses)
    )
    records = iterate(
        content,
        styles,
        plan,
        make_extractor(plan.config) if extractor is None else extractor,
        content_masks=content_masks,
        style_masks=style_masks,
        extra_losses=extra_losses,
        replicas=replicas,
        **options,
    )
    return run_to_end(records, actions)


def run_to_end(
    records: Generator[Record, str | None, Result], actions: Sequence[Action]
) -> Result:
    """Makes all steps of a run and returns its result.

    Args:
        records: made by `iterate`; closed if an action raises.
        actions: called with every record. A text that one returns ends the
            run, as the reason.
    """
    with contextlib.closing(records):
        reason = None
        while True:
            try:
                record = records.send(reason)
            except StopIteration as end:
                return end.value
            returned = [action(record) for action in actions]
            texts = [text for text in returned if isinstance(text, str)]
            reason = texts[-1] if texts else None


def iterate(
    content: np.ndarray | None,
    styles: Sequence[np.ndarray],
    plan: Plan,
    extractor: Extractor,
    *,
    content_masks: Sequence[np.ndarray] = (),
    style_masks: Sequence[np.ndarray] = (),
    alpha: np.ndarray | None = None,
    style_alphas: Sequence[np.ndarray | None] = (),
    initial_image: np.ndarray | None = None,
    extra_losses: ExtraLosses | None = None,
    state: State | None = None,
    save_state: Callable[[State], None] | None = None,
    save_every_seconds: float = 30.0,
    should_stop: Callable[[], str | None] = lambda: None,
    replicas: Replicas | None = None,
) -> Generator[Record, str | None, Result]:
    """Yields a record of every step of a run, and returns the result.

    Leaving out an image removes its term from the loss: without content it
    synthesises a texture, without styles it reconstructs the content. A text
    that is sent to the generator ends the run, as the reason.

    Args:
        content: uint8 `[H, W, 3]`, RGB, of any size, or None.
        styles: uint8 `[H, W, 3]`, RGB, of any sizes; may be empty.
        plan: made for these images by `make_plan`.
        extractor: of the plan's layers.
        content_masks: uint8 `[H, W]` of any sizes, one per region of the
            output, 255 inside; as many as styles, or none.
        style_masks: uint8 `[H, W]`, one per style, or none for whole styles;
            region r of the output takes its style from region r of style r.
        alpha: uint8 `[H, W]`, of the content; what is transparent has no
            weight in Gram matrices. None: all is opaque.
        style_alphas: the same of every style; none: all are opaque.
        initial_image: uint8 `[H, W, 3]`, RGB, to start from in place of
            `config.init`; resized to the output.
        extra_losses: terms of one's own, by name; the plan is whole.
        state: goes on where a run of the same arguments was.
        save_state: takes the state every `save_every_seconds` and at the end,
            such as a `checkpoint.Checkpoints`.
        save_every_seconds: between calls of it, as `Trainer` takes them.
        should_stop: asked before every evaluation; a text ends the run at the
            last complete step, as the reason.
        replicas: that share the work; this process leads the others.

    Raises:
        ClusterError: if another process is gone.
        CheckpointError: if the state is not of a run of these arguments.
        ConfigError: if the extractor is not the plan's.
        NotFiniteError: if loss or gradient stop being finite; names the step.
    """
    config = plan.config
    warn_if_thin(content, styles, config)
    warn_if_enlarged(content, styles, config)
    check_extractor(extractor, config)
    problem = Problem(
        content,
        styles,
        plan,
        content_masks=content_masks,
        style_masks=style_masks,
        alpha=alpha,
        style_alphas=style_alphas,
        extractor=extractor,
        extra_losses=extra_losses,
        replicas=replicas,
    )
    trainer = Trainer(
        config,
        make_finish(content, config),
        state=state,
        save_state=save_state,
        save_every_seconds=save_every_seconds,
        should_stop=should_stop,
    )
    image = None
    for level, frame in enumerate(problem.frames):
        size = frame.height, frame.width
        stored = trainer.stored_image(level, frame)
        if stored is not None:
            image = stored
        elif image is not None:
            picture = resize_floats(
                problem.frames[level - 1].crop(image), *size
            )
            image = frame.extend(picture[0])[np.newaxis]
        else:
            image = make_first_image(problem, level, initial_image)
        if not trainer.has_work(level):
            continue
        if replicas is not None:
            replicas.lead(LEVEL, level)
        objective = problem.make_objective(level)
        variable = tf.Variable(image)
        image = None  # so that a large one is there once
        yield from trainer.run_level(level, frame, variable, objective)
        image = variable.numpy()
    return trainer.result(problem.frames[-1].crop(image))


def _check_arrays(
    argument: str, arrays: Sequence[np.ndarray], axes: str
) -> None:
    """Checks that arrays are uint8 pixels, `[H, W, 3]` or `[H, W]`."""
    for array in arrays:
        dtype = getattr(array, "dtype", type(array).__name__)
        shape = getattr(array, "shape", ())
        is_right = len(shape) == len(axes) and (axes == "HW" or shape[2] == 3)
        if dtype != np.uint8 or not is_right:
            raise ConfigError(
                f"`{argument}` must be uint8 [{', '.join(axes)}]."
                f" Received: {dtype} {list(shape)}."
            )


def make_first_image(
    problem: Problem, level: int, initial_image: np.ndarray | None
) -> np.ndarray:
    """Makes the image that the optimisation of a level starts from.

    Args:
        problem: of the run.
        level: of the problem.
        initial_image: uint8 `[H, W, 3]`, RGB, in place of the config's `init`.

    Returns:
        float32 `[1, H, W, 3]`, of the level's frame.
    """
    frame, config = problem.frames[level], problem.config
    if initial_image is not None:
        resized = resize(initial_image, frame.height, frame.width)
        return preprocess(frame.extend(resized))
    return make_initial_image(
        config.init,
        *frame.size,
        content=problem.content(level) if config.init == "content" else None,
        style=next(problem.styles(level)) if config.init == "style" else None,
        seed=config.seed,
    )


def make_finish(original: np.ndarray | None, config: Config) -> Finish:
    """Returns the function that makes pixels of an image of any level.

    A grey content has no colours, but the network tints what it paints: to
    match its colours is to have none.
    """
    is_kept = config.preserve_colors == "luminance" or (
        config.preserve_colors == "match"
        and np.ptp(original, axis=-1).max() <= MOST_CHROMA
    )
    if not is_kept:
        return deprocess
    return functools.partial(_finish_in_colors_of, original)


def _finish_in_colors_of(
    original: np.ndarray, image: np.ndarray, bits: int = 8
) -> np.ndarray:
    """Returns an image's luminance in the original's colours.

    Nothing is rounded to 8 bits on the way to 16.
    """
    height, width = image.shape[1:3]
    if bits == 8:
        painted = deprocess(image)
        content = resize(original, height, width)
    else:
        painted = to_levels(image)
        floats = original[np.newaxis].astype(np.float32)
        content = resize_floats(floats, height, width)[0]
        for levels in (painted, content):
            np.clip(levels, 0, 255, out=levels)
    return color_transfer.restore_colors(painted, content, bits)
