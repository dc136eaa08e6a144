"""The dials of the page, and their conversion to and from a command line."""

import dataclasses
import math
from collections.abc import Mapping
from collections.abc import Sequence

from tfstyle.config import lines
from tfstyle.config.config import Config
from tfstyle.config.config import to_text
from tfstyle.config.fields import ordered_fields
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
SIZES = (256, 384, 512, 768, 1024)
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
FIXED = (
    "--preview_every_seconds=1",
    "--log_every_steps=1",
    "--output_bits=16",
)
"""Flags of every job of the studio."""


@dataclasses.dataclass(frozen=True)
class Dials:
    """Positions of the dials.

    Attributes:
        content: position of the content dial, percent, 0 to 100.
        strokes: size of the style image relative to the output.
        size: long edge of the output, pixels.
        quality: a key of QUALITIES.
        colors: a key of COLORS.
        seed: seed of random numbers.
        others: options without a dial, as text by name.
    """

    content: int
    strokes: float
    size: int | str
    quality: str
    colors: str
    seed: int
    others: Mapping[str, str]

    @classmethod
    def of(cls, arguments: Sequence[str]) -> "Dials":
        """Returns the positions closest to the flags of a command line.

        Raises:
            ConfigError: if a flag is invalid.
        """
        config = read_config([*arguments])
        steps = to_text(config.num_steps)
        qualities = {text: name for name, text in QUALITIES.items()}
        colors = {text: name for name, text in COLORS.items()}
        return cls(
            percent_of(config.resolved().content_weight),
            config.style_scale,
            config.image_size,
            qualities.get(steps, NORMAL),
            colors[config.preserve_colors],
            config.seed,
            {f.name: text_of(getattr(config, f.name)) for f in OTHERS},
        )

    def to_arguments(self, base: Sequence[str]) -> list[str]:
        """Returns the base flags and the flags of all changed dials.

        Args:
            base: base flags, such as a preset's.
        """
        before = Dials.of(base)._to_texts()
        changed = [
            f"--{name}={text}"
            for name, text in self._to_texts().items()
            if text != before[name]
        ]
        return [*base, *changed]

    def _to_texts(self) -> dict[str, str]:
        """Returns the options as text by name."""
        others = {name: text.strip() for name, text in self.others.items()}
        return {
            "content_weight": f"{weight_of(self.content):.3g}",
            "style_scale": f"{self.strokes:g}",
            "image_size": str(self.size),
            "num_steps": QUALITIES[self.quality],
            "preserve_colors": COLORS[self.colors],
            "seed": str(self.seed),
            **others,
        }


def weight_of(percent: float) -> float:
    """Returns the content weight at a position of the dial, in percent."""
    ratio = MOST_CONTENT / LEAST_CONTENT
    return LEAST_CONTENT * ratio ** (percent / 100)


def percent_of(weight: float) -> int:
    """Returns the dial position nearest to a content weight, percent."""
    ratio = MOST_CONTENT / LEAST_CONTENT
    weight = min(max(weight, LEAST_CONTENT), MOST_CONTENT)
    return round(100 * math.log(weight / LEAST_CONTENT) / math.log(ratio))


def text_of(value) -> str:
    """Returns the value of an option as flag text; empty for None."""
    return "" if value is None else to_text(value)


def read_options(base: Sequence[str], dials: Dials) -> list[str]:
    """Returns the command line for positions of the dials, validated.

    Args:
        base: base flags, which the dials change.
        dials: positions of the dials.

    Raises:
        ConfigError: if a flag is invalid, with the message of the command line.
    """
    init = dials.others["init"]
    if init not in INITS:  # a path would let visitors view any picture
        raise ConfigError(
            f"`init` must be one of {', '.join(INITS)}. Received: {init!r:.80}."
            " Bring a picture under Start from a picture."
        )
    for name, text in dials.others.items():
        if len(text.splitlines()) > 1:
            raise ConfigError(
                f"`{name}` must be one line. Received: {text!r:.80}."
            )
    found = dials.to_arguments(base)
    read_config(found)
    return found


def find_base(arguments: Sequence[str]) -> tuple[str | None, list[str]]:
    """Returns the preset closest to a command line, and its flags as a base.

    If the dials cannot represent a flag exactly, the base is the whole command
    line and the preset is None.

    Args:
        arguments: the command line, without flags that name files.

    Raises:
        ConfigError: if a flag is invalid.
    """
    wanted, dials = read_config([*arguments]), Dials.of(arguments)
    found = []
    for preset, base in PRESETS.items():
        made = dials.to_arguments(base)
        if read_config(made) == wanted:
            num_given = len(set(base) & set(arguments))
            found.append((len(made), -num_given, preset))
    if not found:
        return None, [*arguments]
    preset = min(found)[-1]
    return preset, PRESETS[preset]


def make_arguments(
    base: Sequence[str],
    dials: Dials,
    *,
    content: str | None = None,
    styles: Sequence[str] = (),
    weights: Sequence[float] = (),
    start: str | None = None,
    masks: Sequence[str] = (),
) -> list[str]:
    """Returns the command line of a job, validated.

    Args:
        base: base flags, which the dials change.
        dials: positions of the dials.
        content: path of the content image, or None.
        styles: paths of the style images.
        weights: blend weights, one per style.
        start: path of the initial image, or None.
        masks: paths of the content masks, one per style; if empty, the styles
            are blended.

    Raises:
        ConfigError: if a flag is invalid, with the message of the command line.
    """
    found = read_options(base, dials)
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
    found += FIXED
    config = read_config(found)
    check_images(config, content is not None, len(styles), len(masks))
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
