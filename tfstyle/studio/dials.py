"""The dials of the page, and their conversion to and from a command line.

The position of a dial is the value of its component; of all other options it is
the text of the flag, or a bool.
"""

import contextlib
import dataclasses
import functools
import math
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import numpy as np

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
from tfstyle.images.image_set import ImageSet
from tfstyle.images.picture import Picture
from tfstyle.studio import inputs
from tfstyle.training.plan import DECIDED_BY_MACHINE
from tfstyle.training.plan import complete_options

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
OF_PICTURES = ("style_blend_weights", "keep_unmasked")
"""Options that the pictures and regions set."""
FRONT = (
    "content_weight",
    "style_scale",
    "image_size",
    "num_steps",
    "preserve_colors",
    "seed",
    *OF_PICTURES,
)
"""Options that have a dial, or belong to the pictures."""
OTHERS = [field for field in ordered_fields(Config) if field.name not in FRONT]
"""Fields of the options under "More options", ordered by group."""
NAMES = {
    "content_weight": "content",
    "style_scale": "strokes",
    "image_size": "size",
    "num_steps": "quality",
    "preserve_colors": "colours",
    "seed": "seed",
}
"""Names of the dials, by option; other options are called by their own."""
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


def find_preset(
    arguments: Sequence[str], presets: Mapping[str, list[str]] | None = None
) -> str:
    """Returns the preset with the most flags of which a command line has all.

    Args:
        arguments: the command line.
        presets: flags by the name of the preset, one without flags; None: the
            program's own.
    """
    presets = PRESETS if presets is None else presets
    given = set(arguments)
    found = [name for name in presets if set(presets[name]) <= given]
    return max(reversed(found), key=lambda name: len(presets[name]))


