"""Options of a picture, with their defaults.

Each option declares its group in `--help`, its choices, bounds and scope.
Flags, checks, manifest columns, the text inside a picture and the comparison
of runs are derived from these fields. Options for the files and the directory
of a run are in `run_config`.
"""

import dataclasses
import functools
import os
from collections.abc import Callable
from collections.abc import Sequence
from typing import Any
from typing import ClassVar

from tfstyle.config import lines
from tfstyle.config import validation
from tfstyle.config.fields import convert
from tfstyle.config.fields import option
from tfstyle.config.fields import ordered_fields
from tfstyle.config.suggestions import SYNONYMS
from tfstyle.config.suggestions import find_similar
from tfstyle.errors import ConfigError
from tfstyle.network.layers import POOLING_WINDOWS

PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")
BY_LOSS_SCALE: dict[str, dict[str, Any]] = {
    "relative": {
        "content_weight": 0.06,
        "tv_weight": 0.12,
        "chroma_weight": 12.0,
        "range_weight": 10.0,
        "pooling": "rms",
    },
    "absolute": {
        "content_weight": 1e-3,
        "tv_weight": 0.0,
        "chroma_weight": 0.0,
        "range_weight": 0.0,
        "pooling": "average",
    },
}
"""Defaults that depend on `loss_scale`."""
BY_OPTIMIZER: dict[str, dict[str, Any]] = {
    "lbfgs": {"learning_rate": 1.0, "preconditioner": "frequency"},
    "adam": {"learning_rate": 5.0, "preconditioner": "none"},
}
"""Defaults that depend on `optimizer`."""

