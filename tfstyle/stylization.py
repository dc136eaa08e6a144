"""The whole program on arrays: images in, an image out."""

import dataclasses
from collections.abc import Callable
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from tfstyle import color
from tfstyle import image_io
from tfstyle import memory
from tfstyle.config import Config
from tfstyle.config_checks import ConfigError
from tfstyle.features import Extractor
from tfstyle.features import make_extractor
from tfstyle.initial_image import make_initial_image
from tfstyle.loop import Loop
from tfstyle.loop import Result
from tfstyle.objective import make_value_and_gradient
from tfstyle.periodic_actions import Action
from tfstyle.periodic_actions import Finish
from tfstyle.preprocessing import deprocess
from tfstyle.preprocessing import preprocess
from tfstyle.pyramid import enlarge
from tfstyle.pyramid import level_sizes
from tfstyle.state import State
from tfstyle.targets import compute_targets
from tfstyle.tiling import TiledExtractor
from tfstyle.tiling import make_tiled_value_and_gradient
from tfstyle.vgg19_layers import BY_NAME
from tfstyle.vgg19_layers import deepest


def stylize(
    content: np.ndarray | None,
    styles: Sequence[np.ndarray],
    config: Config,
    *,
    content_masks: Sequence[np.ndarray] | None = None,
    style_masks: Sequence[np.ndarray] | None = None,
    initial_image: np.ndarray | None = None,
    extractor: Extractor | None = None,
    actions: Sequence[Action] = (),
    state: State | None = None,
    save_state: Callable[[State], None] | None = None,
    should_stop: Callable[[], str | None] = lambda: None,
) -> Result:
    """Paints the content in the style of the styles.

    Without content it synthesises a texture, without styles it reconstructs
    the content: these are not modes but what is left of the sum.

    Args:
        content: uint8 `[H, W, 3]`, RGB, of any size, or None.
        styles: uint8 `[H, W, 3]`, RGB, of any sizes; may be empty.
        config: the choices. Its file names are not read, but for `weights`.
        content_masks: uint8 `[H, W]` of any sizes, one a region of the output,
            255 inside; as many as styles.
        style_masks: the same; region r of the output takes its style from
            region r of style r.
        initial_image: uint8 `[H, W, 3]`, RGB, to start from in place of
            `config.init`; resized to the output.
        extractor: made by `make_extractor(config)` if None; give it to use it
            for several runs.
        actions: called with the `Record` of every step; a text ends the run.
        state: goes on where a run of the same arguments was.
        save_state: takes the state every `checkpoint_every_steps` and at the
            end, such as a `checkpoint.Checkpoints`.
        should_stop: asked before every evaluation; a text ends the run at the
            last whole step, as the reason.

    Raises:
        CheckpointError: if the state is not of a run of these arguments.
        ConfigError: if images and config contradict.
        NotFiniteError: if loss or gradient stop being finite; names the step.
        WeightsError: if the weights cannot be had.
    """
    config = config.resolved()
    content_masks = () if content_masks is None else content_masks
    style_masks = () if style_masks is None else style_masks
    _check_arrays("content", [] if content is None else [content], "HW3")
    _check_arrays("styles", styles, "HW3")
    _check_arrays("content_masks", content_masks, "HW")
    _check_arrays("style_masks", style_masks, "HW")
    config.check_images(
        content is not None, len(styles), len(content_masks), len(style_masks)
    )
    final_size = output_size(content, styles, config)
    config = memory.settle(config, *final_size)
    original = content
    content, styles = _prepare_colors(content, styles, config)
    if extractor is None:
        extractor = make_extractor(config)
    reader = extractor
    if config.tile_size:
        reader = TiledExtractor(extractor, config.tile_size)
    loop = Loop(
        config,
        actions,
        _make_finish(original, config),
        state=state,
        save_state=save_state,
        should_stop=should_stop,
    )
    image = None
    for level, size in enumerate(level_sizes(*final_size, config.num_levels)):
        stored = loop.stored_image(level, size)
        frame = None if content is None else image_io.resize(content, *size)
        scaled = [_resize_style(s, size, final_size, config) for s in styles]
        if stored is not None:
            image = stored
        elif image is not None:
            image = enlarge(image, *size)
        elif initial_image is not None:
            image = preprocess(image_io.resize(initial_image, *size))
        else:
            image = make_initial_image(
                config.init,
                *size,
                content=frame,
                styles=scaled,
                seed=config.seed,
            )
        if not loop.has_work(level):
            continue
        level_config = _weigh_level(config, size, final_size)
        targets = compute_targets(
            reader,
            None if frame is None else tf.constant(preprocess(frame)),
            [tf.constant(preprocess(style)) for style in scaled],
            level_config,
            content_masks=content_masks,
            style_masks=style_masks,
            image_size=size,
        )
        if config.tile_size and max(size) > config.tile_size:
            hinge = make_tiled_value_and_gradient(
                extractor, targets, level_config
            )
        else:
            hinge = make_value_and_gradient(extractor, targets, level_config)
        variable = tf.Variable(image)
        image = None  # so that a large one is there once
        loop.run_level(level, variable, hinge)
        image = variable.numpy()
    return loop.result(image)


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
    coarsest = level_sizes(*size, config.num_levels)[0]
    what = "the output" if coarsest == size else "the coarsest level"
    _check_short_edge(coarsest, what, config)
    return size


