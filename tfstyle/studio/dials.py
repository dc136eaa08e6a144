"""The dials of the page, and their conversion to and from a command line.

The position of a dial is the value of its component; of all other options it is
the text of the flag, or a bool.
"""

import dataclasses
import math
from collections.abc import Callable
from collections.abc import Sequence
from typing import Any

from tfstyle.config import lines
from tfstyle.config.config import Config
from tfstyle.config.config import to_text
from tfstyle.config.fields import ordered_fields
from tfstyle.config.run_config import OF_FILMS
from tfstyle.config.run_config import RunConfig
from tfstyle.config.validation import INITS
from tfstyle.config.validation import check_images
from tfstyle.errors import ConfigError
from tfstyle.flags.command_line import read_config

TEXTURE = "Texture"
"""Name of the preset without a content image."""
PRESETS: dict[str, list[str]] = {
    "Photograph": [],
    "Painting": ["--content_weight=0.02"],
    TEXTURE: ["--preset=texture"],
    "The paper": ["--preset=gatys2015"],
}
SIZES = ("256", "384", "512", "768", "1024")
"""Suggested long edges, pixels; any other can be typed."""
NORMAL = "Normal"
QUALITIES = {"Quick": "40", NORMAL: "", "Fine": "300"}
"""Values of `num_steps` by name; empty is the default."""
COLORS = {
    "of the style": "none",
    "of the content": "match",
    "of the content, lightness of the style": "luminance",
}
LEAST_CONTENT, MOST_CONTENT = 0.02, 0.5
"""Content weights at 0 and at 100 percent, on a logarithmic scale."""
FRONT = (
    "content_weight",
    "style_scale",
    "image_size",
    "num_steps",
    "preserve_colors",
    "seed",
    "style_blend_weights",
)
"""Options that have a dial."""
OTHERS = [field for field in ordered_fields(Config) if field.name not in FRONT]
"""Fields of the options under "More options", ordered by group."""
Positions = dict[str, Any]
"""Positions by option."""
FIXED = (
    "--preview_every_seconds=1",
    "--log_every_steps=1",
    "--output_bits=16",
)
"""Flags of every picture of the studio."""


def positions_of(arguments: Sequence[str]) -> Positions:
    """Returns the positions closest to the flags of a command line.

    Raises:
        ConfigError: if a flag is invalid.
    """
    config = _read([*arguments])
    qualities = {text: name for name, text in QUALITIES.items()}
    colors = {text: name for name, text in COLORS.items()}
    return {
        "content_weight": percent_of(config.resolved().content_weight),
        "style_scale": config.style_scale,
        "image_size": str(config.image_size),
        "num_steps": qualities.get(to_text(config.num_steps), NORMAL),
        "preserve_colors": colors[config.preserve_colors],
        "seed": config.seed,
        **{f.name: position_of(getattr(config, f.name)) for f in OTHERS},
    }


def position_of(value: Any) -> str | bool:
    """Returns the position for the value of an option without a dial."""
    if value is None:
        return ""
    return value if isinstance(value, bool) else to_text(value)


def to_arguments(base: Sequence[str], positions: Positions) -> list[str]:
    """Returns the base flags and the flags of all changed positions.

    Args:
        base: base flags, such as a preset's.
        positions: positions of all options.
    """
    before = positions_of(base)
    found = [*base]
    for name, position in positions.items():
        if isinstance(position, str | None):  # None: an emptied field
            position = (position or "").strip()
        if position != before[name]:
            text = _TO_TEXT.get(name, to_text)(position)
            found.append(f"--{name}={text}")
    return found


def weight_of(percent: float) -> float:
    """Returns the content weight at a position of the dial, in percent."""
    ratio = MOST_CONTENT / LEAST_CONTENT
    return LEAST_CONTENT * ratio ** (percent / 100)


def percent_of(weight: float) -> int:
    """Returns the dial position nearest to a content weight, percent."""
    ratio = MOST_CONTENT / LEAST_CONTENT
    weight = min(max(weight, LEAST_CONTENT), MOST_CONTENT)
    return round(100 * math.log(weight / LEAST_CONTENT) / math.log(ratio))


_TO_TEXT: dict[str, Callable[[Any], str]] = {
    "content_weight": lambda percent: f"{weight_of(percent):.3g}",
    "style_scale": lambda scale: f"{scale:g}",
    "num_steps": lambda name: QUALITIES[name],
    "preserve_colors": lambda name: COLORS[name],
}
"""Functions that convert the position of a dial to the text of its flag."""


def read_options(base: Sequence[str], positions: Positions) -> list[str]:
    """Returns the command line for positions of the options, validated.

    Args:
        base: base flags, which the positions change.
        positions: positions of all options.

    Raises:
        ConfigError: if a flag is invalid, with the message of the command line.
    """
    init = positions["init"]
    if init not in INITS:  # a path would let visitors view any picture
        raise ConfigError(
            f"`init` must be one of {', '.join(INITS)}. Received: {init!r:.80}."
            " Upload a picture under Start from a picture."
        )
    for name, position in positions.items():
        if len(str(position).splitlines()) > 1:
            raise ConfigError(
                f"`{name}` must be one line. Received: {position!r:.80}."
            )
    found = to_arguments(base, positions)
    _read(found)
    return found


def _read(arguments: list[str]) -> RunConfig:
    """Reads flags of a picture or a film."""
    return read_config([*arguments, "--content_video=."])


def find_preset(arguments: Sequence[str]) -> str:
    """Returns the last preset whose flags are all in a command line."""
    found = [p for p in PRESETS if set(PRESETS[p]) <= set(arguments)]
    return found[-1]


def make_arguments(
    base: Sequence[str],
    positions: Positions,
    *,
    content: str | None = None,
    styles: Sequence[str] = (),
    weights: Sequence[float] = (),
    start: str | None = None,
    masks: Sequence[str] = (),
    film: Sequence[str] = (),
) -> list[str]:
    """Returns the command line of a job, validated.

    Args:
        base: base flags, which the positions change.
        positions: positions of all options.
        content: path of the content image, or None.
        styles: paths of the style images.
        weights: blend weights, one per style.
        start: path of the initial image, or None.
        masks: paths of the content masks, one per style; if empty, the styles
            are blended.
        film: flags of the film to paint, or empty for a picture.

    Raises:
        ConfigError: if a flag is invalid, with the message of the command line.
    """
    found = read_options(base, positions)
    if not film:
        found = [x for x in found if x[2:].partition("=")[0] not in OF_FILMS]
    if content is not None:
        found.append(f"--content_image={content}")
    if styles:
        found.append(f"--style_images={lines.write_list(styles)}")
    if masks:
        found.append(f"--content_masks={lines.write_list(masks)}")
    elif len(set(weights)) > 1:
        found.append(f"--style_blend_weights={','.join(map(str, weights))}")
    if start is not None:
        found.append(f"--init={start}")
    found += film or FIXED
    config = read_config(found)
    has_content = content is not None or bool(film)
    check_images(config, has_content, len(styles), len(masks))
    return found


def without_files(arguments: Sequence[str]) -> list[str]:
    """Removes the flags that name files from a command line."""
    options = {field.name for field in dataclasses.fields(Config)}
    options = options - {"style_blend_weights"} | {"preset"}
    found = []
    for argument in arguments:
        name, _, text = argument[2:].partition("=")
        is_file = name == "init" and text not in INITS
        if name in options and not is_file:
            found.append(argument)
    return found
