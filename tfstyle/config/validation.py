"""Validation of a Config: bounds, choices and contradicting options."""

import dataclasses
import math
import re
from typing import Any

from tfstyle.errors import ConfigError
from tfstyle.network import layers as vgg19_layers
from tfstyle.system import paths
from tfstyle.system import remote_files

REPLICATED = ("mirrored", "multi_worker")
INITS = ("auto", "noise", "content", "style", "gray")
TILE_SIZES = range(0, 65537, 16)
MAX_TIMEOUT = 10**6
OUTPUTS = ("output_image", "output_video", "film", "workdir", "export_dir")
"""Options that name files or folders that are written."""
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
            "`content_masks` must have one mask per style image, and"
            " `style_masks` as many, or none for whole styles. Received:"
            f" {num_content_masks} and {num_style_masks} for {num_styles}."
        )
    if num_content_masks and config.style_blend_weights:
        raise ConfigError(
            "`style_blend_weights` blends styles over the whole frame, but"
            " masks give each style its own region. Leave out one of them."
        )
    if config.keep_unmasked and not (num_content_masks and has_content):
        raise ConfigError(
            "`keep_unmasked` keeps what is in no mask of `content_masks` as it"
            " is in `content_image`. Give both, or leave it out."
        )
    if not has_content and not num_styles:
        raise ConfigError(
            "`content_image` and `style_images` are both missing: there is"
            " nothing to paint. Give one of them, or both."
        )
    for name, values, image, is_given in (
        (
            "preserve_colors",
            ("luminance", "match"),
            "content_image",
            has_content,
        ),
        ("init", ("content",), "content_image", has_content),
        ("init", ("style",), "style_images", num_styles),
    ):
        if getattr(config, name) in values and not is_given:
            raise ConfigError(
                f"`{name}` is {getattr(config, name)}, but `{image}` is"
                f" missing. Give it, or change `{name}`."
            )
    _check_length(config, "style_blend_weights", "style_images", num_styles)
    if not (
        (has_content and config.content_weight != 0)
        or (num_styles and config.style_weight != 0)
    ):
        raise ConfigError(
            "`content_weight` or `style_weight` must be above 0 for an image"
            " that is given; otherwise there is nothing to paint."
        )


def check_options(config) -> None:
    """Checks the fields of a Config, and that they do not contradict.

    Raises:
        ConfigError: if a field is invalid, or two contradict.
    """
    _check_fields(config)
    _check_numbers(config)
    _check_lists(config)
    _check_combinations(config)


def _check_fields(config) -> None:
    """Checks each field against its declaration.

    Raises:
        ConfigError: if a value is not one of the choices, out of bounds, or a
            path that cannot be written in a line of a flagfile.
    """
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        for item in value if isinstance(value, tuple) else (value,):
            if field.metadata["is_path"] and item is not None:
                _check_path(field.name, item)
            if isinstance(item, int | float):
                _check_bounds(field, item, value)
        choices = field.metadata["choices"]
        if choices and value not in choices:
            raise ConfigError(
                f"`{field.name}` must be one of {', '.join(map(str, choices))}."
                f" Received: {field.name}={value!r:.80}."
            )


def check_address(name: str, path: str, *, is_output: bool = False) -> None:
    """Checks that an address is of a supported kind.

    Args:
        name: name of the option or argument.
        path: value of the option, expanded; local paths pass.
        is_output: True if it is written.

    Raises:
        ConfigError: if the kind is not supported, or cannot be written.
    """
    if not paths.is_address(path):
        return
    kinds = [
        scheme
        for scheme in remote_files.PACKAGES
        if not (is_output and scheme in remote_files.READ_ONLY)
    ]
    is_chain = "::" in path  # fsspec would open a second address
    if is_chain or remote_files.scheme_of(path) not in kinds:
        raise ConfigError(
            f"`{name}` must be a local path, or an address that begins with"
            f" {', '.join(f'{kind}://' for kind in kinds)}. Received:"
            f" {path!r:.200}. Copy the file, or mount the address."
        )


def _check_path(name: str, path: str) -> None:
    """Checks a path's address, and that it fits in a line of a flagfile."""
    check_address(name, path, is_output=name in OUTPUTS)
    if not path:
        raise ConfigError(
            f"`{name}` contains an empty name. Leave it out, or remove a comma."
        )
    is_utf8 = path.encode(errors="replace").decode() == path
    if not is_utf8 or re.search(r"^\s|[\n\r\0]|\s$", path):
        raise ConfigError(
            f"`{name}` must be a name in UTF-8, without line breaks or outer"
            f" spaces. Received: {path!r}. Rename the file."
        )


