"""Paints the frames of a film, each from the painting of the previous one.

After Ruder, Dosovitskiy and Brox, Artistic style transfer for videos, 2016: a
frame starts from the previous painting, moved by the optical flow, and a
temporal loss keeps it close to that wherever the previous frame shows the same
place. Other places start from a blend of the moved painting and the frame. New
ones are regions of their own for some frames and may still change: there the
style would else hardly count, and they would stay a photograph.
"""

import dataclasses
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import TYPE_CHECKING
from typing import TypeVar

import numpy as np
from absl import logging

from tfstyle.config.config import Config
from tfstyle.experiment import resources
from tfstyle.experiment.session import Session
from tfstyle.films.flow import NEGLIGIBLE
from tfstyle.films.flow import fill_untrusted
from tfstyle.films.flow import gather
from tfstyle.films.flow import resize_weights
from tfstyle.films.frames_to_paint import FrameToPaint
from tfstyle.images.color_transfer import to_luminance
from tfstyle.images.image_set import ImageSet
from tfstyle.images.image_set import MovedPainting
from tfstyle.images.resize import resize
from tfstyle.training.plan import NOTHING_DECIDED
from tfstyle.training.plan import Plan
from tfstyle.training.plan import make_plan

if TYPE_CHECKING:
    from tfstyle.training.callbacks import Action
    from tfstyle.training.callbacks import Result

Options = TypeVar("Options", bound=Config)
TEMPORAL_WEIGHTS = {"relative": 5.0, "absolute": 2e4}
"""Default of `temporal_weight`, by `loss_scale`."""
FRAME_STEPS = 9
"""Default of `frame_steps`."""
LOOSENESS = 0.8
"""Share of the temporal weight that new places do not have yet."""
FEWEST_STEPS = 5
"""Fewest steps after which the optimizer may say that it has converged; from a
good start a line search sometimes finds no lower value at once."""


def complete_film_options(config: Options) -> Options:
    """Returns a copy with the defaults of the options for films."""
    weight, steps = config.temporal_weight, config.frame_steps
    if weight is None:
        weight = TEMPORAL_WEIGHTS[config.loss_scale]
    return dataclasses.replace(
        config,
        temporal_weight=weight,
        frame_steps=FRAME_STEPS if steps is None else steps,
    )


class FramePainter:
    """Paints frames in one style.

    Args:
        config: options of the paintings, with those for films.
        session: the TensorFlow session, with its networks.
        images: styles and their masks, with the first frame.
        decided: options that an earlier part of the film decided.

    Attributes:
        plan: plan of the first frame.
        extractor: feature extractor of all frames.

    Raises:
        ConfigError: if images and options contradict each other.
        OutOfMemoryError: if there is clearly not enough memory.
        WeightsError: if the weights cannot be loaded.
    """

    def __init__(
        self,
        config: Config,
        session: Session,
        images: ImageSet,
        decided: Mapping[str, str] = NOTHING_DECIDED,
    ):
        self._config = config
        self._images = images
        self._decided = decided
        self._machine = session.start(config)
        self._replicas = session.replicas
        self.plan = self._make_plan(images)
        resources.check_memory(self.plan)
        self.extractor = session.make_extractor(self.plan.network)

    def paint(
        self,
        frame: FrameToPaint,
        paintings: Mapping[int, np.ndarray],
        should_stop: Callable[[], str | None] = lambda: None,
        actions: Sequence["Action"] = (),
    ) -> "Result":
        """Paints a frame.

        Args:
            frame: the frame.
            paintings: uint8 `[H, W, 3]`, paintings of the shot's last frames by
                their number.
            should_stop: function called before every evaluation; a returned
                string ends the painting as its reason.
            actions: callbacks for the record of every step.

        Raises:
            ConfigError: if frame and options contradict each other.
            NotFiniteError: if the loss stops being finite.
        """
        images = self._make_images(frame)
        if frame.motions:
            self._add_previous(images, frame, paintings)
        result = self._run(images, should_stop, actions)
        if result.reason == "converged" and result.step < FEWEST_STEPS:
            logging.info(
                "Frame %d: the optimizer stopped after %d steps; it starts"
                " again",
                frame.number,
                result.step,
            )
            images.initial_image = result.pixels
            result = self._run(images, should_stop, actions)
        return result

    def _run(
        self,
        images: ImageSet,
        should_stop: Callable[[], str | None],
        actions: Sequence["Action"],
    ) -> "Result":
        from tfstyle.training.stylize import iterate
        from tfstyle.training.stylize import run_to_end

        records = iterate(
            images,
            self._make_plan(images),
            self.extractor,
            should_stop=should_stop,
            replicas=self._replicas,
        )
        return run_to_end(records, actions)

    def _make_plan(self, images: ImageSet) -> Plan:
        """Plans the painting of a frame, by whether it has a predecessor."""
        config = self._config
        if images.previous is not None:
            config = dataclasses.replace(
                config, num_levels=1, num_steps=(config.frame_steps,)
            )
        return make_plan(config, images, self._machine, self._decided)

    def _make_images(self, frame: FrameToPaint) -> ImageSet:
        """Returns the images of a frame.

        Regions that are not in the frame are left out, with their styles.
        """
        styles, masks = self._images.styles, frame.masks
        style_masks = self._images.style_masks
        present = [n for n, mask in enumerate(masks) if mask.any()]
        if len(present) < len(masks):
            masks = [masks[n] for n in present]
            styles = [styles[n] for n in present]
            style_masks = style_masks and [style_masks[n] for n in present]
        start = None if frame.motions else self._images.initial_image
        return ImageSet(
            frame.picture,
            styles,
            masks,
            style_masks,
            start,
            colors_of=frame.shot,
        )

    def _add_previous(
        self,
        images: ImageSet,
        frame: FrameToPaint,
        paintings: Mapping[int, np.ndarray],
    ) -> None:
        """Adds the previous painting, moved."""
        content = frame.picture.pixels
        if self._config.preserve_colors == "luminance":
            # The network paints in grey; the paintings have their frame's
            # colours.
            content = to_luminance(content)
            paintings = {n: to_luminance(paintings[n]) for n in frame.motions}
        moved, weights = gather(paintings, frame.motions)
        size = weights.shape
        images.initial_image = fill_untrusted(
            moved, resize(content, *size), weights
        )
        trust = 1 - LOOSENESS * resize_weights(frame.fresh, *size) / 255
        images.previous = MovedPainting(
            moved,
            np.rint(weights * trust).astype(np.uint8),
            resize_weights(2 * frame.fresh, *size)
            if frame.fresh.mean() > NEGLIGIBLE
            else None,
        )
