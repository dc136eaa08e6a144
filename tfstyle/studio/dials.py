"""The dials of the page, and the arguments that they stand for."""

import dataclasses
import math
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

from tfstyle.config import lines
from tfstyle.config.config import Config
from tfstyle.config.config import to_text
from tfstyle.config.fields import ordered_fields
from tfstyle.config.flags import read_config

TEXTURE = "Texture"
"""The preset without a content."""
PRESETS: dict[str, list[str]] = {
    "Photograph": [],
    "Painting": ["--content_weight=0.02"],
    TEXTURE: ["--preset=texture"],
    "The paper": ["--preset=gatys2015"],
}
SIZES = (256, 384, 512, 768, 1024)
"""Long edges, pixels."""
QUALITIES: dict[str, list[str]] = {
    "Quick": ["--num_steps=40"],
    "Normal": [],
    "Fine": ["--num_steps=300"],
}
COLORS = {
    "of the style": "none",
    "of the content": "match",
    "of the content, lightness of the style": "luminance",
}
LEAST_CONTENT, MOST_CONTENT = 0.02, 0.5
"""Content weights at 0 and at 100 percent; they grow by factors."""
FRONT = (
    "content_weight",
    "style_scale",
    "image_size",
    "num_steps",
    "preserve_colors",
    "seed",
    "style_blend_weights",
)
"""Options that are dials; the others of a Config are behind `more`."""
FIXED = (
    "--preview_every_seconds=1",
    "--log_every_steps=1",
    "--output_bits=16",
)
"""What every job of the studio is painted with."""


@dataclasses.dataclass(frozen=True)
class Dials:
    """The dials in front, as the page shows them at first.

    Attributes:
        preset: of PRESETS.
        content: percent of the content.
        strokes: size of the strokes, of the style's.
        size: long edge, pixels.
        quality: of QUALITIES.
        colors: of COLORS.
        seed: of random numbers.
    """

    preset: str = "Photograph"
    content: float = 34.0
    strokes: float = 1.0
    size: int = 512
    quality: str = "Normal"
    colors: str = "of the style"
    seed: int = 0

    def to_arguments(self) -> list[str]:
        """Returns the arguments: what was not moved is left to the preset."""
        plain = Dials()
        found = [*PRESETS[self.preset], f"--image_size={self.size}"]
        if self.content != plain.content:
            weight = weight_of(self.content)
            found = [x for x in found if not x.startswith("--content_weight")]
            found.append(f"--content_weight={weight:.3g}")
        if self.strokes != plain.strokes:
            found.append(f"--style_scale={self.strokes:g}")
        if self.colors != plain.colors:
            found.append(f"--preserve_colors={COLORS[self.colors]}")
        if self.seed != plain.seed:
            found.append(f"--seed={self.seed}")
        return [*found, *QUALITIES[self.quality]]


def weight_of(percent: float) -> float:
    """Returns the content weight of a dial's position."""
    ratio = MOST_CONTENT / LEAST_CONTENT
    return LEAST_CONTENT * ratio ** (percent / 100)


def percent_of(weight: float) -> float:
    """Returns the dial's position of a content weight."""
    ratio = MOST_CONTENT / LEAST_CONTENT
    return 100 * math.log(weight / LEAST_CONTENT) / math.log(ratio)


def other_fields() -> list[dataclasses.Field]:
    """Returns the options of a Config that are no dials, by group."""
    return [
        field for field in ordered_fields(Config) if field.name not in FRONT
    ]


def text_of(field: dataclasses.Field) -> str:
    """Returns a field's default as a flag takes it; empty: none."""
    return "" if field.default is None else to_text(field.default)


def make_arguments(
    dials: Dials,
    others: Mapping[str, Any],
    content: str | None,
    styles: Sequence[str],
    weights: Sequence[float],
    start: str | None = None,
    masks: Sequence[tuple[str, str]] = (),
) -> list[str]:
    """Returns the arguments of a picture, checked.

    Args:
        dials: those in front.
        others: texts of the other options by name; as by default: left out.
        content: path of the content image, or None.
        styles: paths of the style images.
        weights: of their blend.
        start: path of the picture to start from, or None.
        masks: of the content and the style, paths of one pair a style; none:
            the styles are blended.

    Raises:
        ConfigError: if one of them is wrong; as the command line says it.
    """
    found = dials.to_arguments()
    for field in other_fields():
        text = str(others.get(field.name, "")).strip()
        if text and text != text_of(field):
            found.append(f"--{field.name}={text}")
    if content and dials.preset != TEXTURE:
        found.append(f"--content_image={content}")
    if styles:
        found.append(f"--style_images={lines.write_list(styles)}")
    if masks:
        for name, paths in zip(
            ("content_masks", "style_masks"),
            zip(*masks, strict=True),
            strict=True,
        ):
            found.append(f"--{name}={lines.write_list(paths)}")
    elif len(set(weights)) > 1:
        found.append(f"--style_blend_weights={','.join(map(str, weights))}")
    if start:
        found.append(f"--init={start}")
    found = [*found, *FIXED]
    config = read_config(found)
    number = len(config.content_masks)
    has_content = config.content_image is not None
    config.check_images(has_content, len(styles), number, number)
    return found