def _check_bounds(field: dataclasses.Field, number: float, value: Any) -> None:
    """Checks a number, which may be one of several in a value."""
    least, above = field.metadata["least"], field.metadata["above"]
    most = field.metadata["most"]
    if least is None and above is None:
        return
    rule = f"above {above}" if least is None else f"at least {least}"
    is_enough = number > above if least is None else number >= least
    if is_enough and number <= most:
        return
    if most < number < math.inf:
        rule += f" and at most {most:.10g}"
    shown = list(value) if isinstance(value, tuple) else value
    raise ConfigError(
        f"`{field.name}` must be {rule}."
        f" Received: {field.name}={str(shown)[:80]}."
    )


CONTRADICTIONS = (
    (
        {"content_reduction": ["mean"], "loss_scale": ["relative"]},
        "relative losses do not depend on the resolution",
    ),
    (
        {"preconditioner": ["frequency"], "optimizer": ["adam"]},
        "adam has its own scale for every pixel",
    ),
    (
        {"convolution": ["winograd"], "precision": ["mixed_float16"]},
        "winograd is for the CPU, and mixed_float16 for GPUs",
    ),
    (
        {
            "weights_input": ["caffe", "torchvision"],
            "weights": ["auto", "imagenet", "torchvision", "random"],
        },
        "the input is known of all weights but those of a file",
    ),
    (
        {"convolution": ["winograd"], "strategy": REPLICATED},
        "winograd is for one device",
    ),
    (
        {"precision": ["mixed_float16"], "strategy": REPLICATED},
        "mixed_float16 needs the whole frame at once",
    ),
    (
        {"precision": ["mixed_float16"], "tile_size": TILE_SIZES[1:]},
        "mixed_float16 needs the whole frame at once",
    ),
)
"""Values of two options that exclude each other, and why."""


def _check_combinations(config) -> None:
    """Checks that no two options contradict each other.

    Raises:
        ConfigError: if two options contradict; names both.
    """
    for values, reason in CONTRADICTIONS:
        if all(getattr(config, name) in values[name] for name in values):
            name, other = values
            raise contradiction(config, name, other, reason)


def contradiction(config, name: str, other: str, reason: str) -> ConfigError:
    """Returns an error about two options that exclude each other."""
    given = [f"{n}={getattr(config, n)!s:.80}" for n in (name, other)]
    return ConfigError(
        f"`{name}` and `{other}` exclude each other: {reason}. Received:"
        f" {' and '.join(given)}. Change or leave out one."
    )


def _check_numbers(config) -> None:
    """Checks the numbers of steps, and the sizes of tiles and the picture."""
    if config.num_levels != "auto" and (
        len(config.num_steps) not in (0, 1, config.num_levels)
    ):
        raise ConfigError(
            "`num_steps` must be one number, or one for each level."
            f" Received: {len(config.num_steps)} numbers for"
            f" num_levels={config.num_levels}."
        )
    if config.tile_size != "auto" and config.tile_size not in TILE_SIZES:
        raise ConfigError(
            f"`tile_size` must be auto, 0 or a multiple of {TILE_SIZES.step} up"
            f" to {TILE_SIZES[-1]}. Received: tile_size={config.tile_size}."
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


def _check_lists(config) -> None:
    """Checks that weights are as many as their layers, and not all 0."""
    for name in ("content_layer", "style_layer"):
        count = len(getattr(config, f"{name}s"))
        _check_length(config, f"{name}_weights", f"{name}s", count)
    for name in (
        *("content_layer_weights", "style_layer_weights"),
        "style_blend_weights",
    ):
        values = getattr(config, name)
        if values and not any(values):
            raise ConfigError(
                f"`{name}` must not all be 0. Received: {name}={list(values)}."
            )


def _check_length(config, name: str, owner: str, count: int) -> None:
    """Checks that a list is empty or has one value for each of another."""
    values = getattr(config, name)
    if values and len(values) != count:
        raise ConfigError(
            f"`{name}` must have one value for each of `{owner}`. Received:"
            f" {len(values)} for {count}. Give as many, or none for equal"
            " weights."
        )
