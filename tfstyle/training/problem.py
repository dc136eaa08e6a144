"""What is minimised at each level: images, targets, the objective function."""

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from absl import logging

from tfstyle.config.config import Config
from tfstyle.config.validation import ConfigError
from tfstyle.distributed.replicas import Replicas
from tfstyle.distributed.replicated_objective import ReplicatedReader
from tfstyle.errors import is_out_of_memory
from tfstyle.images import color_transfer
from tfstyle.images.frame import Frame
from tfstyle.images.image_list import ImageList
from tfstyle.images.preprocessing import preprocess
from tfstyle.images.resize import fit_size
from tfstyle.images.resize import resize
from tfstyle.images.resize import resize_mask
from tfstyle.images.transparency import weights_of
from tfstyle.network.extractor import Extractor
from tfstyle.objective.objective import ExtraLosses
from tfstyle.objective.objective import PictureLoss
from tfstyle.objective.objective import ValueAndGradient
from tfstyle.objective.objective import make_value_and_gradient
from tfstyle.objective.readers import Reader
from tfstyle.objective.readers import WholeFrameReader
from tfstyle.objective.targets import compute_targets
from tfstyle.objective.terms import LossTerms
from tfstyle.objective.tiled_objective import TiledReader
from tfstyle.system.loop_progress import LoopProgress
from tfstyle.system.tensorflow_setup import return_freed_memory
from tfstyle.training.frames import deepest_layer
from tfstyle.training.frames import style_size
from tfstyle.training.memory import count_kept_tiles
from tfstyle.training.plan import Plan


class Problem:
    """What is minimised at each level of a run.

    Args:
        content: uint8 `[H, W, 3]`, RGB, of any size, or None.
        styles: uint8 `[H, W, 3]`, RGB, of any sizes; may be empty.
        plan: of the run.
        content_masks: uint8 `[H, W]` of any sizes, one per region.
        style_masks: the same.
        alpha: uint8 `[H, W]`, the content's, or None. Transparent positions
            have no weight in Gram matrices.
        style_alphas: the same of every style; none: all are opaque.
        extractor: of the plan's layers.
        extra_losses: terms of one's own, by name.
        replicas: that share the work, or None.

    Raises:
        ConfigError: if there are extra losses of an image in parts.

    Attributes:
        config: of the plan.
        frames: where the picture of each level lies within its image.
    """

    def __init__(
        self,
        content: np.ndarray | None,
        styles: Sequence[np.ndarray],
        plan: Plan,
        *,
        content_masks: Sequence[np.ndarray],
        style_masks: Sequence[np.ndarray],
        alpha: np.ndarray | None = None,
        style_alphas: Sequence[np.ndarray | None] = (),
        extractor: Extractor,
        extra_losses: ExtraLosses | None = None,
        replicas: Replicas | None = None,
    ):
        self.frames = [level.frame for level in plan.levels]
        self._plan = plan
        self.config = config = plan.config
        seen = weights_of(alpha)
        style_alphas = style_alphas or [None] * len(styles)
        seen_styles = [weights_of(a) for a in style_alphas]
        self._content = content
        if config.preserve_colors == "luminance":
            self._content = color_transfer.to_luminance(content)
        self._styles = _match_styles(styles, seen_styles, content, seen, config)
        self._content_masks = _join_masks(
            content_masks, [seen] * max(1, len(content_masks))
        )
        self._style_masks = _join_masks(style_masks, seen_styles)
        self._extractor = extractor
        self._reader = make_reader(extractor, config, self.frames[-1], replicas)
        if extra_losses and not isinstance(self._reader, WholeFrameReader):
            raise ConfigError(
                "`extra_losses` need the whole frame at once. Leave out"
                " `tile_size` and `strategy`."
            )
        self._extra_losses = extra_losses or {}
        self._smaller_tiles = list(plan.smaller_tiles)

    def content(self, level: int) -> np.ndarray | None:
        """Returns a level's content, uint8 `[H, W, 3]`, RGB, or None.

        It fills the level's frame.
        """
        if self._content is None:
            return None
        frame = self.frames[level]
        return frame.extend(resize(self._content, frame.height, frame.width))

    def styles(self, level: int) -> Iterator[np.ndarray]:
        """Yields a level's styles, uint8 `[H, W, 3]`, RGB."""
        long_edge = _long_edge(self.frames[level])
        share = long_edge / _long_edge(self.frames[-1])
        for style in self._styles:
            yield _resize_style(style, long_edge, share, self.config)

    def zeros(self, level: int) -> tf.Tensor:
        """Returns an image of a level's frame, float32 `[1, H, W, 3]`."""
        return tf.zeros((1, *self.frames[level].size, 3))

    def make_objective(self, level: int) -> ValueAndGradient:
        """Computes a level's targets and makes its objective function.

        If memory runs out, now or later, it goes on with the plan's smaller
        tiles.
        """

        def make():
            return self._reader, self._make_objective(level)

        made = self._with_smaller_tiles(make)

        def evaluate(image: tf.Tensor) -> tuple[LossTerms, tf.Tensor]:
            def run():
                nonlocal made
                if made[0] is not self._reader:
                    made = make()
                return made[1](image)

            return self._with_smaller_tiles(run)

        return evaluate

    def _with_smaller_tiles(self, action: Callable[[], Any]) -> Any:
        """Returns what an action does; takes smaller tiles until it can."""
        while True:
            try:
                return action()
            except Exception as error:
                if not self._smaller_tiles or not is_out_of_memory(error):
                    raise
            # The error is gone, and with it what its frames held.
            return_freed_memory()
            tile_size = self._smaller_tiles.pop(0)
            logging.warning(
                "warning: memory ran out; goes on in tiles of %d pixels",
                tile_size,
            )
            self._reader = TiledReader(self._extractor, tile_size)

    def _make_objective(self, level: int) -> ValueAndGradient:
        frame, reader = self.frames[level], self._reader
        size = frame.size
        content = self.content(level)
        targets = compute_targets(
            reader,
            None if content is None else tf.constant(preprocess(content)),
            self._preprocessed_styles(level) if len(self._styles) else (),
            self.config,
            content_masks=[
                _extend(mask, frame)
                for mask in self._content_masks
                if mask is not None
            ],
            style_masks=self._style_masks,
            image_size=size,
        )
        options = self._plan.levels[level].options
        if not self._extra_losses:
            return reader.make_objective(targets, options, size)
        extra = {
            name: PictureLoss(loss, frame)
            for name, loss in self._extra_losses.items()
        }
        return make_value_and_gradient(self._extractor, targets, options, extra)

    def _preprocessed_styles(self, level: int) -> Iterator[tf.Tensor]:
        progress = LoopProgress("Reading styles' targets", len(self._styles))
        for number, style in enumerate(self.styles(level)):
            progress(number)
            yield tf.constant(preprocess(style))


