"""Validation of a Config: bounds, choices and contradicting options."""

import dataclasses
import math
import re

from tfstyle.errors import ConfigError
from tfstyle.network import layers as vgg19_layers
from tfstyle.system import paths

REPLICATED = ("mirrored", "multi_worker")
INITS = ("auto", "noise", "content", "style", "gray")
MAX_NUMBER = 1e300
TILE_STEP = 16
MAX_TILE_SIZE = 65536
MAX_TIMEOUT = 10**6
MAX_THREADS = 2**31 - 1


def check_images(
    config,
    has_content: bool,
    num_styles: int,
    num_content_masks: int = 0,
    num_style_masks: int = 0,
) -> None:
    """Checks that the options fit the images, e.g. as many masks as styles.

    Raises:
        ConfigError: if they do not fit.
    """
    if num_content_masks not in (0, num_styles) or (
        num_style_masks not in (0, num_content_masks)
    ):
        raise ConfigError(
            "`content_masks` must be as many as `style_images`, and"
            " `style_masks` as many or none, for whole styles. Received:"
            f" {num_content_masks} and {num_style_masks} for {num_styles}."
        )
    if num_content_masks and config.style_blend_weights:
        raise ConfigError(
            "`style_blend_weights` blends the styles of the whole frame,"
            " but masks give each its region. Give one or the other."
        )
    if config.preserve_colors != "none" and not has_content:
        raise ConfigError(
            f"`preserve_colors` is {config.preserve_colors}, but"
            " `content_image` is missing. Give it."
        )
    if not has_content and not num_styles:
        raise ConfigError(
            "`content_image` and `style_images` are both missing: there is"
            " nothing to paint. Give one of them, or both."
        )
    if config.init == "content" and not has_content:
        raise ConfigError(
            "`init` is content, but `content_image` is missing. Give it, or"
            " init=noise."
        )
    if config.init == "style" and not num_styles:
        raise ConfigError(
            "`init` is style, but `style_images` is missing. Give it, or"
            " init=noise."
        )
    _check_lengths(
        "style_blend_weights",
        config.style_blend_weights,
        "style_images",
        range(num_styles),
    )
    if not (
        (has_content and config.content_weight != 0)
        or (num_styles and config.style_weight != 0)
    ):
        raise ConfigError(
            "`content_weight` or `style_weight` must be above 0 for an image"
            " that is given: there is nothing to paint."
        )


def check_fields(config) -> None:
    """Checks each field against its declaration.

    Raises:
        ConfigError: if a value is not one of the choices, out of bounds, or a
            path that cannot be written in a line of a flagfile.
    """
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if value is None:
            continue
        if field.metadata["is_path"]:
            paths = value if isinstance(value, tuple) else (value,)
            for path in paths:
                _check_path(field.name, path)
        choices = field.metadata["choices"]
        if choices and value not in choices:
            raise ConfigError(
                f"`{field.name}` must be one of {', '.join(map(str, choices))}."
                f" Received: {field.name}={value!r:.80}."
            )
        _check_bounds(field, value)


def check_is_local(name: str, path: str) -> None:
    """Checks that a path is local, not a URL.

    Args:
        name: name of the option or argument.
        path: value of the option, expanded.

    Raises:
        ConfigError: if it is a URL.
    """
    if paths.is_address(path):
        raise ConfigError(
            f"`{name}` must be a path of this machine. Received: {path!r:.200}."
            " Copy it from there, or to there afterwards, or mount it."
        )


def _check_path(name: str, path: str) -> None:
    """Checks that a path is local and fits in a line of a flagfile."""
    check_is_local(name, path)
    if not path:
        raise ConfigError(
            f"`{name}` must name a file, and has an empty name. Leave it out,"
            " or take a comma out."
        )
    is_held = path.encode(errors="replace").decode() == path
    if not is_held or re.search(r"[\n\r\0]", path):
        raise ConfigError(
            f"`{name}` must be a name in UTF-8, without line breaks."
            f" Received: {path!r}. Rename the file."
        )
    if path != path.strip():
        raise ConfigError(
            f"`{name}` must be a name without spaces at its ends."
            f" Received: {path!r}. Rename the file."
        )


def _check_bounds(field, value) -> None:
    least, above = field.metadata["least"], field.metadata["above"]
    if least is None and above is None:
        return
    most = field.metadata["most"]
    largest = MAX_NUMBER if most is None else most
    is_enough = value >= least if above is None else value > above
    if is_enough and value <= largest:
        return
    rule = f"at least {least}" if above is None else f"above {above}"
    if largest < value < math.inf:
        rule += f" and at most {largest:.10g}"
    raise ConfigError(
        f"`{field.name}` must be {rule}."
        f" Received: {field.name}={str(value)[:40]}."
    )


