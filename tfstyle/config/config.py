"""Everything that can be chosen about a run, with its default, in one place.

The flags of the command line are made from these fields, one to one.
"""

import csv
import dataclasses
import io
from typing import Any

from tfstyle.config import validation

LEARNING_RATES = {"lbfgs": 1.0, "adam": 5.0}
PRECONDITIONERS = {"lbfgs": "frequency", "adam": "none"}
LOSS_WEIGHTS = {
    "relative": {
        "content_weight": 0.06,
        "tv_weight": 0.25,
        "range_weight": 10.0,
    },
    "absolute": {"content_weight": 1e-3, "tv_weight": 0.0, "range_weight": 0.0},
}
"""Defaults of the weights by `loss_scale`."""


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
    content_masks: tuple[str, ...] = _field(
        (), "Images", "files of grey masks, one a region of the output"
    )
    style_masks: tuple[str, ...] = _field(
        (), "Images", "as many, of the style image that each region takes"
    )
    preserve_colors: str = _field(
        "none",
        "Images",
        "none; match: the style in the content's colours; luminance: only"
        " lightness is transferred",
    )
    output_image: str | None = _field(
        None,
        "Images",
        "file to write, .png, .jpg, .webp or .tif; default: output.png in the"
        " workdir",
        pixels=False,
    )
    manifest: str | None = _field(
        None,
        "Images",
        "many pictures: a .csv or .jsonl file with a line for each, whose"
        " columns are flags",
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
    loss_scale: str = _field(
        "relative",
        "Losses",
        "relative: each loss divided by that of a blank image; absolute: the"
        " paper's formulas",
    )
    content_weight: float | None = _field(
        None, "Losses", "alpha; default: 0.06, of absolute losses 1e-3"
    )
    style_weight: float = _field(1.0, "Losses", "beta")
    tv_weight: float | None = _field(
        None,
        "Losses",
        "weight of the total variation; default: 0.25, of absolute losses 0",
    )
    range_weight: float | None = _field(
        None,
        "Losses",
        "weight of what lies below black and above white; default: 10, of"
        " absolute losses 0",
    )
    content_reduction: str = _field(
        "sum",
        "Losses",
        "of the absolute content loss; sum: the paper's; mean: independent of"
        " resolution",
    )
    pooling: str = _field("average", "Network", "average or max")
    padding: str = _field(
        "replicate",
        "Network",
        "replicate: clean up to the edge, at any size; zero: as in the paper",
    )
    rescale_filters: bool = _field(
        False,
        "Network",
        "divide every filter by its mean activation, as the paper's network",
    )
    weights: str = _field(
        "auto",
        "Network",
        "auto, imagenet, random, or a file of VGG19's weights",
    )
    init: str = _field(
        "auto",
        "Optimization",
        "noise, content, style, gray or an image file; auto: content if there"
        " are both content and style, else noise",
    )
    optimizer: str = _field("lbfgs", "Optimization", "lbfgs or adam")
    learning_rate: float | None = _field(
        None,
        "Optimization",
        "default: 1 for lbfgs, 5 (grey levels) for adam",
    )
    num_correction_pairs: int = _field(20, "Optimization", "memory of lbfgs")
    preconditioner: str = _field(
        "auto",
        "Optimization",
        "of lbfgs; frequency: large forms move first; none: as"
        " published; auto: frequency for lbfgs, none for adam",
    )
    num_levels: str | int = _field(
        "auto",
        "Optimization",
        "levels from coarse to fine, each twice as large; auto: from about 128"
        " pixels up",
    )
    num_steps: tuple[int, ...] = _field(
        (),
        "Optimization",
        "update steps of each level, or one number for all; default: 130 at the"
        " output's size, a third at each coarser level, at least 30",
    )
    averaging: float = _field(
        0.0, "Optimization", "decay of the average of the iterates; 0: none"
    )
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
    image_every_steps: int = _field(
        0,
        "Output",
        "steps between the pictures in images/; 0: none",
        pixels=False,
    )
    checkpoint_every_steps: int = _field(
        50,
        "Output",
        "steps between the states in checkpoints/, two kept; 0: none",
        pixels=False,
    )
    resume: str = _field(
        "auto",
        "Output",
        "auto: go on with what the workdir has; never: refuse that; restart:"
        " rename the old workdir and begin anew",
        pixels=False,
    )
    report: bool = _field(
        False, "Output", "write report.html to the workdir", pixels=False
    )
    export_dir: str | None = _field(
        None,
        "Output",
        "write the feature extractor there as a SavedModel, in a folder with"
        " the next number; needs no images",
        pixels=False,
    )
    intra_op_threads: int = _field(
        0, "Machine", "threads within one operation; 0: all cores"
    )
    inter_op_threads: int = _field(
        1, "Machine", "operations at once; 0: TensorFlow's choice"
    )
    convolution: str = _field(
        "auto",
        "Machine",
        "direct; winograd: a quarter of the multiplications where that is"
        " faster, on the CPU; auto: winograd on the CPU in float32",
    )
    precision: str = _field(
        "float32",
        "Machine",
        "float32; mixed_bfloat16 or mixed_float16: the network's, for GPUs;"
        " losses stay in float32",
    )
    jit_compile: str = _field(
        "auto", "Machine", "XLA: true or false; auto: true on a GPU"
    )
    tf32: bool = _field(
        True, "Machine", "float32 products of a GPU in TensorFloat-32"
    )
    deterministic: bool = _field(
        False, "Machine", "the same bits every time on a GPU too; slower"
    )
    tile_size: str | int = _field(
        "0",
        "Machine",
        "0: the whole frame at once; else exact tiles of so many pixels, in"
        " little memory; auto: 0 if the memory there is suffices",
    )
    strategy: str = _field(
        "auto",
        "Machine",
        "one_device; mirrored: the picture over all GPUs; multi_worker: over"
        " the processes of TF_CONFIG or Slurm; auto: by what there is",
        pixels=False,
    )
    cluster_timeout: float = _field(
        300.0,
        "Machine",
        "seconds after which absent or silent processes end the run",
        pixels=False,
    )

    def __post_init__(self):
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if isinstance(value, list):
                object.__setattr__(self, field.name, tuple(value))
        if isinstance(self.num_steps, int):
            object.__setattr__(self, "num_steps", (self.num_steps,))
        for name in ("num_levels", "tile_size"):
            value = getattr(self, name)
            if str(value).isdecimal():
                object.__setattr__(self, name, int(value))
        validation.check_paths(self)
        validation.check_choices(self)
        validation.check_numbers(self)
        for name in ("content_layers", "style_layers"):
            layers = validation.keras_names(name, getattr(self, name))
            object.__setattr__(self, name, layers)
        validation.check_lists(self)
        validation.check_manifest(self)

    @property
    def steps_by_level(self) -> tuple[int, ...]:
        """The update steps of every level, coarsest first.

        Both `num_levels` and `num_steps` are settled by then.
        """
        is_one = len(self.num_steps) == 1
        return self.num_steps * self.num_levels if is_one else self.num_steps

    def resolved(self) -> "Config":
        """Returns a copy in which every default that depends is filled in."""
        weights = {
            name: default
            for name, default in LOSS_WEIGHTS[self.loss_scale].items()
            if getattr(self, name) is None
        }
        return dataclasses.replace(
            self,
            learning_rate=self.learning_rate or LEARNING_RATES[self.optimizer],
            preconditioner=(
                PRECONDITIONERS[self.optimizer]
                if self.preconditioner == "auto"
                else self.preconditioner
            ),
            content_layer_weights=self.content_layer_weights
            or _equal_weights(self.content_layers),
            style_layer_weights=self.style_layer_weights
            or _equal_weights(self.style_layers),
            **weights,
        )

    check_images = validation.check_images

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


def _equal_weights(names: tuple[str, ...]) -> tuple[float, ...]:
    return (1 / len(names),) * len(names) if names else ()


def _to_text(value: Any) -> str:
    """Writes a value as absl's flags read it; commas in names are quoted."""
    if isinstance(value, tuple):
        line = io.StringIO()
        csv.writer(line, lineterminator="").writerow(value)
        return line.getvalue()
    return str(value).lower() if isinstance(value, bool) else str(value)
