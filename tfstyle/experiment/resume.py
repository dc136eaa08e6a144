"""Resuming: the run that a workdir holds, the picture that is finished."""

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
    """A workdir holds a run that is not the one that is asked for."""


def find_checkpoint(
    resume: str, asked: RunIdentity, folder: str
) -> tuple[Checkpoint | None, Mapping[str, str]]:
    """Reads the newest checkpoint of a workdir, if there is one.

    Args:
        resume: the option: `auto`, `never` or `restart`.
        asked: the run that is asked for.
        folder: the workdir.

    Returns:
        The checkpoint, and options that were decided by its machine.

    Raises:
        CheckpointError: if every checkpoint is damaged, or describes no run.
        ConfigError: if `resume` is never.
        OtherRunError: if it is of another run.
    """
    checkpoint = read_latest(os.path.join(folder, CHECKPOINTS))
    if checkpoint is None:
        return None, NOTHING_DECIDED
    if resume == "never":
        raise ConfigError(
            f"`workdir` {folder!r} holds a run, and `resume` is never. Name"
            " another workdir, or give --resume=restart, which keeps the old"
            " one under another name."
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
    return checkpoint, made.decided


def check_weights(checkpoint: Checkpoint | None, run: RunIdentity) -> None:
    """Checks that a run continues with the weights of its checkpoint.

    Raises:
        OtherRunError: if they differ.
    """
    if checkpoint is not None and checkpoint.job.get("weights") != run.weights:
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
    config: RunConfig, images: ImageSet, hash_weights: Callable[[], str]
) -> bool:
    """True if the output is the picture that the config asks for.

    Its film must be there as well, if one is asked for.

    A picture that was cut short says how many steps it has, and so is none. A
    `time_limit` that it kept within does not matter.

    Args:
        config: the options, with `output_image`.
        images: of the run.
        hash_weights: gives the SHA-256 of the weights; asked last.
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