def check_combinations(config) -> None:
    """Checks that no two options contradict each other.

    Raises:
        ConfigError: if two options contradict; names both.
    """
    if config.content_reduction != "sum" and config.loss_scale == "relative":
        raise ConfigError(
            "`content_reduction` is a choice among absolute losses: relative"
            " ones do not depend on resolution. Received:"
            f" content_reduction={config.content_reduction}. Leave it out, or"
            " give loss_scale=absolute."
        )
    if config.preconditioner == "frequency" and config.optimizer == "adam":
        raise ConfigError(
            "`preconditioner` is for lbfgs; adam has its own scale for every"
            " pixel. Received: preconditioner=frequency. Leave it out."
        )
    if config.convolution == "winograd" and config.precision == "mixed_float16":
        raise ConfigError(
            "`convolution` is winograd, which is for the CPU, and"
            " mixed_float16 is for GPUs. Received: precision=mixed_float16."
            " Give convolution=direct or precision=mixed_bfloat16."
        )
    is_replicated = config.strategy in REPLICATED
    if config.convolution == "winograd" and is_replicated:
        raise ConfigError(
            "`convolution` winograd is for one device. Received:"
            f" strategy={config.strategy}. Leave out one of them."
        )
    if config.precision == "mixed_float16" and (
        is_replicated or config.tile_size not in (0, "auto")
    ):
        cause = "strategy" if is_replicated else "tile_size"
        raise ConfigError(
            "`precision` mixed_float16 needs the whole frame at once."
            f" Received: {cause}={getattr(config, cause)}, which cuts it. Leave"
            " out one of them."
        )


def check_numbers(config) -> None:
    """Checks the ranges of steps, levels, correction pairs, tiles and sizes."""
    if not all(0 <= number <= MAX_NUMBER for number in config.num_steps):
        raise ConfigError(
            "`num_steps` must be one number of at least 0, or one for each"
            f" level. Received: num_steps={str(list(config.num_steps))[:40]}."
        )
    for name in ("num_correction_pairs", "num_levels"):
        value = getattr(config, name)
        if value != "auto" and (not isinstance(value, int) or value < 1):
            raise ConfigError(
                f"`{name}` must be auto or an integer of at least 1."
                f" Received: {name}={value!s:.40}."
            )
    if config.num_levels != "auto" and (
        len(config.num_steps) not in (0, 1, config.num_levels)
    ):
        raise ConfigError(
            "`num_steps` must be one number, or one for each level."
            f" Received: {len(config.num_steps)} numbers for"
            f" num_levels={config.num_levels}."
        )
    if config.tile_size != "auto" and (
        not isinstance(config.tile_size, int)
        or config.tile_size % TILE_STEP
        or not 0 <= config.tile_size <= MAX_TILE_SIZE
    ):
        raise ConfigError(
            f"`tile_size` must be auto, 0 or a multiple of {TILE_STEP} up to"
            f" {MAX_TILE_SIZE}. Received: tile_size={config.tile_size!s:.40}."
        )
    if config.image_size != 0 and not 16 <= config.image_size <= 65500:
        raise ConfigError(
            "`image_size` must be 0, which keeps the content's size, or 16"
            f" to 65500 pixels. Received: image_size={config.image_size}."
        )


def keras_names(field: str, names: tuple[str, ...]) -> tuple[str, ...]:
    """Returns the Keras names of layers given by Keras or paper names."""
    try:
        found = [vgg19_layers.keras_name(name) for name in names]
    except ValueError as error:
        raise ConfigError(
            f"`{field}` must name layers of VGG19, such as conv3_1 or"
            f" block3_conv1. Received: {field}={list(names)}. {error}"
        ) from error
    if len(set(found)) < len(found) or not found:
        raise ConfigError(
            f"`{field}` must name at least one layer, each once."
            f" Received: {field}={list(names)}."
        )
    return tuple(found)


def check_lists(config) -> None:
    """Checks that weights are valid and as many as their layers."""
    for name, owner in (
        ("content_layer_weights", "content_layers"),
        ("style_layer_weights", "style_layers"),
        ("style_blend_weights", None),
    ):
        values = getattr(config, name)
        if owner:
            _check_lengths(name, values, owner, getattr(config, owner))
        if not all(math.isfinite(v) and v >= 0 for v in values) or (
            values and not any(values)
        ):
            raise ConfigError(
                f"`{name}` must be numbers of at least 0, not all 0."
                f" Received: {name}={list(values)}."
            )


def _check_lengths(name: str, values, owner: str, owners) -> None:
    if values and len(values) != len(owners):
        raise ConfigError(
            f"`{name}` must have one value for each of `{owner}`. Received:"
            f" {len(values)} for {len(owners)}. Give as many, or none for"
            " equal ones."
        )
