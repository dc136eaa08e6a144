"""Results: pictures that show themselves and can be saved with their flags."""

import dataclasses
import io
import os
from collections.abc import Callable
from typing import Any
from typing import NamedTuple

import numpy as np
from PIL import Image

from tfstyle.api.options import values_of
from tfstyle.config.config import Config
from tfstyle.config.run_config import METADATA
from tfstyle.config.run_config import RunConfig
from tfstyle.config.validation import check_is_local
from tfstyle.errors import ConfigError
from tfstyle.experiment import provenance
from tfstyle.image_files.writing import check_side
from tfstyle.image_files.writing import write_image
from tfstyle.images.picture import NOTHING
from tfstyle.images.picture import Attribution
from tfstyle.images.resize import resize
from tfstyle.system.paths import expand_path
from tfstyle.system.paths import is_same_file


class Source(NamedTuple):
    """What a picture was made of, as its text tells it.

    Attributes:
        facts: by name: the weights and the images, with their hashes.
        files: options of a RunConfig that name the images' files; empty if
            one of them is no file.
        alpha: of the content, uint8 `[H, W]`, or None.
        paths: of the images that are files.
        attribution: of the content.
    """

    facts: dict[str, str]
    files: dict[str, Any]
    alpha: np.ndarray | None
    paths: list[str]
    attribution: Attribution


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Picture:
    """A picture and how it was made. Notebooks show it.

    Attributes:
        pixels: uint8 `[H, W, 3]`, RGB.
        losses: by name, `total` first: each term raw (`content/<layer>`,
            `style/<layer>`, `total_variation`, `chroma`, `range`) and weighted
            (`weighted/...`).
        steps: update steps so far, of each level from coarse to fine.
        evaluations: of the losses and their gradient so far.
        seconds: since the first step.
        config: the options, with nothing left open.
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
        """The picture as a PIL image, a new one at each call."""
        return Image.fromarray(self.pixels)

    @property
    def step(self) -> int:
        """Update steps so far, of all levels."""
        return sum(self.steps)

    @property
    def height(self) -> int:
        """Of the picture, pixels."""
        return self.pixels.shape[0]

    @property
    def width(self) -> int:
        """Of the picture, pixels."""
        return self.pixels.shape[1]

    def save(
        self, path: str | os.PathLike[str], *, metadata: str = "names"
    ) -> None:
        """Writes the picture with its flags, hashes and losses inside.

        `tfstyle --flags_from=PICTURE` and `Config.from_picture` read them. The
        content's alpha channel is kept where the format has one.

        Args:
            path: ends in .png, .jpg, .webp or .tif. A file that is there is
                replaced, atomically.
            metadata: `full`: with the paths of files inside; `names`: with
                their names only; `none`: nothing inside, and the names in a
                file beside it, whose name has `.cfg` added.

        Raises:
            ConfigError: if `metadata` is none of these, or the path is that
                of a picture that this one was made of.
            ImageError: if the ending is unknown or the file cannot be written.
        """
        self._write(path, self.pixels, metadata)

    def _write(
        self,
        path: str | os.PathLike[str],
        pixels: np.ndarray,
        metadata: str,
    ) -> None:
        alpha = self._source.alpha
        if alpha is not None:
            alpha = resize(alpha, self.height, self.width)
        if metadata not in METADATA:
            raise ConfigError(
                f"`metadata` must be one of {', '.join(METADATA)}. Received:"
                f" {metadata!r:.80}."
            )
        path = expand_path(os.fspath(path))
        check_is_local("path", path)
        for read in self._source.paths:
            if is_same_file(path, read):
                raise ConfigError(
                    f"`path` {os.fspath(path)!r} is one of the pictures that"
                    " this one was made of. Give another."
                )
        check_side(path, self.height, self.width)
        attribution = self._source.attribution
        if metadata == "none":
            attribution = NOTHING
        write_image(path, pixels, alpha, *self._texts(metadata), attribution)

    def _texts(self, metadata: str) -> tuple[str, str]:
        facts = self._source.facts | provenance.describe_result(
            self.losses, self.step, self.evaluations
        )
        config = self._repeating_config()
        if self._source.files:
            config = RunConfig(**values_of(config) | self._source.files)
        return provenance.make_published_texts(config, facts, metadata)

    def _repeating_config(self) -> Config:
        """Returns the config of a run that ends with this picture."""
        return provenance.repeat_steps(self.config, self.steps)

    def __array__(
        self, dtype: np.typing.DTypeLike | None = None, copy: bool | None = None
    ) -> np.ndarray:
        """The pixels, so that a picture can be given where an image can."""
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
class Step(Picture):
    """The picture at one step of a run; it stays as it is.

    Attributes:
        level: of the coarse to fine levels; 0 is the coarsest, whose picture
            is smaller.
        num_steps: update steps that the run makes in all.
    """

    level: int
    num_steps: int

    def _describe(self) -> str:
        return f"step {self.step} of {self.num_steps}"


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Result(Picture):
    """What a run made.

    Attributes:
        history: a dict for every step: `step`, `level`, `evaluations`,
            `seconds` and all losses by name.
        reason: why the run ended: `steps`, `converged`, `max_evaluations`,
            `time_limit`, `interrupted`, or a text that a callback returned.
        unclipped: float32 `[1, H, W, 3]`, the picture as it was optimised:
            BGR without ImageNet's mean, neither clipped nor rounded.
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
        """Writes the picture as `Step.save` does, or with 16 bits a channel.

        Args:
            path: as there.
            metadata: as there.
            bits: of a channel, 8 or, in a .png or .tif for print and grading,
                16, made of `unclipped` and not of `pixels`.

        Raises:
            ConfigError: if `bits` is neither 8 nor 16, or as there.
            ImageError: if the format cannot hold the bits, or as there.
        """
        if bits not in (8, 16):
            raise ConfigError(f"`bits` must be 8 or 16. Received: {bits!r}.")
        self._write(path, self._to_pixels(bits), metadata)

    def _repeating_config(self) -> Config:
        return self.config if self._is_complete else super()._repeating_config()

    def _describe(self) -> str:
        end = "" if self.reason == "steps" else f" ({self.reason})"
        return f"{self.step} steps{end}"
