"""Options of a run: picture, files and directory."""

import dataclasses
import functools
import re
from collections.abc import Sequence

from tfstyle.config import validation
from tfstyle.config.config import Config
from tfstyle.config.fields import option
from tfstyle.config.validation import contradiction
from tfstyle.errors import ConfigError

METADATA = ("full", "names", "none")
MANIFEST_ENDINGS = (".csv", ".tsv", ".txt", ".json", ".jsonl", ".ndjson")

EXCLUDED = {
    "export_dir": (
        *("content_image", "style_images", "film", "manifest"),
        "content_video",
    ),
    "manifest": (
        *("content_image", "style_images", "content_masks", "style_masks"),
        *("output_image", "film", "content_video", "output_video", "frames"),
    ),
    "content_video": (
        *("content_image", "output_image", "film", "report"),
        *("image_every_steps", "preview_every_seconds"),
    ),
}
"""Options that may not be given, by the option that excludes them."""
REASONS = {
    "export_dir": "an export paints nothing",
    "manifest": "each of its lines names its own",
    "content_video": "a film's frames are painted into frames/ of the workdir",
}
"""Why an option excludes others."""

OF_FILMS = (
    *("output_video", "frames", "frame_rate", "temporal_weight"),
    *("frame_steps", "chunk_frames"),
)
"""Options that need `content_video`."""

_input = functools.partial(option, group="Files", scope="file", is_path=True)
_file = functools.partial(option, group="Files", scope="run")
_output = functools.partial(option, group="Output", scope="run")


@dataclasses.dataclass(frozen=True, kw_only=True, repr=False)
class RunConfig(Config):
    """Options of a run of the program, one flag per field.

    Raises:
        ConfigError: if an option is invalid; names the field, rule, value and
            remedy.
    """

    content_image: str | None = _input(
        None, "content image file; without one a texture is synthesised"
    )
    style_images: Sequence[str] = _input(
        (),
        "style image files, folders or patterns such as 'art/*.jpg'; without"
        " one the content is reconstructed",
    )
    content_video: str | None = _input(
        None,
        "film to paint: a file such as .mp4, or a folder of numbered pictures",
    )
    content_masks: Sequence[str] = _input(
        (),
        "mask files, one per region of the output; light or opaque pixels are"
        " inside",
    )
    style_masks: Sequence[str] = _input(
        (),
        "mask files, one per style image; light pixels mark the part whose"
        " style is used; default: all of it",
    )
    output_image: str | None = _file(
        None,
        "output file, .png, .jpg, .webp or .tif; default: output.png in the"
        " workdir",
        is_path=True,
    )
    output_video: str | None = _file(
        None,
        "the painted film, .mp4, .mov, .mkv, .webm or .gif, or a folder for"
        " its painted frames; default: output.mp4 in the workdir",
        is_path=True,
    )
    frames: str | None = _file(
        None,
        "frames of the film to paint, such as 100-200; 1-500/10: every tenth",
    )
    frame_rate: float | None = _file(
        None,
        "frames per second of a folder of pictures; default: 24",
        above=0,
    )
    chunk_frames: int | None = _file(
        None,
        "longer shots of a film are painted in chunks of this many frames, by"
        " several processes, and blended where they meet; default: whole shots",
        least=16,
    )
    output_bits: int = _file(
        8,
        "bits per channel of output_image: 8, or 16 (.png and .tif) for print"
        " and grading",
        choices=(8, 16),
    )
    manifest: str | None = _file(
        None,
        "many pictures: a .csv, .tsv or .jsonl file with one line per picture,"
        " whose columns are flags",
        is_path=True,
        of_batch=True,
    )
    shard: str = _file(
        "auto",
        "part of the manifest's lines to paint, such as 3/10; auto: given by"
        " the cluster, MPI's ranks or the job array; auto/10: likewise, in an"
        " array of 10 tasks whose scheduler does not tell their number",
        of_batch=True,
    )
    engine: str = _file(
        "processes",
        "what paints the manifest's lines: processes, of which each paints its"
        " shard; ray: the workers of a Ray cluster",
        choices=("processes", "ray"),
        of_batch=True,
    )
    num_gpus: float | None = option(
        None,
        "GPUs per worker of --engine=ray, such as 2, or 0.5 to share one;"
        " default: 1 if the cluster has any, else 0",
        group="Machine",
        scope="run",
        least=0,
        of_batch=True,
    )
    workdir: str | None = _output(
        None,
        "directory of the run; default: a new one under runs/",
        is_path=True,
        of_batch=True,
    )
    overwrite: bool = _output(False, "replace an output of another run")
    metadata: str = _output(
        "names",
        "flags stored in the picture; full: with the paths of files; names:"
        " with file names only; none: in a file beside it. Except for none,"
        " artist, copyright and resolution of the content image are copied",
        choices=METADATA,
    )
    log_every_steps: int = _output(
        10, "steps between lines of metrics.jsonl", least=1
    )
    image_every_steps: int = _output(
        0, "steps between intermediate pictures in images/; 0: none", least=0
    )
    preview_every_seconds: float = _output(
        0.0,
        "minimum seconds between updates of preview.jpg, the current picture,"
        " which take at most a twentieth of the time; 0: none",
        least=0,
    )
    film: str | None = _output(
        None,
        "film of the iterations, .mp4, .gif or .webp; made of the pictures in"
        " images/, or of about 120 if --image_every_steps is 0",
        is_path=True,
    )
    checkpoint_every_seconds: float = _output(
        30.0,
        "minimum seconds between checkpoints, which take at most a twentieth"
        " of the time; two are kept; 0: none",
        least=0,
    )
    resume: str = _output(
        "auto",
        "auto: continue the run of the workdir; never: refuse if there is one;"
        " restart: rename the old workdir and start again",
        choices=("auto", "never", "restart"),
        of_batch=True,
    )
    report: bool = _output(False, "write report.html to the workdir")
    export_dir: str | None = _output(
        None,
        "export the feature extractor as a SavedModel to a new numbered"
        " version below this directory; needs no images",
        is_path=True,
        of_batch=True,
    )
    cluster_timeout: float = option(
        300.0,
        "seconds after which absent or silent processes end the run",
        group="Machine",
        scope="run",
        above=0,
        most=validation.MAX_TIMEOUT,
        of_batch=True,
    )
    init: str = option(
        "auto",
        "initial image: noise, content, style, gray or a file; auto: content"
        " if there are content and style, else noise",
        group="Optimization",
        is_path=True,
    )
    strategy: str = option(
        "auto",
        "one_device; mirrored: the picture over all GPUs; multi_worker: over"
        " the processes of TF_CONFIG or Slurm; auto: multi_worker if there are"
        " any, mirrored from 1024 px on",
        group="Machine",
        scope="run",
        choices=("auto", "one_device", "mirrored", "multi_worker"),
        of_batch=True,
    )

    def __post_init__(self):
        super().__post_init__()
        _check_excluded(self)
        _check_films(self)
        _check_manifest(self)
        _check_shard(self)
        _check_engine(self)

    def resolved(self) -> Config:
        """Returns a copy with the defaults that depend on other options."""
        config = self
        if self.export_dir and self.pooling == "auto":
            config = dataclasses.replace(self, pooling="average")
        return super(RunConfig, config).resolved()


