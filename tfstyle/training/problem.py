"""What is minimised at each level: images, targets, the objective function."""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from tfstyle.config.config import Config
from tfstyle.config.validation import ConfigError
from tfstyle.distributed.replicas import Replicas
from tfstyle.distributed.replicated_objective import ReplicatedReader
from tfstyle.images import color_transfer
from tfstyle.images import files as image_files
from tfstyle.images.frame import Frame
from tfstyle.images.preprocessing import preprocess
from tfstyle.images.resize import level_sizes
from tfstyle.network.extractor import Extractor
from tfstyle.network.layers import num_positions
from tfstyle.objective.objective import ValueAndGradient
from tfstyle.objective.readers import Reader
from tfstyle.objective.readers import WholeFrameReader
from tfstyle.objective.targets import compute_targets
from tfstyle.objective.tiled_objective import TiledReader
from tfstyle.training.plan import deepest_layer
from tfstyle.training.plan import frame_of
from tfstyle.training.plan import resolve_for_images
from tfstyle.training.plan import style_size


class Levels:
    """The levels of a run, coarsest first.

    Args:
        content: uint8 `[H, W, 3]`, RGB, of any size, or None.
        styles: uint8 `[H, W, 3]`, RGB, of any sizes; may be empty.
        config: a resolved one, also in `tile_size` and `convolution`.
        content_masks: uint8 `[H, W]` of any sizes, one per region.
        style_masks: the same.
        extractor: of the config's layers.
        replicas: that share the work, or None.

    Attributes:
        frames: where the picture of each level lies within its image.

    Raises:
        ConfigError: if a level is less than one position of the deepest layer.
    """

    def __init__(
        self,
        content: np.ndarray | None,
        styles: Sequence[np.ndarray],
        config: Config,
        *,
        content_masks: Sequence[np.ndarray],
        style_masks: Sequence[np.ndarray],
        extractor: Extractor,
        replicas: Replicas | None = None,
    ):
        final_size = output_size(content, styles, config)
        self.frames = [
            frame_of(*size, config)
            for size in level_sizes(*final_size, config.num_levels)
        ]
        self._content, self._styles = _prepare_colors(content, styles, config)
        self._config = config
        self._content_masks = content_masks
        self._style_masks = style_masks
        self._reader = make_reader(extractor, config, replicas)

    def images(self, level: int) -> tuple[np.ndarray | None, list[np.ndarray]]:
        """Returns a level's content and styles, uint8 `[H, W, 3]`, RGB.

        The content fills the level's frame.
        """
        frame, content = self.frames[level], self._content
        if content is not None:
            content = image_files.resize(content, frame.height, frame.width)
            content = frame.extend(content)
        share = _long_edge(frame) / _long_edge(self.frames[-1])
        styles = [
            _resize_style(style, _long_edge(frame), share, self._config)
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
        config = _weigh_level(self._config, size, self.frames[-1].size)
        content, styles = self.images(level)
        targets = compute_targets(
            reader,
            None if content is None else tf.constant(preprocess(content)),
            [tf.constant(preprocess(style)) for style in styles],
            config,
            content_masks=[_extend(m, frame) for m in self._content_masks],
            style_masks=self._style_masks,
            image_size=size,
        )
        return reader.make_objective(targets, config, size)


def make_reader(
    extractor: Extractor, config: Config, replicas: Replicas | None = None
) -> Reader:
    """Makes what takes a run's images through the network.

    Args:
        extractor: of the config's layers.
        config: gives the `tile_size`, which is resolved.
        replicas: that share the work, or None.
    """
    if replicas is not None:
        return ReplicatedReader(extractor, replicas, config.tile_size)
    if config.tile_size:
        return TiledReader(extractor, config.tile_size)
    return WholeFrameReader(extractor)


def output_size(
    content: np.ndarray | None, styles: Sequence[np.ndarray], config: Config
) -> tuple[int, int]:
    """Returns the output's height and width in pixels.

    The aspect ratio is the content's or, without one, the first style's.

    Raises:
        ConfigError: if the short edge is less than one position of the
            deepest layer.
    """
    config = resolve_for_images(config, content, styles)
    shape = (styles[0] if content is None else content).shape
    size = image_files.fit_size(shape[0], shape[1], config.image_size)
    coarsest = level_sizes(*size, config.num_levels)[0]
    what = "the output" if coarsest == size else "the coarsest level"
    _check_short_edge(frame_of(*coarsest, config).size, what, config)
    return size


def _long_edge(frame: Frame) -> int:
    return max(frame.height, frame.width)


def _extend(mask: np.ndarray, frame: Frame) -> np.ndarray:
    """Brings a mask of the output to a frame with a border."""
    if not frame.has_border:
        return mask
    return frame.extend(
        image_files.resize_mask(mask, frame.height, frame.width)
    )


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


def _weigh_level(
    config: Config, size: tuple[int, int], final_size: tuple[int, int]
) -> Config:
    """Returns a config whose losses weigh as at the final size.

    The content loss sums over positions, the image's own losses over pixels,
    so a level with a quarter of them gets four times their weight.
    """
    if config.loss_scale != "absolute":
        return config
    is_sum = config.content_reduction == "sum"
    ratios = [
        num_positions(name, final_size) / num_positions(name, size)
        if is_sum
        else 1.0
        for name in config.content_layers
    ]
    weights = zip(config.content_layer_weights, ratios, strict=True)
    ratio_of_pixels = math.prod(final_size) / math.prod(size)
    return dataclasses.replace(
        config,
        content_layer_weights=tuple(w * ratio for w, ratio in weights),
        tv_weight=config.tv_weight * ratio_of_pixels,
        range_weight=config.range_weight * ratio_of_pixels,
    )


def _resize_style(
    style: np.ndarray, long_edge: int, share: float, config: Config
) -> np.ndarray:
    """Resizes a style image by `style_scale` to a level's size.

    Args:
        style: uint8 `[H, W, 3]`.
        long_edge: of the level's picture, pixels.
        share: that is of the output's.
        config: gives the scale.
    """
    size = style.shape[:2]
    long_edge = long_edge * config.style_scale or max(size) * share
    if long_edge != max(size):
        size = image_files.fit_size(*size, max(1, round(long_edge)))
    _check_short_edge(size, "a style image", config)
    return image_files.resize(style, *style_size(*size, config))


def _check_short_edge(size: tuple[int, int], what: str, config: Config) -> None:
    layer = deepest_layer(config)
    if min(size) < layer.stride:
        raise ConfigError(
            f"`image_size` makes {what} {size[1]}x{size[0]} pixels, less than"
            f" one position of {layer.name}, which is {layer.stride} pixels."
            " Raise it, take fewer levels, or ask for earlier layers."
        )
