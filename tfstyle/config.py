"""Everything that can be chosen about a run, with its default, in one place.

The flags of the command line are made from these fields, one to one.
"""

import csv
import dataclasses
import io
import math
from typing import Any

from tfstyle import vgg19_layers

CONTENT_REDUCTIONS = ("sum", "mean")
POOLINGS = ("average", "max")
OPTIMIZERS = ("lbfgs", "adam")
INITS = ("noise", "content", "style", "gray")
MAX_NUMBER = 1e300
MAX_THREADS = 2**31 - 1
LEARNING_RATES = {"lbfgs": 1.0, "adam": 2.0}


class ConfigError(ValueError):
    """A value that a field may not have, or fields that contradict."""


def _field(default: Any, group: str, text: str, *, pixels: bool = True):
    """Declares a field.

    Args:
        default: its default.
        group: the heading under which `--help` shows it.
        text: what `--help` says of it.
        pixels: whether it decides the picture, and so is kept with it.
    """
    metadata = {"group": group, "help": text, "pixels": pixels}
    return dataclasses.field(default=default, metadata=metadata)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """The choices of one run. Lists may be given for tuples.

    Raises:
        ConfigError: names the field, the rule, what came and the remedy.
    """

    content_image: str | None = _field(
        None, "Images", "file of the content image; none: texture synthesis"
    )
    style_images: tuple[str, ...] = _field(
        (), "Images", "files of the style images; none: content reconstruction"
    )
    style_blend_weights: tuple[float, ...] = _field(
        (), "Images", "one a style image, normalised to sum 1; default: equal"
    )
    output_image: str | None = _field(
        None,
        "Images",
        "file to write, .png, .jpg, .webp or .tif; default: output.png in the"
        " workdir",
        pixels=False,
    )
    image_size: int = _field(
        512,
        "Images",
        "long edge of the output in pixels; 0 keeps the content's size",
    )
    style_scale: float = _field(
        1.0,
        "Images",
        "style's long edge relative to the output's; 0 keeps the style's size",
    )
    max_image_pixels: int = _field(
        178956970,
        "Images",
        "larger input files are refused",
        pixels=False,
    )
    content_layers: tuple[str, ...] = _field(
        ("conv4_2",), "Losses", "layers of VGG19 whose features are matched"
    )
    style_layers: tuple[str, ...] = _field(
        ("conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv5_1"),
        "Losses",
        "layers of VGG19 whose Gram matrices are matched",
    )
    content_layer_weights: tuple[float, ...] = _field(
        (), "Losses", "one a content layer; default: equal, sum 1"
    )
    style_layer_weights: tuple[float, ...] = _field(
        (), "Losses", "one a style layer; default: equal, sum 1"
    )
    content_weight: float = _field(1e-3, "Losses", "alpha")
    style_weight: float = _field(1.0, "Losses", "beta")
    tv_weight: float = _field(0.0, "Losses", "weight of the total variation")
    content_reduction: str = _field(
        "sum", "Losses", "sum: the paper's; mean: independent of resolution"
    )
    pooling: str = _field("average", "Network", "average or max")
    weights: str = _field(
        "auto",
        "Network",
        "auto, imagenet, random, or a file of VGG19's weights",
    )
    init: str = _field(
        "noise", "Optimization", "noise, content, style, gray or an image file"
    )
    optimizer: str = _field("lbfgs", "Optimization", "lbfgs or adam")
    learning_rate: float | None = _field(
        None,
        "Optimization",
        "default: 1 for lbfgs, 2 (grey levels) for adam",
    )
    num_correction_pairs: int = _field(20, "Optimization", "memory of lbfgs")
    num_steps: int = _field(500, "Optimization", "update steps")
    max_evaluations: int | None = _field(
        None, "Optimization", "stop after so many evaluations of the losses"
    )
    time_limit: float | None = _field(
        None, "Optimization", "stop after so many seconds"
    )
    seed: int = _field(0, "Optimization", "of every random number")
    workdir: str | None = _field(
        None,
        "Output",
        "folder of the run; default: a fresh one under runs/",
        pixels=False,
    )
    overwrite: bool = _field(
        False,
        "Output",
        "replace an output that another run made",
        pixels=False,
    )
    log_every_steps: int = _field(
        10, "Output", "steps between lines of metrics.jsonl", pixels=False
    )
    intra_op_threads: int = _field(
        0, "Machine", "threads within one operation; 0: all cores"
    )
    inter_op_threads: int = _field(
        1, "Machine", "operations at once; 0: TensorFlow's choice"
    )

    def __post_init__(self):
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if isinstance(value, list):
                object.__setattr__(self, field.name, tuple(value))
        self._check_paths()
        self._check_choices()
        self._check_numbers()
        for name in ("content_layers", "style_layers"):
            object.__setattr__(self, name, self._keras_names(name))
        self._check_lists()

    def resolved(self) -> "Config":
        """Returns a copy in which every default that depends is filled in."""
        return dataclasses.replace(
            self,
            learning_rate=self.learning_rate or LEARNING_RATES[self.optimizer],
            content_layer_weights=self.content_layer_weights
            or _equal_weights(self.content_layers),
            style_layer_weights=self.style_layer_weights
            or _equal_weights(self.style_layers),
        )

    def check_images(self, has_content: bool, num_styles: int) -> None:
        """Holds the choices against the images that there are.

        Raises:
            ConfigError: if they contradict.
        """
        if not has_content and not num_styles:
            raise ConfigError(
                "`content_image` and `style_images` are both missing: there is"
                " nothing to paint. Give one of them, or both."
            )
        if self.init == "content" and not has_content:
            raise ConfigError(
                "`init` is content, but `content_image` is missing. Give it, or"
                " init=noise."
            )
        if self.init == "style" and not num_styles:
            raise ConfigError(
                "`init` is style, but `style_images` is missing. Give it, or"
                " init=noise."
            )
        _check_lengths(
            "style_blend_weights",
            self.style_blend_weights,
            "style_images",
            range(num_styles),
        )
        if not (
            (has_content and self.content_weight)
            or (num_styles and self.style_weight)
            or self.tv_weight
        ):
            raise ConfigError(
                "`content_weight`, `style_weight` or `tv_weight` must be above"
                " 0 for an image that is given: there is nothing to minimise."
            )

    def to_flags(self, *, only_pixels: bool = False) -> list[str]:
        """Returns the fields as the lines of a flagfile.

        Args:
            only_pixels: leave out what does not decide the picture.
        """
        lines = []
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if value is None or value == ():
                continue
            if field.metadata["pixels"] or not only_pixels:
                lines.append(f"--{field.name}={_to_text(value)}")
        return lines

    def _check_paths(self):
        names = ("content_image", "output_image", "weights", "init", "workdir")
        paths = [(name, getattr(self, name)) for name in names]
        paths += [("style_images", path) for path in self.style_images]
        for name, path in paths:
            if path is None:
                continue
            if path != path.strip() and path.isprintable():
                raise ConfigError(
                    f"`{name}` must be a name without spaces at its ends."
                    f" Received: {path!r}. Rename the file."
                )
            if not path or not path.isprintable():
                raise ConfigError(
                    f"`{name}` must be a name without line breaks or control"
                    f" characters. Received: {path!r}. Rename the file."
                )

    def _check_choices(self):
        for name, choices in (
            ("content_reduction", CONTENT_REDUCTIONS),
            ("pooling", POOLINGS),
            ("optimizer", OPTIMIZERS),
        ):
            value = getattr(self, name)
            if value not in choices:
                raise ConfigError(
                    f"`{name}` must be one of {', '.join(choices)}."
                    f" Received: {name}={value!r}."
                )

    def _check_numbers(self):
        for name, least in (
            ("style_scale", 0),
            ("content_weight", 0),
            ("style_weight", 0),
            ("tv_weight", 0),
            ("max_image_pixels", 1),
            ("num_correction_pairs", 1),
            ("num_steps", 0),
            ("max_evaluations", 1),
            ("seed", 0),
            ("log_every_steps", 1),
            ("intra_op_threads", 0),
            ("inter_op_threads", 0),
        ):
            value = getattr(self, name)
            most = MAX_THREADS if name.endswith("_threads") else MAX_NUMBER
            if value is None or least <= value <= most:
                continue
            limit = (
                f" and at most {most:.10g}" if most < value < math.inf else ""
            )
            raise ConfigError(
                f"`{name}` must be at least {least}{limit}."
                f" Received: {name}={str(value)[:40]}."
            )
        for name in ("learning_rate", "time_limit"):
            value = getattr(self, name)
            if value is not None and not 0 < value <= MAX_NUMBER:
                raise ConfigError(
                    f"`{name}` must be above 0. Received: {name}={value}."
                )
        if self.image_size != 0 and not 16 <= self.image_size <= 65500:
            raise ConfigError(
                "`image_size` must be 0, which keeps the content's size, or 16"
                f" to 65500 pixels. Received: image_size={self.image_size}."
            )

    def _keras_names(self, name):
        try:
            names = [vgg19_layers.keras_name(n) for n in getattr(self, name)]
        except ValueError as error:
            raise ConfigError(
                f"`{name}` must name layers of VGG19, such as conv3_1 or"
                f" block3_conv1. Received: {name}={list(getattr(self, name))}."
                f" {error}"
            ) from error
        if len(set(names)) < len(names) or not names:
            raise ConfigError(
                f"`{name}` must name at least one layer, each once."
                f" Received: {name}={list(getattr(self, name))}."
            )
        return tuple(names)

    def _check_lists(self):
        for name, owner in (
            ("content_layer_weights", "content_layers"),
            ("style_layer_weights", "style_layers"),
            ("style_blend_weights", None),
        ):
            values = getattr(self, name)
            if owner:
                _check_lengths(name, values, owner, getattr(self, owner))
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


def _equal_weights(names: tuple[str, ...]) -> tuple[float, ...]:
    return (1 / len(names),) * len(names) if names else ()


def _to_text(value: Any) -> str:
    """Writes a value as absl's flags read it; commas in names are quoted."""
    if isinstance(value, tuple):
        line = io.StringIO()
        csv.writer(line, lineterminator="").writerow(value)
        return line.getvalue()
    return str(value).lower() if isinstance(value, bool) else str(value)