def _check_excluded(config: RunConfig) -> None:
    """Checks that no option is given beside one that excludes it."""
    for owner, names in EXCLUDED.items():
        for name in names:
            if getattr(config, owner) and getattr(config, name):
                raise contradiction(config, name, owner, REASONS[owner])
    if config.export_dir and config.precision not in ("auto", "float32"):
        reason = "the exported model is in float32"
        raise contradiction(config, "export_dir", "precision", reason)


def _check_films(config: RunConfig) -> None:
    """Checks that options for films are given with a film."""
    if config.content_video or config.manifest:
        return
    for name in OF_FILMS:
        if getattr(config, name) is not None:
            raise ConfigError(
                f"`{name}` is for films and needs `content_video`. Received:"
                f" {name}={getattr(config, name)!s:.80}. Add `content_video`,"
                f" or leave out `{name}`."
            )


def _check_manifest(config: RunConfig) -> None:
    """Checks the manifest's extension."""
    name = config.manifest
    if name is not None and not name.lower().endswith(MANIFEST_ENDINGS):
        raise ConfigError(
            f"`manifest` must end in one of {', '.join(MANIFEST_ENDINGS)}."
            f" Received: {name!r}. Save a spreadsheet as CSV."
        )


def _check_shard(config: RunConfig) -> None:
    """Checks that `shard` is i/n or auto/n and is given with a manifest."""
    if config.shard == "auto":
        return
    part = re.fullmatch(r"(?:auto|(\d+))/(\d+)", config.shard)
    if part is None or not 1 <= int(part[1] or 1) <= int(part[2]):
        raise ConfigError(
            "`shard` must be auto, auto/10, or one part of several, such as"
            " 3/10."
            f" Received: shard={config.shard!r:.40}."
        )
    if config.manifest is None:
        raise ConfigError(
            "`shard` is a part of a `manifest`, which is missing. Add it, or"
            " leave out `shard`."
        )


def _check_engine(config: RunConfig) -> None:
    """Checks that Ray gets a manifest, and only Ray its options."""
    if config.engine == "ray":
        if config.manifest is None:
            raise ConfigError(
                "`engine` ray paints the lines of a `manifest`, which is"
                " missing. Add it, or leave out `engine`."
            )
        if config.shard != "auto":
            reason = "Ray divides the lines among its workers"
            raise contradiction(config, "shard", "engine", reason)
    elif config.num_gpus is not None:
        raise ConfigError(
            "`num_gpus` is for `engine` ray. Received:"
            f" num_gpus={config.num_gpus:g}, engine={config.engine}. Add"
            " --engine=ray, or leave out `num_gpus`."
        )
    gpus = config.num_gpus or 0.0
    if gpus > 1 and gpus % 1:
        raise ConfigError(
            "`num_gpus` must be a whole number, or a fraction below 1."
            f" Received: num_gpus={gpus:g}."
        )
