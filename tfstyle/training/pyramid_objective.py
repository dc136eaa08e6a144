"""Objective functions of the pyramid levels, from images, masks and a plan."""

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from absl import logging

from tfstyle.config.config import Config
from tfstyle.distributed.replicas import Replicas
from tfstyle.distributed.replicated_objective import ReplicatedEvaluator
from tfstyle.errors import ConfigError
from tfstyle.images import color_transfer
from tfstyle.images.frame import Frame
from tfstyle.images.image_list import ImageList
from tfstyle.images.image_set import ImageSet
from tfstyle.images.picture import Picture
from tfstyle.images.picture import mask_of
from tfstyle.images.preprocessing import preprocess
from tfstyle.images.resize import fit_size
from tfstyle.images.resize import resize
from tfstyle.images.resize import resize_mask
from tfstyle.network.extractor import Extractor
from tfstyle.objective.evaluators import WholeFrameEvaluator
from tfstyle.objective.objective import ExtraLosses
from tfstyle.objective.objective import PictureLoss
from tfstyle.objective.objective import ValueAndGradient
from tfstyle.objective.objective import make_value_and_gradient
from tfstyle.objective.targets import Style
from tfstyle.objective.targets import compute_targets
from tfstyle.objective.terms import LossTerms
from tfstyle.objective.tiled_objective import TiledEvaluator
from tfstyle.system.loop_progress import LoopProgress
from tfstyle.system.out_of_memory import is_out_of_memory
from tfstyle.system.private_tensorflow import without_memory_optimizer
from tfstyle.system.tensorflow_setup import return_freed_memory
from tfstyle.training.frames import deepest_layer
from tfstyle.training.frames import style_size
from tfstyle.training.plan import Plan


class PyramidObjective:
    """Makes the objective function of each level of a run.

    Args:
        images: images of the run.
        plan: plan made for these images.
        extractor: feature extractor with the plan's layers.
        extra_losses: user-defined losses by name.
        replicas: replicas that share the work, or None.

    Raises:
        ConfigError: if there are extra losses with tiles or replicas.

    Attributes:
        frames: position of the picture within the image, per level.
        smaller_tiles: tile sizes to continue with if memory runs out.
    """

    def __init__(
        self,
        images: ImageSet,
        plan: Plan,
        extractor: Extractor,
        *,
        extra_losses: ExtraLosses | None = None,
        replicas: Replicas | None = None,
    ):
        self.frames = [level.frame for level in plan.levels]
        self._plan = plan
        self._config = config = plan.config
        self._content = images.content and images.content.pixels
        if config.preserve_colors == "luminance":
            self._content = color_transfer.to_luminance(self._content)
        self._previous = images.previous
        self._styles = _match_styles(images, config)
        seen = mask_of(images.alpha)
        content_masks = images.content_masks or [None]
        joined = [_join_masks(mask, seen) for mask in content_masks]
        self._content_masks = [mask for mask in joined if mask is not None]
        self._style_masks = images.style_masks
        self._extractor = extractor
        self._evaluator = make_evaluator(extractor, plan, replicas)
        if extra_losses and not isinstance(
            self._evaluator, WholeFrameEvaluator
        ):
            raise ConfigError(
                "`extra_losses` need the whole frame at once. Leave out"
                " `tile_size` and `strategy`."
            )
        self._extra_losses = extra_losses or {}
        self.smaller_tiles = list(plan.smaller_tiles)

    def content(self, level: int) -> np.ndarray | None:
        """Returns a level's content image, or None.

        uint8 `[H, W, 3]`, RGB, extended to the level's frame.
        """
        if self._content is None:
            return None
        frame = self.frames[level]
        return frame.extend(resize(self._content, frame.height, frame.width))

    def styles(self, level: int) -> Iterator[Picture]:
        """Yields the style images, resized for a level."""
        long_edge = _long_edge(self.frames[level])
        share = long_edge / _long_edge(self.frames[-1])
        for style in self._styles:
            pixels = _resize_style(style.pixels, long_edge, share, self._config)
            yield style._replace(pixels=pixels)

    def zeros(self, level: int) -> tf.Tensor:
        """Returns zeros of a level's frame size, float32 `[1, H, W, 3]`."""
        return tf.zeros((1, *self.frames[level].size, 3))

    def make_objective(self, level: int) -> ValueAndGradient:
        """Computes a level's targets and makes its objective function.

        If memory runs out, now or later, the function continues with the plan's
        smaller tiles.
        """
        return _RecoveringObjective(self, level)

    def cut_smaller(self) -> None:
        """Switches to the next smaller tile size."""
        return_freed_memory()
        tile_size = self.smaller_tiles.pop(0)
        logging.warning(
            "warning: memory ran out; continues in tiles of %d pixels",
            tile_size,
        )
        self._evaluator = TiledEvaluator(self._extractor, tile_size)

    def make_objective_once(self, level: int) -> ValueAndGradient:
        """Makes a level's objective function, which may run out of memory."""
        frame, evaluator = self.frames[level], self._evaluator
        size = frame.size
        content = self.content(level)
        targets = compute_targets(
            evaluator,
            None if content is None else tf.constant(preprocess(content)),
            self._preprocessed_styles(level),
            self._config,
            num_styles=len(self._styles),
            content_masks=[
                _extend(mask, frame) for mask in self._content_masks
            ],
            image_size=size,
            fresh=self._fresh(frame),
        )._replace(temporal=self._temporal(frame))
        options = self._plan.levels[level].options
        if not self._extra_losses:
            return evaluator.make_objective(targets, options, size)
        extra = {
            name: PictureLoss(loss, frame)
            for name, loss in self._extra_losses.items()
        }
        return make_value_and_gradient(self._extractor, targets, options, extra)

    def _temporal(self, frame: Frame) -> dict[str, tf.Tensor]:
        """Returns the targets of the temporal loss; empty without a film."""
        if self._previous is None:
            return {}
        pixels, weights = (
            frame.extend(resize(pixels, frame.height, frame.width))
            for pixels in self._previous[:2]
        )
        weights = weights[np.newaxis, ..., np.newaxis] / np.float32(255)
        return {
            "target": tf.constant(preprocess(pixels)),
            "weights": tf.constant(weights),
        }

    def _fresh(self, frame: Frame) -> np.ndarray | None:
        """Returns the mask of places that are painted for the first time."""
        if self._previous is None or self._previous.fresh is None:
            return None
        return _extend(self._previous.fresh, frame)

    def _preprocessed_styles(self, level: int) -> Iterator[Style]:
        progress = LoopProgress("Reading styles' targets", len(self._styles))
        for number, style in enumerate(self.styles(level)):
            progress(number)
            mask = self._style_masks[number] if len(self._style_masks) else None
            yield Style(
                tf.constant(preprocess(style.pixels)),
                _join_masks(mask, style.mask),
            )