_image = functools.partial(option, group="Images")
_loss = functools.partial(option, group="Losses")
_network = functools.partial(option, group="Network")
_optimization = functools.partial(option, group="Optimization")
_machine = functools.partial(option, group="Machine")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """Options of one picture, without its images.

    Lists are converted to tuples, and NumPy numbers to Python's.

    Example:
        >>> Config(image_size=256, style_layers=["conv1_1"])
        Config(image_size=256, style_layers=('block1_conv1',))

    Raises:
        ConfigError: if an option is invalid; names the field, rule, value and
            remedy.
    """

    style_blend_weights: Sequence[float] = _image(
        (), "one per style image, normalised to sum 1; default: equal", least=0
    )
    preserve_colors: str = _image(
        "none",
        "none; match: the style in the content's colors; luminance: only"
        " lightness is transferred",
        choices=("none", "luminance", "match"),
    )
    keep_unmasked: bool = _image(
        False, "true: what is in no content mask is copied from the content"
    )
    image_size: int = _image(
        512, "long edge of the output in pixels; 0 keeps the content's size"
    )
    style_scale: float = _image(
        1.0,
        "style's long edge relative to the output's; 0 keeps the style's size",
        least=0,
    )
    max_image_pixels: int = _image(
        178956970, "input files with more are refused", scope="run", least=1
    )
    content_layers: Sequence[str] = _loss(
        ("conv4_2",), "VGG19 layers whose features are matched"
    )
    style_layers: Sequence[str] = _loss(
        ("conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv5_1"),
        "VGG19 layers whose Gram matrices are matched",
    )
    content_layer_weights: Sequence[float] = _loss(
        (), "one per content layer; default: equal, sum 1", least=0
    )
    style_layer_weights: Sequence[float] = _loss(
        (), "one per style layer; default: equal, sum 1", least=0
    )
    style_figures: str = _loss(
        "auto",
        "faces and other figures of the style in the picture; all: everywhere;"
        " few, none: turned upside down for layers that cover more than half or"
        " a quarter of the style; auto: few with a content image and relative"
        " losses",
        choices=("auto", "all", "few", "none"),
    )
    loss_scale: str = _loss(
        "relative",
        "relative: each loss divided by that of a blank image; absolute: the"
        " paper's formulas",
        choices=("relative", "absolute"),
    )
    content_weight: float | None = _loss(
        None, "alpha; default: 0.06, or 1e-3 for absolute losses", least=0
    )
    style_weight: float = _loss(1.0, "beta", least=0)
    tv_weight: float | None = _loss(
        None,
        "weight of total variation; default: 0.12, or 0 for absolute losses",
        least=0,
    )
    chroma_weight: float | None = _loss(
        None,
        "weight of squared differences of chroma; default: 12, or 0 for"
        " absolute losses",
        least=0,
    )
    range_weight: float | None = _loss(
        None,
        "weight of values below black and above white; default: 10, or 0 for"
        " absolute losses",
        least=0,
    )
    temporal_weight: float | None = _loss(
        None,
        "for films: weight of squared differences from the previous painting,"
        " moved along; default: 5, or 2e4 for absolute losses",
        least=0,
    )
    content_reduction: str = _loss(
        "sum",
        "for absolute losses; sum: the paper's content loss; mean: independent"
        " of resolution",
        choices=("sum", "mean"),
    )
    pooling: str = _network(
        "auto",
        "rms: root mean square of overlapping windows, without hatching;"
        " average: the paper's; max: as VGG19 was trained; auto: rms, for"
        " absolute losses and an export average",
        choices=("auto", *POOLING_WINDOWS),
    )
    padding: str = _network(
        "replicate",
        "replicate: clean up to the edge, at any size; zero: as in the paper",
        choices=("replicate", "zero"),
    )
    rescale_filters: bool = _network(
        False,
        "divide every filter by its mean activation, like the paper's network",
    )
    weights: str = _network(
        "auto",
        "auto, imagenet, torchvision, random, or a file of VGG19's weights",
        scope="file",
        is_path=True,
        of_batch=True,
    )
    weights_input: str = _network(
        "auto",
        "input of the network of a file: caffe, torchvision; auto: found from"
        " the file",
        choices=("auto", "caffe", "torchvision"),
        of_batch=True,
    )
    init: str = _optimization(
        "auto",
        "initial image: noise, content, style or gray; auto: content if there"
        " are content and style, else noise",
        choices=validation.INITS,
    )
    optimizer: str = _optimization(
        "lbfgs", "lbfgs or adam", choices=("lbfgs", "adam")
    )
    learning_rate: float | None = _optimization(
        None, "default: 1 for lbfgs, 5 (grey levels) for adam", above=0
    )
    num_correction_pairs: str | int = _optimization(
        "auto",
        "memory of lbfgs; auto: 20, or 10, 5 or 3 if there is too little free"
        " memory",
        least=1,
    )
    preconditioner: str = _optimization(
        "auto",
        "for lbfgs; frequency: large shapes change first; none: as published;"
        " auto: frequency for lbfgs, none for adam",
        choices=("auto", "frequency", "none"),
    )
    num_levels: str | int = _optimization(
        "auto",
        "levels from coarse to fine, each twice as large; auto: from about 128"
        " pixels up",
        least=1,
    )
    num_steps: Sequence[int] = _optimization(
        (),
        "update steps of each level, one number for all or one per level;"
        " default: 90 at the level of about 512 pixels and at finer ones, half"
        " at each coarser one but at least 30",
        scope="end",
        least=0,
    )
    frame_steps: int | None = _optimization(
        None,
        "for films: update steps of a frame that starts from the previous"
        " painting; default: 9",
        least=1,
    )
    max_evaluations: int | None = _optimization(
        None, "stop after this many evaluations of the losses", least=1
    )
    time_limit: float | None = _optimization(
        None, "stop after this many seconds", scope="end", above=0
    )
    seed: int = _optimization(0, "seed of all random numbers", least=0)
    intra_op_threads: int = _machine(
        0,
        "threads within one operation; 0: all cores",
        scope="machine",
        least=0,
        most=validation.MAX_THREADS,
        of_batch=True,
    )
    inter_op_threads: int = _machine(
        1,
        "operations at once; 0: TensorFlow's choice",
        scope="machine",
        least=0,
        most=validation.MAX_THREADS,
        of_batch=True,
    )
    convolution: str = _machine(
        "auto",
        "direct; winograd: on the CPU, with a quarter of the multiplications"
        " if that is faster; auto: winograd on one CPU",
        choices=("auto", "direct", "winograd"),
    )
    precision: str = _machine(
        "auto",
        "of the network; mixed_bfloat16: with winograd for gradients only;"
        " mixed_float16: for GPUs; auto: mixed_bfloat16 on a CPU with AMX, else"
        " float32; losses are always float32",
        choices=("auto", *PRECISIONS),
    )
    jit_compile: str = _machine(
        "auto",
        "XLA: true or false; auto: on a GPU, once it proves faster",
        choices=("auto", "true", "false"),
    )
    tf32: bool = _machine(
        True,
        "compute the network in TensorFloat-32, on a GPU that supports it",
        of_batch=True,
    )
    deterministic: bool = _machine(
        False, "the same bits every time on a GPU too; slower", of_batch=True
    )
    tile_size: str | int = _machine(
        "auto",
        "0: the whole frame at once; else exact tiles of this many pixels, in"
        " little memory; auto: 0 if the free memory suffices",
    )
    strategy: str = _machine(
        "auto",
        "one_device; mirrored: the picture over all GPUs; auto: mirrored from"
        " 1024 px on",
        scope="run",
        choices=("auto", "one_device", "mirrored"),
        of_batch=True,
    )

    def __post_init__(self):
        for field in dataclasses.fields(self):
            value = convert(field, getattr(self, field.name))
            object.__setattr__(self, field.name, value)
        for name in ("content_layers", "style_layers"):
            layers = validation.keras_names(name, getattr(self, name))
            object.__setattr__(self, name, layers)
        validation.check_options(self)

    def __repr__(self) -> str:
        """Returns a call that makes this config, without the defaults."""
        default = type(self)()
        given = [
            f"{field.name}={getattr(self, field.name)!r}"
            for field in dataclasses.fields(self)
            if getattr(self, field.name) != getattr(default, field.name)
        ]
        return f"{type(self).__name__}({', '.join(given)})"

    @property
    def steps_by_level(self) -> tuple[int, ...]:
        """Number of update steps per level, coarsest first.

        Both `num_levels` and `num_steps` must be resolved.
        """
        is_one = len(self.num_steps) == 1
        steps = tuple(self.num_steps)
        return steps * int(self.num_levels) if is_one else steps

    def resolved(self) -> "Config":
        """Returns a copy with the defaults that depend on other options."""
        defaults = {
            **BY_LOSS_SCALE[self.loss_scale],
            **BY_OPTIMIZER[self.optimizer],
            "content_layer_weights": _equal_weights(self.content_layers),
            "style_layer_weights": _equal_weights(self.style_layers),
        }
        missing = {
            name: default
            for name, default in defaults.items()
            if getattr(self, name) in (None, "auto", ())
        }
        return dataclasses.replace(self, **missing)

    @classmethod
    def from_preset(cls, name: str) -> "Config":
        """Returns the options of a preset, without its images.

        Example:
            >>> Config.from_preset("gatys2015").loss_scale
            'absolute'

        Args:
            name: name of a preset listed in `tfstyle --help`, such as `photo`.

        Raises:
            ConfigError: if there is no preset of that name.
        """
        return cls._read_options(f"--preset={name}")

    @classmethod
    def from_flagfile(cls, path: str | os.PathLike[str]) -> "Config":
        """Returns the options of a flagfile.

        Options for files and the directory of a run are ignored.

        Args:
            path: path of a file with one `--name=value` per line.

        Raises:
            ConfigError: if it cannot be read, or an option is invalid.
        """
        return cls._read_options(f"--flagfile={os.fspath(path)}")

    @classmethod
    def from_picture(cls, path: str | os.PathLike[str]) -> "Config":
        """Returns the options stored in a picture written by tfstyle.

        Args:
            path: path of the picture.

        Raises:
            ConfigError: if it cannot be read, or contains no options.
        """
        return cls._read_options(f"--flags_from={os.fspath(path)}")

    _read_options: ClassVar[Callable[[str], "Config"]]
    """Argument parser; set by `flags.command_line`, which imports Config."""

    def to_flags(self, *, only_pixels: bool = False) -> list[str]:
        """Returns the fields as lines of a flagfile.

        Args:
            only_pixels: True to omit options that do not affect the pixels.
        """
        written = []
        for field in ordered_fields(self):
            value = getattr(self, field.name)
            if value is None or value == ():
                continue
            if field.metadata["scope"] != "run" or not only_pixels:
                written.append(f"--{field.name}={to_text(value)}")
        return written