def make_reader(
    extractor: Extractor,
    config: Config,
    frame: Frame,
    replicas: Replicas | None = None,
) -> Reader:
    """Makes the reader that computes features and Gram sums of a run.

    Args:
        extractor: of the config's layers.
        config: gives the `tile_size`, which is resolved.
        frame: of the finest level.
        replicas: that share the work, or None.
    """
    if replicas is not None:
        return ReplicatedReader(extractor, replicas, config.tile_size)
    if config.tile_size:
        kept = count_kept_tiles(config, frame.height, frame.width)
        return TiledReader(extractor, config.tile_size, kept)
    return WholeFrameReader(extractor)


def _long_edge(frame: Frame) -> int:
    return max(frame.height, frame.width)


def _extend(mask: np.ndarray, frame: Frame) -> np.ndarray:
    """Brings a mask of the output to a frame with a border."""
    if not frame.has_border:
        return mask
    return frame.extend(resize_mask(mask, frame.height, frame.width))


def _join_masks(
    masks: Sequence[np.ndarray], alphas: Sequence[np.ndarray | None]
) -> list[np.ndarray | None]:
    """Returns masks where pictures are seen; without masks, the alphas."""
    if not len(masks):
        return list(alphas)
    return [
        mask if alpha is None else _multiply(mask, alpha)
        for mask, alpha in zip(masks, alphas, strict=True)
    ]


def _multiply(mask: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Returns the product of two masks, uint8, in the size of the first."""
    seen = resize_mask(alpha, *mask.shape).astype(np.float64)
    return np.rint(mask * seen / 255).astype(np.uint8)


def _match_styles(
    styles: Sequence[np.ndarray],
    style_alphas: Sequence[np.ndarray | None],
    content: np.ndarray | None,
    alpha: np.ndarray | None,
    config: Config,
) -> Sequence[np.ndarray]:
    """Returns styles in the colours that `preserve_colors` gives them."""
    match = {
        "match": color_transfer.match_colors,
        "luminance": color_transfer.match_luminance,
    }.get(config.preserve_colors)
    if match is None:
        return styles
    return ImageList(
        [
            lambda number=number: match(
                styles[number], content, style_alphas[number], alpha
            )
            for number in range(len(styles))
        ]
    )


def _resize_style(
    style: np.ndarray, long_edge: int, share: float, config: Config
) -> np.ndarray:
    """Resizes a style image by `style_scale` to a level's size.

    One that would be thinner than a position of the deepest layer is made
    larger, until it has one.

    Args:
        style: uint8 `[H, W, 3]`.
        long_edge: of the level's picture, pixels.
        share: that is of the output's.
        config: gives the scale.
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
