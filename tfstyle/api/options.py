"""Options of the Python API: a config or a preset, and keyword arguments."""

import dataclasses
from typing import Any

from tfstyle.config.config import options_of
from tfstyle.config.suggestions import find_similar
from tfstyle.config.suggestions import suggest
from tfstyle.errors import ConfigError
from tfstyle.flags.command_line import Config
from tfstyle.flags.values import FIELDS as ALL_FIELDS

FIELDS = {field.name for field in dataclasses.fields(Config)}
_REMEDIES = {
    "content_image": "Pass the image as `content`.",
    "style_images": "Pass the images as `styles`.",
    "output_image": "Save the result: result.save(path).",
    "output_bits": "Save the result: result.save(path, bits=16).",
    "image_every_steps": "Use Stylizer.iterate or a callback.",
    "content_video": "Pass the film to Stylizer.film.",
    "output_video": "Save the frames of Stylizer.film.",
    "frames": "Pass it to Stylizer.film.",
    "film": "Save the pictures of Stylizer.iterate as its frames.",
    "log_every_steps": "`Result.history` has every step.",
    "export_dir": "Run tfstyle --preset=export --export_dir=FOLDER.",
}
"""Alternatives in Python to options of the command line only."""


def make_config(
    config: Config | None, preset: str | None, options: dict[str, Any]
) -> Config:
    """Combines a config or a preset with keyword options.

    Args:
        config: base options, or None.
        preset: name of a preset to use as base options, or None. Excludes
            `config`.
        options: fields of `Config`; override the base options.

    Raises:
        ConfigError: if an option, its value or the preset is invalid.
    """
    if config is not None and preset is not None:
        raise ConfigError(
            "`config` and `preset` exclude each other. Received: both. Give one"
            " of them, and other options as keywords."
        )
    for name in options:
        if name not in FIELDS:
            raise _refuse(name)
    if preset is not None:
        config = Config.from_preset(preset)
    if config is None:
        return Config(**options)
    if not isinstance(config, Config):
        raise ConfigError(
            "`config` must be a tfstyle.Config. Received:"
            f" {type(config).__name__}."
        )
    return Config(**options_of(config) | options)


def _refuse(name: str) -> ConfigError:
    if name in ALL_FIELDS:
        remedy = _REMEDIES.get(name, "Run tfstyle to use it.")
        return ConfigError(f"`{name}` is an option of the program. {remedy}")
    hint = suggest(name, ALL_FIELDS, "See help(tfstyle.Config).")
    similar = find_similar(name, ALL_FIELDS)
    if similar in _REMEDIES:
        hint = _REMEDIES[similar]
    return ConfigError(f"`{name}` is not an option of Config. {hint}")
