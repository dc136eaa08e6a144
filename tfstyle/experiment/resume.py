"""Resuming: the run that a workdir holds, the picture that is finished."""

import dataclasses
import os
from collections.abc import Callable

from absl import logging

from tfstyle.config import flagfile
from tfstyle.config.run_config import RunConfig
from tfstyle.config.validation import ConfigError
from tfstyle.errors import one_line
from tfstyle.experiment.checkpoint import Checkpoint
from tfstyle.experiment.checkpoint import read_latest
from tfstyle.experiment.identity import RunIdentity
from tfstyle.experiment.inputs import ImageFiles
from tfstyle.experiment.workdir_files import CHECKPOINTS
from tfstyle.images import records
from tfstyle.images.errors import ImageError
from tfstyle.images.files import read_bits
from tfstyle.training.state import CheckpointError


class OtherRunError(ConfigError):
    """A workdir holds a run that is not the one that is asked for."""


def find_checkpoint(
    config: RunConfig, images: ImageFiles, folder: str
) -> Checkpoint | None:
    """Reads the newest checkpoint of a workdir, if there is one.

    Raises:
        CheckpointError: if every checkpoint is damaged, or describes no run.
        ConfigError: if `resume` is never.
        OtherRunError: if it is of another run.
    """
    checkpoint = read_latest(os.path.join(folder, CHECKPOINTS))
    if checkpoint is None:
        return None
    if config.resume == "never":
        raise ConfigError(
            f"`workdir` {folder!r} holds a run, and `resume` is never. Name"
            " another workdir, or give --resume=restart, which keeps the old"
            " one under another name."
        )
    asked = RunIdentity.of_run(config, images)
    try:
        made = RunIdentity.from_json(checkpoint.job)
    except ConfigError as error:
        raise OtherRunError(f"`workdir` {folder!r}: {error}") from error
    except ValueError as error:
        raise CheckpointError(
            f"The checkpoint {checkpoint.path!r} lacks its {error}."
        ) from error
    differences = asked.differences(made)
    differences += _compare_steps(asked.steps, made.steps, checkpoint)
    if differences:
        raise OtherRunError(
            f"`workdir` {folder!r} holds a run of other flags:"
            f" {one_line('; '.join(differences), 1000)}. Give the flags of that"
            " run, name another workdir, or give --resume=restart, which keeps"
            " the old one under another name."
        )
    if asked.versions != made.versions:
        logging.warning(
            "warning: the checkpoint was written with %s; the picture may"
            " differ in its last bits",
            one_line(", ".join(f"{n} {v}" for n, v in made.versions.items())),
        )
    return checkpoint


def resolve_by_checkpoint(
    config: RunConfig, checkpoint: Checkpoint | None
) -> RunConfig:
    """Resolves `auto` options to their values in the checkpoint."""
    if checkpoint is None:
        return config
    return adopt_choices(config, checkpoint.job["flags"])


def adopt_choices(config: RunConfig, flags: dict[str, str]) -> RunConfig:
    """Resolves `auto` options to their values in a job's flags."""
    flags = flagfile.FORMER_DEFAULTS | flags
    choices = {
        name: flags.get(name, "auto")
        for name in (
            "convolution",
            "jit_compile",
            "num_correction_pairs",
            "precision",
            "tile_size",
        )
    }
    changes = {n: v for n, v in choices.items() if getattr(config, n) == "auto"}
    return dataclasses.replace(config, **changes)


def check_weights(checkpoint: Checkpoint | None, sha256: str) -> None:
    """Refuses to go on with other weights.

    Raises:
        OtherRunError: if the checkpoint's were others.
    """
    if checkpoint is not None and checkpoint.job.get("weights") != sha256:
        raise OtherRunError(
            "`weights` differ from the weights of the workdir's run. Give"
            " those, name another workdir, or add --resume=restart, which"
            " keeps the old one under another name."
        )


def _compare_steps(
    ours: list[int], theirs: list[int], checkpoint: Checkpoint
) -> list[str]:
    """The last level may get more steps, or fewer if it made no more."""
    if ours[:-1] != theirs[:-1]:
        return [f"num_steps was {theirs!s:.80}, now {ours}"]
    made = checkpoint.state.reals("steps", len(ours))
    if made[-1] > ours[-1]:
        return [f"num_steps is now {ours[-1]}, but {made[-1]:.0f} were made"]
    return []


def is_finished(
    config: RunConfig, images: ImageFiles, hash_weights: Callable[[], str]
) -> bool:
    """Returns whether the output is the picture that the config asks for.

    Its film must be there as well, if one is asked for.

    A picture that was cut short says how many steps it has, and so is none. A
    `time_limit` that it kept within does not matter.

    Args:
        config: a resolved one, with `output_image`.
        images: read from the config's files.
        hash_weights: gives the SHA-256 of the weights; asked last.
    """
    if config.film is not None and not os.path.exists(config.film):
        return False
    try:
        made = RunIdentity.from_text(records.read_text(config.output_image))
        bits = read_bits(config.output_image)
    except ImageError:
        return False
    asked = RunIdentity.of_run(config, images)
    return (
        made is not None
        and bits == config.output_bits
        and asked.steps == made.steps
        and not asked.differences(made)
        and made.weights == hash_weights()
    )