def make_arguments(
    base: Sequence[str],
    positions: Positions,
    *,
    content: str | None = None,
    styles: Sequence[str] = (),
    weights: Sequence[float] = (),
    start: str | None = None,
    regions: Sequence[str] = (),
    film: Sequence[str] = (),
    is_draft: bool = False,
) -> list[str]:
    """Returns the command line of a job, validated.

    Args:
        base: base flags, which the positions change.
        positions: positions of all options.
        content: path of the content image, or None.
        styles: paths of the style images.
        weights: blend weights, one per style.
        start: path of the initial image, or None.
        regions: flags of the regions; if empty, the styles are blended.
        film: flags of the film to paint, or empty for a picture.
        is_draft: True if pictures may be missing.

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
    if regions:
        found += regions
    elif len(set(weights)) > 1:
        found.append(f"--style_blend_weights={','.join(map(str, weights))}")
    if start is not None:
        found.append(f"--init={start}")
    found += film or FIXED
    config = read_config(found)
    has_content = content is not None or bool(film)
    if not is_draft:
        num_masks = len(config.content_masks)
        check_images(config, has_content, len(styles), num_masks)
    return found


def without_files(arguments: Sequence[str]) -> list[str]:
    """Removes the flags that name files from a command line."""
    options = {field.name for field in dataclasses.fields(Config)}
    options = options.difference(OF_PICTURES) | {"preset"}
    found = []
    for argument in arguments:
        name, _, text = argument[2:].partition("=")
        is_file = name == "init" and text not in INITS
        if name in options and not is_file:
            found.append(argument)
    return found


def describe(arguments: Sequence[str]) -> dict[str, str]:
    """Describes what differs from the defaults, in the words of the page.

    Args:
        arguments: command line of a run, or all flags of its `flags.cfg`.

    Returns:
        Values by the name of the dial, or of the option if it has no dial, e.g.
        `{"content": "64 %", "size": "256 px"}`. The size is always included,
        the names of pictures never. Empty if a flag is invalid.
    """
    try:
        words = _describe_options(tuple(arguments))
        preset = [x for x in arguments if x.startswith("--preset=")]
        plain = _describe_options((*preset, *_images_of(arguments)))
    except ConfigError:
        return {}
    named = {"preset": find_preset(preset)} if preset else {}
    return named | {
        name: text
        for name, (_, text) in words.items()
        if name == "size" or text != plain[name][1]
    }


def describe_differences(*runs: Sequence[str]) -> list[tuple[str, ...]]:
    """Describes how runs differ, in the words of the page.

    Args:
        runs: command line of each run, see `describe`.

    Returns:
        For every difference its name and the values of all runs. Pictures are
        named by their original file names.

    Raises:
        ConfigError: if a flag is invalid.
    """
    found = [
        _describe_pictures(run) | _describe_options(tuple(run)) for run in runs
    ]
    rows = []
    for name in found[0]:
        exact, words = (
            [described[name][place] for described in found] for place in (0, 1)
        )
        if len(set(exact)) > 1:
            is_clear = len(set(words)) == len(set(exact))
            texts = words if is_clear else [text or "none" for text in exact]
            rows.append((name, *texts))
    return rows


def _images_of(arguments: Sequence[str]) -> list[str]:
    """Returns the flags that name the content and styles of a run."""
    names = ("--content_image=", "--content_video=", "--style_images=")
    return [x for x in arguments if x.startswith(names) and x not in names]


@functools.lru_cache(1024)
def _describe_options(arguments: tuple[str, ...]) -> dict[str, tuple[str, str]]:
    """Describes all options of a run.

    Returns:
        The text of the flag and the words of the page, by the name of the dial
        or option.

    Raises:
        ConfigError: if a flag is invalid.
    """
    config = _open_options(arguments)
    weight = config.resolved().content_weight
    config = dataclasses.replace(config, content_weight=weight)
    size, steps = config.image_size, to_text(config.num_steps)
    qualities = {text: name for name, text in QUALITIES.items()}
    colors = {text: name for name, text in COLORS.items()}
    is_shown = LEAST_CONTENT <= weight <= MOST_CONTENT
    words = {
        "content_weight": f"{percent_of(weight)} %"
        if is_shown
        else f"weight {weight:g}",
        "style_scale": f"{config.style_scale:g}",
        "image_size": f"{size} px" if size else "of the content",
        "num_steps": qualities.get(steps, f"{steps} steps"),
        "preserve_colors": colors[config.preserve_colors],
    }
    found = {}
    for name in (*NAMES, *(field.name for field in OTHERS)):
        value = getattr(config, name)
        exact = "" if value is None else to_text(value)
        text = words.get(name, exact or "default")
        found[NAMES.get(name, name)] = exact, text
    return found


def _open_options(arguments: Sequence[str]) -> RunConfig:
    """Returns the options of a run, opening those that the program decided.

    In `flags.cfg` all options are decided. Those that would be decided alike
    again get their defaults.

    Raises:
        ConfigError: if a flag is invalid.
    """
    options = without_files(arguments)
    config = _read(options)
    given = {option[2:].partition("=")[0] for option in options}
    if given.issuperset(DECIDED_BY_MACHINE):
        opened = dict.fromkeys(DECIDED_BY_MACHINE, "auto")
        config = dataclasses.replace(config, **opened)
    images = _images_of(arguments)
    has_content, has_style = (
        not images or any(x.startswith(name) for x in images)
        for name in ("--content", "--style")
    )
    pixel = Picture(np.zeros((1, 1, 3), np.uint8))
    shape = ImageSet(pixel if has_content else None, [pixel] * has_style)
    with contextlib.suppress(ConfigError):  # there is no such picture
        decided = complete_options(config, shape)
        for field in dataclasses.fields(Config):
            is_open = getattr(config, field.name) == field.default
            if is_open or field.default not in (None, "auto", ()):
                continue
            with contextlib.suppress(ConfigError):  # it is needed
                opened = {field.name: field.default}
                other = dataclasses.replace(config, **opened)
                if complete_options(other, shape) == decided:
                    config = other
    return config


def _describe_pictures(arguments: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Describes the pictures of a run, see `_describe_options`."""
    config = read_config([*arguments])
    content = config.content_image or config.content_video or ""
    styles, masks = config.style_images, config.content_masks
    blend = config.style_blend_weights
    shares = [f"{100 * weight / sum(blend):.0f} %" for weight in blend]
    start = "" if config.init in INITS else config.init
    return {
        "content picture": (content, inputs.stem_of(content) or "none"),
        "styles": (
            lines.write_list(styles),
            " and ".join(map(inputs.stem_of, styles)) or "none",
        ),
        "shares": (to_text(tuple(blend)), " and ".join(shares) or "equal"),
        "start": (start, inputs.stem_of(start) or "none"),
        "regions": (
            lines.write_list(masks),
            f"{len(masks)} painted" if masks else "none",
        ),
    }
