"""Results of the Python API: pictures with losses and options, to be saved."""

import dataclasses
import io
import os
from collections.abc import Callable
from typing import Any
from typing import NamedTuple

import numpy as np
from PIL import Image
from PIL import ImageShow

from tfstyle.config.config import Config
from tfstyle.config.config import options_of
from tfstyle.config.run_config import METADATA
from tfstyle.config.run_config import RunConfig
from tfstyle.config.validation import check_address
from tfstyle.errors import ConfigError
from tfstyle.errors import SetupError
from tfstyle.experiment import provenance
from tfstyle.experiment.remote_outputs import staged_file
from tfstyle.image_files.writing import check_side
from tfstyle.image_files.writing import write_image
from tfstyle.images.picture import NOTHING
from tfstyle.images.picture import Attribution
from tfstyle.images.resize import resize
from tfstyle.reports.progress import is_in_notebook
from tfstyle.system.paths import expand_path
from tfstyle.system.paths import is_same_file
from tfstyle.training.callbacks import describe_steps


class Source(NamedTuple):
    """Inputs that a picture was made from, for its embedded metadata.

    Attributes:
        facts: descriptions with hashes of the weights and images, by name.
        paths: paths of the image files.
        files: fields of `RunConfig` that name the image files; empty if any
            image is not a file.
        alpha: alpha channel of the content, uint8 `[H, W]`, or None.
        attribution: artist, copyright and resolution of the content.
        content: content image at the size of the result, uint8 `[H, W, 3]`,
            RGB, or None.
    """

    facts: dict[str, str]
    paths: list[str]
    files: dict[str, Any]
    alpha: np.ndarray | None
    attribution: Attribution
    content: np.ndarray | None


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Painting:
    """A generated picture with its losses and options; notebooks display it.

    Attributes:
        pixels: uint8 `[H, W, 3]`, RGB.
        losses: losses by name, `total` first; each term raw
            (`content/<layer>`, `style/<layer>`, `total_variation`, `chroma`,
            `range`) and weighted (`weighted/...`).
        steps: number of update steps so far per level, coarsest first.
        evaluations: number of evaluations of loss and gradient so far.
        seconds: time since the first step.
        config: the options, with every `auto` resolved.
    """

    pixels: np.ndarray
    losses: dict[str, float]
    steps: tuple[int, ...]
    evaluations: int
    seconds: float
    config: Config
    _source: "Source"

    @property
    def image(self) -> Image.Image:
        """The picture as a PIL image; each access makes a new one."""
        return Image.fromarray(self.pixels)

    @property
    def step(self) -> int:
        """Number of update steps so far, summed over levels."""
        return sum(self.steps)

    @property
    def height(self) -> int:
        """Height of the picture, pixels."""
        return self.pixels.shape[0]

    @property
    def width(self) -> int:
        """Width of the picture, pixels."""
        return self.pixels.shape[1]

    def show(self) -> None:
        """Shows the picture, beside the content image if there is one.

        In a notebook below the cell, else in the system's viewer.

        Raises:
            SetupError: if no viewer is installed.
        """
        shown = [self.pixels]
        if self._source.content is not None:
            content = resize(self._source.content, self.height, self.width)
            shown.insert(0, content)
        picture = Image.fromarray(np.hstack(shown))
        if is_in_notebook():
            from IPython.display import display

            display(picture)
        elif not ImageShow.show(picture):
            raise SetupError(
                "No program that shows pictures was found, such as xdg-open."
                " Save the picture: result.save(path)."
            )

    def save(
        self, path: str | os.PathLike[str], *, metadata: str = "names"
    ) -> None:
        """Saves the picture with its flags, hashes and losses as metadata.

        `tfstyle --flags_from=PICTURE` and `Config.from_picture` read them. The
        content's alpha channel is kept if the format supports one.

        Args:
            path: path or address of a file ending in .png, .jpg, .webp or
                .tif. An existing file is replaced atomically.
            metadata: `full` embeds the flags with the paths of files; `names`
                with file names only; `none` embeds nothing and writes the
                flags, with file names only, to a sidecar file `PATH.cfg`.

        Raises:
            ConfigError: if `metadata` is invalid, or the path is one of the
                input images.
            ImageError: if the ending is unknown or the file cannot be written.
            RemoteFileError: if it cannot be uploaded.
        """
        self._write(path, self.pixels, metadata)

    def _write(
        self,
        path: str | os.PathLike[str],
        pixels: np.ndarray,
        metadata: str,
    ) -> None:
        if metadata not in METADATA:
            raise ConfigError(
                f"`metadata` must be one of {', '.join(METADATA)}. Received:"
                f" {metadata!r:.80}."
            )
        path = expand_path(os.fspath(path))
        check_address("path", path, is_output=True)
        for read in self._source.paths:
            if path == read or is_same_file(path, read):
                raise ConfigError(
                    "`path` must not be an input image of this picture."
                    f" Received: {path!r}. Choose another."
                )
        check_side(path, self.height, self.width)
        facts = self._source.facts | provenance.describe_result(self)
        config = self._repeating_config()
        if self._source.files:
            config = RunConfig(**options_of(config) | self._source.files)
        with staged_file(path) as local:
            write_image(
                local,
                pixels,
                self._source.alpha,
                *provenance.make_published_texts(config, facts, metadata),
                NOTHING if metadata == "none" else self._source.attribution,
            )

    def _repeating_config(self) -> Config:
        """Returns a config that reproduces this picture."""
        return provenance.repeat_steps(self.config, self.steps)

    def __array__(
        self, dtype: np.typing.DTypeLike | None = None, copy: bool | None = None
    ) -> np.ndarray:
        """Returns the pixels, so that pictures can be passed as arrays."""
        return np.array(self.pixels, dtype, copy=copy)

    def _repr_png_(self) -> bytes:
        file = io.BytesIO()
        self.image.save(file, "PNG")
        return file.getvalue()

    def __repr__(self) -> str:
        name = type(self).__name__
        return (
            f"<{name}: {self.width}x{self.height}, {self._describe()}, loss"
            f" {self.losses['total']:.4g}, {self.seconds:.1f} s>"
        )

    def _describe(self) -> str:
        return f"step {self.step}"


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Step(Painting):
    """A snapshot of the picture at one step of a run.

    Attributes:
        level: pyramid level; 0 is the coarsest, whose picture is smaller.
        num_steps: total number of update steps of the run.
    """

    level: int
    num_steps: int

    def _describe(self) -> str:
        return f"step {self.step} of {self.num_steps}"


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Result(Painting):
    """The final picture of a run, with the history of its losses.

    Attributes:
        history: one dict per step with `step`, `level`, `evaluations`,
            `seconds` and all losses by name.
        reason: the stop reason: `steps`, `converged`, `max_evaluations`,
            `time_limit`, `interrupted`, or a string returned by a callback.
        unclipped: float32 `[1, H, W, 3]`, the optimised image before clipping
            and rounding, BGR minus ImageNet's mean.
    """

    history: list[dict[str, Any]]
    reason: str
    unclipped: np.ndarray
    _is_complete: bool
    _to_pixels: Callable[[int], np.ndarray]

    def save(
        self,
        path: str | os.PathLike[str],
        *,
        metadata: str = "names",
        bits: int = 8,
    ) -> None:
        """Saves the picture with metadata, with 8 or 16 bits per channel.

        Args:
            path: path or address of a file ending in .png, .jpg, .webp or
                .tif. An existing file is replaced atomically.
            metadata: `full`, `names` or `none`; see `Painting.save`.
            bits: bits per channel, 8 or 16. 16 is made from `unclipped`, not
                from `pixels`, and needs a .png or .tif.

        Raises:
            ConfigError: if `bits` or `metadata` is invalid, or the path is one
                of the input images.
            ImageError: if the format does not support `bits`, the ending is
                unknown, or the file cannot be written.
        """
        if bits not in (8, 16):
            raise ConfigError(f"`bits` must be 8 or 16. Received: {bits!r}.")
        self._write(path, self._to_pixels(bits), metadata)

    def _repeating_config(self) -> Config:
        return self.config if self._is_complete else super()._repeating_config()

    def _describe(self) -> str:
        end = "" if self.reason == "steps" else f", {self.reason}"
        return f"{describe_steps(self.steps)}{end}"
