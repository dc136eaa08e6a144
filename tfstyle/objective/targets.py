"""Targets: the content features and Gram matrices to match."""

from collections.abc import Iterable
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tfstyle.config.config import Config
from tfstyle.errors import ConfigError
from tfstyle.image_files.masks import average_mask
from tfstyle.image_files.masks import halve_mask
from tfstyle.network.layers import BY_NAME
from tfstyle.network.layers import make_layers

FIGURES = {"few": 1 / 2, "none": 1 / 4}
"""Receptive-field limit by `style_figures`, as a fraction of the long edge.

Layers whose receptive field exceeds this fraction of the style image read it
rotated by 180 degrees.

Notes: large forms and faces come from the same layer, conv5_1. With a portrait
as style a whole face appeared on a bridge at 512 px; with `few`, a faint one.
Without that layer there was no face at 256 px, but no swirl of The Starry Night
either, at 384 px. If the layer is also rotated at the output's size, as with
`none`, its error to the upright style was 28 percent higher (256 px), and the
swirls stayed.
"""


class Targets(NamedTuple):
    """Features and Gram matrices that the image should match.

    An empty dict removes its term from the loss.

    Attributes:
        content: `{layer: float32 [1, H_l, W_l, N_l]}`, features of the content
            image; a `ReplicatedEvaluator` keeps them in parts on its replicas.
        style: `{layer: [float32 [N_l, N_l], ...]}`, one Gram matrix of the
            style per region, divided by its own count; without masks the whole
            frame is the only region.
        masks: `{layer: [float32 [1, H_l, W_l, 1], ...]}`, T of each region of
            the image, or an empty dict.
        content_energy: `{layer: float32 scalar}`, sum of the squared content
            features, the divisor of relative content losses.
        temporal: for a frame of a film, `target`, float32 `[1, H, W, 3]`, the
            painting of the previous frame moved to this one, and `weights`,
            float32 `[1, H, W, 1]`, trust in it, 0..1.
    """

    content: dict[str, tf.Tensor]
    style: dict[str, list[tf.Tensor]]
    masks: dict[str, list[tf.Tensor]]
    content_energy: dict[str, tf.Tensor]
    temporal: dict[str, tf.Tensor]


class Style(NamedTuple):
    """A preprocessed style image and its mask.

    Attributes:
        image: float32 `[1, H, W, 3]`, BGR without the mean.
        mask: uint8 `[H, W]` of any size, 255 for the part whose style is used,
            or None for the whole image.
    """

    image: tf.Tensor
    mask: np.ndarray | None = None


def compute_targets(
    evaluator,
    content: tf.Tensor | None,
    styles: Iterable[Style],
    config: Config,
    *,
    num_styles: int = 1,
    content_masks: Sequence[np.ndarray] = (),
    image_size: tuple[int, int] = (0, 0),
    fresh: np.ndarray | None = None,
) -> Targets:
    """Computes the targets of an image.

    With at most one content mask, several styles blend: `A_l = sum_s b_s A_ls /
    M_ls`. With more, region r of the image is matched to region r of style r.

    Args:
        evaluator: evaluator with at least the content and style layers.
        content: float32 `[1, H, W, 3]`, BGR without the mean, or None.
        styles: style images of any sizes; may be empty.
        config: options, including layers and blend weights.
        num_styles: number of styles.
        content_masks: uint8 `[H, W]`, one per region, of any sizes.
        image_size: height and width of the image, pixels; needed with masks.
        fresh: uint8 `[H, W]`, mask of places that are painted for the first
            time, whose style is compared by itself: in the Gram matrix of a
            painted region they hardly count.

    Raises:
        ConfigError: if a mask is empty, or if a target that is the divisor of
            relative losses is zero everywhere.
    """
    content_targets, content_energy = {}, {}
    if content is not None and config.content_weight:
        content_targets = evaluator.features(content, config.content_layers)
        if config.loss_scale == "relative":
            content_energy = _measure_energy(evaluator, content, config)
    if not config.style_weight:
        return Targets(content_targets, {}, {}, content_energy, {})
    masks = {}
    is_whole = len(content_masks) == 1 and (content_masks[0] == 255).all()
    if len(content_masks) and num_styles and not is_whole:
        masks = _average_masks(
            "content_masks",
            content_masks,
            image_size,
            config.style_layers,
            config.pooling,
        )
    grams = (_style_grams(evaluator, style, config) for style in styles)
    if len(content_masks) > 1:
        regions = list(grams)
        style_targets = {
            name: [region[name] for region in regions]
            for name in config.style_layers
        }
    else:
        blend = config.style_blend_weights or [1] * num_styles
        style_targets = _blend(grams, [part / sum(blend) for part in blend])
    if config.loss_scale == "relative":
        for name, grams in style_targets.items():
            for number, gram in enumerate(grams, start=1):
                _check_energy(
                    "style_layers", name, f"style {number}", tf.norm(gram)
                )
    if fresh is not None and num_styles:
        masks, style_targets = _separate(
            fresh, masks, style_targets, image_size, config
        )
    return Targets(content_targets, style_targets, masks, content_energy, {})


