"""Resuming: finds the checkpoint of a workdir and detects finished pictures."""

import os
from collections.abc import Callable
from collections.abc import Mapping

from absl import logging

from tfstyle.config.run_config import RunConfig
from tfstyle.errors import CheckpointError
from tfstyle.errors import ConfigError
from tfstyle.errors import ImageError
from tfstyle.errors import one_line
from tfstyle.experiment.checkpoint import Checkpoint
from tfstyle.experiment.checkpoint import read_latest
from tfstyle.experiment.identity import RunIdentity
from tfstyle.experiment.workdir_files import CHECKPOINTS
from tfstyle.image_files import sidecar
from tfstyle.image_files.reading import read_bits
from tfstyle.images.image_set import ImageSet
from tfstyle.training.plan import NOTHING_DECIDED


class OtherRunError(ConfigError):
    """The workdir holds a different run from the requested one."""


def find_checkpoint(
    resume: str, asked: RunIdentity, folder: str
) -> tuple[Checkpoint | None, Mapping[str, str]]:
    """Reads the newest checkpoint of a workdir, if there is one.

    Args:
        resume: the option `resume`: `auto`, `never` or `restart`.
        asked: identity of the requested run.
        folder: the workdir.

    Returns:
        The checkpoint or None, and its options, with those derived from its
        machine.

    Raises:
        CheckpointError: if every checkpoint is damaged or incomplete.
        ConfigError: if there is a checkpoint and `resume` is never.
        OtherRunError: if the checkpoint belongs to another run.
    """
    checkpoint = read_latest(os.path.join(folder, CHECKPOINTS))
    if checkpoint is None:
        return None, NOTHING_DECIDED
    if resume == "never":
        raise ConfigError(
            f"`workdir` {folder!r} contains a run, and `resume` is never."
            " Choose another workdir, or use --resume=restart, which renames"
            " the old one."
        )
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
            f"`workdir` {folder!r} contains a run with other flags:"
            f" {one_line('; '.join(differences), 1000)}. Use the flags of that"
            " run, choose another workdir, or use --resume=restart, which"
            " renames the old one."
        )
    if asked.versions != made.versions:
        logging.warning(
            "warning: the checkpoint was written with %s; the picture may"
            " differ in its last bits",
            one_line(", ".join(f"{n} {v}" for n, v in made.versions.items())),
        )
    return checkpoint, made.flags


def check_weights(checkpoint: Checkpoint | None, run: RunIdentity) -> None:
    """Checks that a run continues with the weights of its checkpoint.

    Raises:
        OtherRunError: if they differ.
    """
    if checkpoint is not None and checkpoint.job.get("weights") != run.weights:
        raise OtherRunError(
            "`weights` differ from the weights of the run in the workdir. Use"
            " the same weights, choose another workdir, or use"
            " --resume=restart, which renames the old one."
        )


def _compare_steps(
    ours: list[int], theirs: list[int], checkpoint: Checkpoint
) -> list[str]:
    """Lists differences in steps that prevent resuming.

    The last level may get more steps, or fewer down to the number made.
    """
    if ours[:-1] != theirs[:-1]:
        return [f"num_steps was {theirs!s:.80}, now {ours}"]
    made = checkpoint.state.reals("steps", len(ours))
    if made[-1] > ours[-1]:
        return [f"num_steps is now {ours[-1]}, but {made[-1]:.0f} were made"]
    return []


def is_finished(
    config: RunConfig, images: ImageSet, hash_weights: Callable[[], str]
) -> bool:
    """True if the output exists and is the finished picture of the config.

    A requested film must exist as well. A picture of a run that was stopped
    early has fewer steps in its metadata, and so is not finished. A
    `time_limit` that was not reached does not matter.

    Args:
        config: the options, with `output_image`.
        images: input images of the run.
        hash_weights: function that returns the SHA-256 of the weights; called
            last.
    """
    if config.film is not None and not os.path.exists(config.film):
        return False
    try:
        made = RunIdentity.from_text(sidecar.read_text(config.output_image))
        bits = read_bits(config.output_image)
    except ImageError:
        return False
    asked = RunIdentity.of_request(config, images)
    return (
        made is not None
        and bits == config.output_bits
        and asked.steps == made.steps
        and not asked.differences(made)
        and made.weights == hash_weights()
    )