def _checking_names(init: Callable[..., None]) -> Callable[..., None]:
    """Makes the constructor of Config suggest a name for a wrong keyword."""
    names = [field.name for field in dataclasses.fields(Config)]

    @functools.wraps(init)
    def checked(self: Config, **options: Any) -> None:
        for name in options:
            if name not in names:
                similar = find_similar(name, {*names, *SYNONYMS.values()})
                hint = "It has no images and files; see help(tfstyle.Config)."
                if similar in names:
                    hint = f"Did you mean {similar}?"
                raise ConfigError(
                    f"`{name}` is not an option of Config. {hint}"
                )
        init(self, **options)

    return checked


Config.__init__ = _checking_names(Config.__init__)  # type: ignore[method-assign]


def options_of(config: Config) -> dict[str, Any]:
    """Returns the fields of `Config` by name, without those of `RunConfig`."""
    names = [field.name for field in dataclasses.fields(Config)]
    return {name: getattr(config, name) for name in names}


def _equal_weights(names: Sequence[str]) -> tuple[float, ...]:
    return (1 / len(names),) * len(names)


def to_text(value: Any) -> str:
    """Formats a value as the text of a flag."""
    if isinstance(value, tuple):
        return lines.write_list([str(item) for item in value])
    return str(value).lower() if isinstance(value, bool) else str(value)