class _RecoveringObjective:
    """Objective function that retries with smaller tiles if memory runs out.

    Args:
        pyramid: factory of the objective function.
        level: pyramid level.
    """

    def __init__(self, pyramid: PyramidObjective, level: int):
        self._pyramid = pyramid
        self._level = level
        self._objective: ValueAndGradient | None = None
        self._run(lambda: None)

    def __call__(self, image: tf.Tensor) -> tuple[LossTerms, tf.Tensor]:
        """Returns the loss terms of an image and their gradient."""
        with without_memory_optimizer():
            return self._run(lambda: self._objective(image))

    def _run(self, action: Callable[[], Any]) -> Any:
        while True:
            try:
                if self._objective is None:
                    self._objective = self._pyramid.make_objective_once(
                        self._level
                    )
                return action()
            except Exception as error:
                if not self._pyramid.smaller_tiles or (
                    not is_out_of_memory(error)
                ):
                    raise
            # Outside `except`, so that the error's frames free their tensors.
            self._objective = None
            self._pyramid.cut_smaller()


def make_evaluator(
    extractor: Extractor, plan: Plan, replicas: Replicas | None = None
) -> WholeFrameEvaluator | TiledEvaluator | ReplicatedEvaluator:
    """Makes the evaluator of a run: whole frame, tiles or replicas.

    Args:
        extractor: feature extractor with the plan's layers.
        plan: plan of the run.
        replicas: replicas that share the work, or None.
    """
    tile_size = plan.config.tile_size
    if replicas is not None:
        return ReplicatedEvaluator(extractor, replicas, tile_size)
    if tile_size:
        return TiledEvaluator(extractor, tile_size, plan.num_kept_tiles)
    return WholeFrameEvaluator(extractor)


def _long_edge(frame: Frame) -> int:
    return max(frame.height, frame.width)


def _extend(mask: np.ndarray, frame: Frame) -> np.ndarray:
    """Resizes a mask of the output and extends it to a frame with a border."""
    if not frame.has_border:
        return mask
    return frame.extend(resize_mask(mask, frame.height, frame.width))


def _join_masks(
    mask: np.ndarray | None, seen: np.ndarray | None
) -> np.ndarray | None:
    """Returns the product of two masks, uint8, in the size of the first.

    Args:
        mask: uint8 `[H, W]`, or None for the whole picture.
        seen: uint8 `[H, W]` of any size, or None for the whole picture.
    """
    if mask is None or seen is None:
        return seen if mask is None else mask
    resized = resize_mask(seen, *mask.shape).astype(np.float64)
    return np.rint(mask * resized / 255).astype(np.uint8)


def _match_styles(images: ImageSet, config: Config) -> Sequence[Picture]:
    """Returns style images recoloured as `preserve_colors` requests."""
    match = {
        "match": color_transfer.match_colors,
        "luminance": color_transfer.match_luminance,
    }.get(config.preserve_colors)
    if match is None:
        return images.styles
    content = images.colors_of or images.content

    def make(number: int) -> Picture:
        style = images.styles[number]
        pixels = match(style.pixels, content.pixels, style.mask, content.mask)
        return style._replace(pixels=pixels)

    return ImageList(make, len(images.styles))


def _resize_style(
    style: np.ndarray, long_edge: int, share: float, config: Config
) -> np.ndarray:
    """Resizes a style image by `style_scale` to a level's size.

    The result is enlarged if it would be thinner than a position of the deepest
    layer.

    Args:
        style: style image, uint8 `[H, W, 3]`.
        long_edge: long edge of the level's picture, pixels.
        share: ratio of `long_edge` to the output's long edge.
        config: options, including `style_scale`.
    """
    size = style.shape[:2]
    long_edge = long_edge * config.style_scale or max(size) * share
    if long_edge != max(size):
        size = fit_size(*size, max(1, round(long_edge)))
    stride = deepest_layer(config).stride
    if min(size) < stride:
        ratio = max(style.shape[:2]) / min(style.shape[:2])
        size = fit_size(*style.shape[:2], round(stride * ratio))
    return resize(style, *style_size(*size, config))