def _separate(
    fresh: np.ndarray,
    masks: dict[str, list[tf.Tensor]],
    targets: dict[str, list[tf.Tensor]],
    size: tuple[int, int],
    config: Config,
) -> tuple[dict[str, list[tf.Tensor]], dict[str, list[tf.Tensor]]]:
    """Splits every region in its fresh part and the rest.

    Args:
        fresh: uint8 `[H, W]`, mask of the fresh places.
        masks: masks of the regions, by layer; empty for the whole frame.
        targets: style targets of the regions, by layer.
        size: height and width of the image, pixels.
        config: options, including layers and pooling.

    Returns:
        Masks and targets of the parts that are not empty, by layer.
    """
    parts = [
        average_by_layer(mask, size, config.style_layers, config.pooling)
        for mask in (fresh, 255 - fresh)
    ]
    new_masks, new_targets = {}, {}
    for name, grams in targets.items():
        pairs = [
            (mask * tf.constant(part[name]), gram)
            for mask, gram in zip(masks.get(name, [1.0]), grams, strict=True)
            for part in parts
        ]
        pairs = [pair for pair in pairs if tf.reduce_any(pair[0] > 0)]
        new_masks[name] = [mask for mask, _ in pairs]
        new_targets[name] = [gram for _, gram in pairs]
    return new_masks, new_targets


def _blend(
    styles: Iterable[dict[str, tf.Tensor]], weights: Sequence[float]
) -> dict[str, list[tf.Tensor]]:
    """Adds up the weighted Gram matrices of several styles by layer."""
    blended: dict[str, tf.Tensor] = {}
    for grams, weight in zip(styles, weights, strict=True):
        for name, gram in grams.items():
            part = weight * gram
            blended[name] = part + blended[name] if name in blended else part
    return {name: [gram] for name, gram in blended.items()}


def _style_grams(
    evaluator, style: Style, config: Config
) -> dict[str, tf.Tensor]:
    """Computes the normalised Gram matrices of one style by layer.

    With `style_figures` few or none, layers whose receptive field covers most
    of the style read it rotated by 180 degrees: strokes and swirls stay, but
    the network, trained on upright photographs, recognises no faces.
    """
    image, mask = style
    size = tuple(image.shape[1:3])
    turned = set()
    if config.style_figures in FIGURES:
        largest = FIGURES[config.style_figures] * max(size)
        turned = {
            layer.name
            for layer in make_layers(config.pooling)
            if layer.field > largest
        }
    sums = {}
    for is_turned in (False, True):
        names = [n for n in config.style_layers if (n in turned) == is_turned]
        if not names:
            continue
        if is_turned:
            image = image[:, ::-1, ::-1]
            mask = None if mask is None else mask[::-1, ::-1]
        regions = {}
        if mask is not None:
            regions = _average_masks(
                "style_masks", [mask], size, names, config.pooling
            )
        sums |= evaluator.gram_sums(image, names, regions)
    return {name: sums[name][0].normalized() for name in config.style_layers}


def _measure_energy(
    evaluator, content: tf.Tensor, config: Config
) -> dict[str, tf.Tensor]:
    """Returns the sum of the squared content features by layer.

    It is the trace of the Gram sum, which evaluators can add up over tiles.
    """
    sums = evaluator.gram_sums(content, config.content_layers, {})
    energy = {n: tf.linalg.trace(gram.matrix) for n, (gram,) in sums.items()}
    for name, value in energy.items():
        _check_energy("content_layers", name, "the content", value)
    return energy


def _check_energy(field: str, name: str, what: str, energy: tf.Tensor) -> None:
    """Checks that a target's energy, the divisor of relative losses, is not 0.

    Raises:
        ConfigError: if a target is zero everywhere.
    """
    if not float(energy) > 0:
        raise ConfigError(
            f"`{field}` must name layers with activations. Received: {name},"
            f" which has none for {what}. Leave it out, use another picture, or"
            " set loss_scale=absolute."
        )


def _average_masks(
    field: str,
    masks: Sequence[np.ndarray],
    size: tuple[int, int],
    names: Sequence[str],
    pooling: str,
) -> dict[str, list[tf.Tensor]]:
    """Averages every mask to the resolution of every layer.

    Raises:
        ConfigError: if a mask is empty.
    """
    averages = {name: [] for name in names}
    for number, mask in enumerate(masks, start=1):
        by_layer = average_by_layer(mask, size, names, pooling)
        for name, average in by_layer.items():
            if not average.any():
                raise ConfigError(
                    f"`{field}` must each contain a region. Received: mask"
                    f" {number}, empty at {name}. Enlarge its white area."
                )
            averages[name].append(tf.constant(average))
    return averages


def average_by_layer(
    mask: np.ndarray, size: tuple[int, int], names: Iterable[str], pooling: str
) -> dict[str, np.ndarray]:
    """Averages a mask over the pooling window of each position of the layers.

    Args:
        mask: uint8 `[H, W]` of any size, 0 outside and 255 inside the region.
        size: height and width of the image, pixels.
        names: layer names.
        pooling: pooling of the network.

    Returns:
        `{layer: float32 [1, H_l, W_l, 1]}`, T of the region, 0..1.
    """
    strides = {name: BY_NAME[name].stride for name in names}
    if pooling != "rms":
        return {
            name: average_mask(mask, size[0] // stride, size[1] // stride)
            for name, stride in strides.items()
        }
    stride, average = 1, average_mask(mask, *size)
    by_stride = {stride: average}
    while stride < max(strides.values()):
        stride, average = 2 * stride, halve_mask(average)
        by_stride[stride] = average
    return {name: by_stride[stride] for name, stride in strides.items()}
