"""Options of a run: picture, files and directory."""

import dataclasses
from collections.abc import Sequence

from tfstyle.config import validation
from tfstyle.config.config import Config
from tfstyle.config.fields import option
from tfstyle.errors import ConfigError

METADATA = ("full", "names", "none")
MANIFEST_ENDINGS = (".csv", ".tsv", ".txt", ".json", ".jsonl", ".ndjson")


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunConfig(Config):
    """Options of a run of the program, one flag per field.

    Raises:
        ConfigError: if an option is invalid; names the field, rule, value and
            remedy.
    """

    content_image: str | None = option(
        None,
        "Files",
        "content image file; without one a texture is synthesised",
        scope="file",
        is_path=True,
    )
    style_images: Sequence[str] = option(
        (),
        "Files",
        "style image files, folders or patterns such as 'art/*.jpg'; without"
        " one the content is reconstructed",
        scope="file",
        is_path=True,
    )
    content_masks: Sequence[str] = option(
        (),
        "Files",
        "mask files, one per region of the output; the light side is inside,"
        " or what is not transparent",
        scope="file",
        is_path=True,
    )
    style_masks: Sequence[str] = option(
        (),
        "Files",
        "mask files, one per style image; the light side marks the part whose"
        " style is used; empty: all of it",
        scope="file",
        is_path=True,
    )
    output_image: str | None = option(
        None,
        "Files",
        "output file, .png, .jpg, .webp or .tif; default: output.png in the"
        " workdir",
        scope="run",
        is_path=True,
    )
    output_bits: int = option(
        8,
        "Files",
        "8, or 16 for print and grading: bits a channel of output_image, .png"
        " or .tif",
        scope="run",
        choices=(8, 16),
    )
    manifest: str | None = option(
        None,
        "Files",
        "many pictures: a .csv, .tsv or .jsonl file with one line per picture,"
        " whose columns are flags",
        scope="run",
        is_path=True,
        of_batch=True,
    )
    shard: str = option(
        "auto",
        "Files",
        "the part of the manifest's lines to paint, such as 3/10; auto: by the"
        " cluster, Slurm's job array or MPI's ranks",
        scope="run",
        of_batch=True,
    )
    workdir: str | None = option(
        None,
        "Output",
        "directory of the run; default: a new one under runs/",
        scope="run",
        is_path=True,
        of_batch=True,
    )
    overwrite: bool = option(
        False,
        "Output",
        "replace an output that another run made",
        scope="run",
    )
    metadata: str = option(
        "names",
        "Output",
        "what a picture says of how it was made; full: flags with the paths of"
        " files; names: only their names; none: nothing, and a file beside it"
        " does. Artist, copyright and resolution of the content go with it,"
        " but for none",
        scope="run",
        choices=METADATA,
    )
    log_every_steps: int = option(
        10,
        "Output",
        "steps between lines of metrics.jsonl",
        scope="run",
        least=1,
    )
    image_every_steps: int = option(
        0,
        "Output",
        "steps between intermediate pictures in images/; 0: none",
        scope="run",
        least=0,
    )
    preview_every_seconds: float = option(
        0.0,
        "Output",
        "seconds between writings of preview.jpg, the picture as it is, or"
        " more, to take no more than a twentieth of the time; 0: none",
        scope="run",
        least=0,
    )
    film: str | None = option(
        None,
        "Output",
        "film of the iterations, .mp4, .gif or .webp; takes the pictures in"
        " images/, about 120 if --image_every_steps is 0",
        scope="run",
        is_path=True,
    )
    checkpoint_every_seconds: float = option(
        30.0,
        "Output",
        "seconds between checkpoints, of which two are kept, or more, so that"
        " they take no more than a twentieth of the time; 0: none",
        scope="run",
        least=0,
    )
    resume: str = option(
        "auto",
        "Output",
        "auto: continue the run of the workdir; never: refuse if there is one;"
        " restart: rename the old workdir and start anew",
        scope="run",
        choices=("auto", "never", "restart"),
        of_batch=True,
    )
    report: bool = option(
        False, "Output", "write report.html to the workdir", scope="run"
    )
    export_dir: str | None = option(
        None,
        "Output",
        "export the feature extractor as a SavedModel to a new numbered"
        " version below this directory; needs no images",
        scope="run",
        is_path=True,
        of_batch=True,
    )
    cluster_timeout: float = option(
        300.0,
        "Machine",
        "seconds after which absent or silent processes end the run",
        scope="run",
        above=0,
        most=validation.MAX_TIMEOUT,
        of_batch=True,
    )
    init: str = option(
        "auto",
        "Optimization",
        "initial image: noise, content, style, gray or a file; auto: content"
        " if there are content and style, else noise",
        is_path=True,
    )
    strategy: str = option(
        "auto",
        "Machine",
        "one_device; mirrored: the picture over all GPUs; multi_worker: over"
        " the processes of TF_CONFIG or Slurm; auto: multi_worker if there are"
        " some, mirrored from 1024 px on",
        scope="run",
        choices=("auto", "one_device", "mirrored", "multi_worker"),
        of_batch=True,
    )

    def __post_init__(self):
        super().__post_init__()
        _check_export(self)
        _check_film(self)
        _check_manifest(self)
        _check_shard(self)

    def resolved(self) -> Config:
        """Returns a copy with the defaults that depend on other options."""
        config = self
        if self.export_dir and self.pooling == "auto":
            config = dataclasses.replace(self, pooling="average")
        return super(RunConfig, config).resolved()


