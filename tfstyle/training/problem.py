"""What is minimised at each level: images, targets, the objective function."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from tfstyle.config.config import Config
from tfstyle.config.validation import ConfigError
from tfstyle.distributed.replicas import Replicas
from tfstyle.distributed.replicated_objective import ReplicatedReader
from tfstyle.images import color_transfer
from tfstyle.images.frame import Frame
from tfstyle.images.preprocessing import preprocess
from tfstyle.images.resize import fit_size
from tfstyle.images.resize import resize
from tfstyle.images.resize import resize_mask
from tfstyle.network.extractor import Extractor
from tfstyle.objective.objective import ExtraLosses
from tfstyle.objective.objective import ValueAndGradient
from tfstyle.objective.readers import Reader
from tfstyle.objective.readers import WholeFrameReader
from tfstyle.objective.targets import compute_targets
from tfstyle.objective.tiled_objective import TiledReader
from tfstyle.training.frames import deepest_layer
from tfstyle.training.frames import style_size
from tfstyle.training.plan import Plan


class Problem:
    """What is minimised at each level of a run.

    Args:
        content: uint8 `[H, W, 3]`, RGB, of any size, or None.
        styles: uint8 `[H, W, 3]`, RGB, of any sizes; may be empty.
        plan: of the run.
        content_masks: uint8 `[H, W]` of any sizes, one per region.
        style_masks: the same.
        extractor: of the plan's layers.
        extra_losses: terms of one's own, by name.
        replicas: that share the work, or None.

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
        extractor: Extractor,
        extra_losses: ExtraLosses | None = None,
        replicas: Replicas | None = None,
    ):
        self.frames = [level.frame for level in plan.levels]
        self._plan = plan
        self.config = config = plan.config
        self._content, self._styles = _prepare_colors(content, styles, config)
        self._content_masks = content_masks
        self._style_masks = style_masks
        self._reader = make_reader(extractor, config, replicas, extra_losses)

    def images(self, level: int) -> tuple[np.ndarray | None, list[np.ndarray]]:
        """Returns a level's content and styles, uint8 `[H, W, 3]`, RGB.

        The content fills the level's frame.
        """
        frame, content = self.frames[level], self._content
        if content is not None:
            content = resize(content, frame.height, frame.width)
            content = frame.extend(content)
        share = _long_edge(frame) / _long_edge(self.frames[-1])
        styles = [
            _resize_style(style, _long_edge(frame), share, self.config)
            for style in self._styles
        ]
        return content, styles

    def zeros(self, level: int) -> tf.Tensor:
        """Returns an image of a level's frame, float32 `[1, H, W, 3]`."""
        return tf.zeros((1, *self.frames[level].size, 3))

    def make_objective(self, level: int) -> ValueAndGradient:
        """Computes a level's targets and makes its objective function."""
        frame, reader = self.frames[level], self._reader
        size = frame.size
        content, styles = self.images(level)
        targets = compute_targets(
            reader,
            None if content is None else tf.constant(preprocess(content)),
            [tf.constant(preprocess(style)) for style in styles],
            self.config,
            content_masks=[_extend(m, frame) for m in self._content_masks],
            style_masks=self._style_masks,
            image_size=size,
        )
        options = self._plan.levels[level].options
        return reader.make_objective(targets, options, size)


def make_reader(
    extractor: Extractor,
    config: Config,
    replicas: Replicas | None = None,
    extra_losses: ExtraLosses | None = None,
) -> Reader:
    """Makes the reader that computes features and Gram sums of a run.

    Args:
        extractor: of the config's layers.
        config: gives the `tile_size`, which is resolved.
        replicas: that share the work, or None.
        extra_losses: terms of one's own, by name.

    Raises:
        ConfigError: if there are extra losses of an image in parts.
    """
    if extra_losses and (config.tile_size or replicas is not None):
        raise ConfigError(
            "`extra_losses` need the whole frame at once. Leave out"
            " `tile_size` and `strategy`."
        )
    if replicas is not None:
        return ReplicatedReader(extractor, replicas, config.tile_size)
    if config.tile_size:
        return TiledReader(extractor, config.tile_size)
    return WholeFrameReader(extractor, extra_losses)


def _long_edge(frame: Frame) -> int:
    return max(frame.height, frame.width)


def _extend(mask: np.ndarray, frame: Frame) -> np.ndarray:
    """Brings a mask of the output to a frame with a border."""
    if not frame.has_border:
        return mask
    return frame.extend(resize_mask(mask, frame.height, frame.width))


def _prepare_colors(
    content: np.ndarray | None, styles: Sequence[np.ndarray], config: Config
) -> tuple[np.ndarray | None, list[np.ndarray]]:
    """Returns content and styles as `preserve_colors` has them."""
    if config.preserve_colors == "match":
        return content, [
            color_transfer.match_colors(s, content) for s in styles
        ]
    if config.preserve_colors == "luminance":
        matched = [color_transfer.match_luminance(s, content) for s in styles]
        return color_transfer.to_luminance(content), matched
    return content, list(styles)


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