def _check_arrays(
    argument: str, arrays: Sequence[np.ndarray], axes: str
) -> None:
    """Holds that arrays are uint8 pixels, `[H, W, 3]` or `[H, W]`."""
    for array in arrays:
        dtype = getattr(array, "dtype", type(array).__name__)
        shape = getattr(array, "shape", ())
        is_right = len(shape) == len(axes) and (axes == "HW" or shape[2] == 3)
        if dtype != np.uint8 or not is_right:
            raise ConfigError(
                f"`{argument}` must be uint8 [{', '.join(axes)}]."
                f" Received: {dtype} {list(shape)}."
            )


def _prepare_colors(
    content: np.ndarray | None, styles: Sequence[np.ndarray], config: Config
) -> tuple[np.ndarray | None, list[np.ndarray]]:
    """Returns content and styles as `preserve_colors` has them."""
    if config.preserve_colors == "match":
        return content, [color.match_colors(s, content) for s in styles]
    if config.preserve_colors == "luminance":
        matched = [color.match_luminance(s, content) for s in styles]
        return color.to_luminance(content), matched
    return content, list(styles)


def _make_finish(original: np.ndarray | None, config: Config) -> Finish:
    """Returns the function that makes pixels of an image of any level."""
    if config.preserve_colors != "luminance":
        return deprocess

    def finish(image):
        pixels = deprocess(image)
        content = image_io.resize(original, *pixels.shape[:2])
        return color.restore_colors(pixels, content)

    return finish


def _weigh_level(
    config: Config, size: tuple[int, int], final_size: tuple[int, int]
) -> Config:
    """Returns a config whose summed losses weigh as at the final size.

    The content loss sums over positions and the total variation over pixels,
    so a level with a quarter of them gets four times their weight.
    """
    if config.content_reduction != "sum":
        return config

    def ratio(stride):
        now, final = (
            (height // stride) * (width // stride)
            for height, width in (size, final_size)
        )
        return final / now

    return dataclasses.replace(
        config,
        content_layer_weights=tuple(
            weight * ratio(BY_NAME[name].stride)
            for name, weight in zip(
                config.content_layers,
                config.content_layer_weights,
                strict=True,
            )
        ),
        tv_weight=config.tv_weight * ratio(1),
    )


def _resize_style(
    style: np.ndarray,
    size: tuple[int, int],
    final_size: tuple[int, int],
    config: Config,
) -> np.ndarray:
    """Resizes a style image by `style_scale` to a level's size."""
    share = max(size) / max(final_size)
    long_edge = max(size) * config.style_scale or max(style.shape) * share
    if long_edge == max(style.shape):
        return style
    scaled = image_io.fit_size(*style.shape[:2], max(1, round(long_edge)))
    _check_short_edge(scaled, "a style image", config)
    return image_io.resize(style, *scaled)


def _check_short_edge(size: tuple[int, int], what: str, config: Config) -> None:
    layer = deepest((*config.content_layers, *config.style_layers))
    if min(size) < layer.stride:
        raise ConfigError(
            f"`image_size` makes {what} {size[1]}x{size[0]} pixels, less than"
            f" one position of {layer.name}, which is {layer.stride} pixels."
            " Raise it, take fewer levels, or ask for earlier layers."
        )