def _check_export(config: RunConfig) -> None:
    """Checks that no option contradicts `export_dir`."""
    if config.export_dir and config.precision not in ("auto", "float32"):
        raise ConfigError(
            "`export_dir` gets a model in float32. Received:"
            f" precision={config.precision}. Leave it out."
        )
    if config.export_dir and (config.content_image or config.style_images):
        raise ConfigError(
            "`export_dir` exports the network and paints nothing. Leave out"
            " `content_image` and `style_images`."
        )


def _check_film(config: RunConfig) -> None:
    """Checks that `film` is not combined with an export or a manifest."""
    if config.film is None:
        return
    if config.export_dir:
        raise ConfigError(
            "`film` shows how a picture is painted, and `export_dir` paints"
            " none. Leave out one of them."
        )
    if config.manifest:
        raise ConfigError(
            "`film` is one file, and a `manifest` has many pictures. Give its"
            " lines a column `film`."
        )


def _check_manifest(config: RunConfig) -> None:
    """Checks the manifest's extension, and that no image is given beside it."""
    if config.manifest is None:
        return
    if not config.manifest.lower().endswith(MANIFEST_ENDINGS):
        raise ConfigError(
            f"`manifest` must end in one of {', '.join(MANIFEST_ENDINGS)}."
            f" Received: {config.manifest!r}. Save a spreadsheet as CSV."
        )
    for name in (
        "content_image",
        "style_images",
        "content_masks",
        "style_masks",
        "output_image",
        "export_dir",
    ):
        if getattr(config, name):
            raise ConfigError(
                f"`{name}` is given beside `manifest`, whose lines name the"
                " pictures. Leave out one of them."
            )


def _check_shard(config: RunConfig) -> None:
    """Checks that `shard` has the form i/n and is given with a manifest."""
    if config.shard == "auto":
        return
    number, _, size = config.shard.partition("/")
    is_part = number.isdecimal() and size.isdecimal()
    if not is_part or not 1 <= int(number) <= int(size):
        raise ConfigError(
            "`shard` must be auto or a part of how many, such as 3/10."
            f" Received: shard={config.shard!r:.40}."
        )
    if config.manifest is None:
        raise ConfigError(
            "`shard` is a part of a `manifest`, which is missing. Give it, or"
            " leave out `shard`."
        )
