"""Going on with the run that a workdir holds, if it is the same run."""

import dataclasses
import os
from typing import Any

from absl import logging

from tfstyle.config import flagfile
from tfstyle.config.config import Config
from tfstyle.config.validation import INITS
from tfstyle.config.validation import ConfigError
from tfstyle.errors import one_line
from tfstyle.experiment.checkpoint import Checkpoint
from tfstyle.experiment.checkpoint import read_latest
from tfstyle.experiment.inputs import ImageFiles
from tfstyle.training.state import CheckpointError

FOLDER = "checkpoints"


class OtherRunError(ConfigError):
    """A workdir holds a run that is not the one that is asked for."""


def describe_job(config: Config, images: ImageFiles) -> dict[str, Any]:
    """Returns what decides a run, but for the weights, as JSON."""
    if config.init not in INITS:
        config = dataclasses.replace(config, init="file")
    pairs = [line[2:].partition("=") for line in config.to_flags()]
    decides = {
        f.name
        for f in dataclasses.fields(config)
        if f.metadata["scope"] == "picture"
    }
    return {
        "flags": {name: text for name, _, text in pairs if name in decides},
        "steps": list(config.steps_by_level),
        "images": images.describe(),
        "versions": flagfile.versions(),
    }


def find_checkpoint(
    config: Config, images: ImageFiles, folder: str
) -> Checkpoint | None:
    """Reads the newest checkpoint of a workdir, if there is one.

    Raises:
        CheckpointError: if none that is there is whole or tells its run.
        ConfigError: if `resume` is never.
        OtherRunError: if it is of another run.
    """
    checkpoint = read_latest(os.path.join(folder, FOLDER))
    if checkpoint is None:
        return None
    if config.resume == "never":
        raise ConfigError(
            f"`workdir` {folder!r} holds a run, and `resume` is never. Name"
            " another workdir, or give --resume=restart, which keeps the old"
            " one under another name."
        )
    ours, theirs = describe_job(config, images), checkpoint.job
    for name, value in ours.items():
        if not _is_alike(theirs.get(name), value):
            raise CheckpointError(
                f"The checkpoint {checkpoint.path!r} does not tell its {name}."
            )
    differences = _compare_flags(ours["flags"], theirs["flags"])
    differences += _compare_images(ours["images"], theirs["images"])
    differences += _compare_steps(ours["steps"], theirs["steps"], checkpoint)
    if differences:
        raise OtherRunError(
            f"`workdir` {folder!r} holds a run of other flags:"
            f" {one_line('; '.join(differences), 1000)}. Give those it had,"
            " name another workdir, or give --resume=restart, which keeps the"
            " old one under another name."
        )
    if ours["versions"] != theirs["versions"]:
        logging.warning(
            "warning: the checkpoint was written with %s; the picture may"
            " differ in its last bits",
            one_line(
                ", ".join(f"{n} {v}" for n, v in theirs["versions"].items())
            ),
        )
    return checkpoint


def settle(config: Config, checkpoint: Checkpoint | None) -> Config:
    """Returns a config whose `auto`s are what they were in the checkpoint."""
    if checkpoint is None:
        return config
    return adopt(config, checkpoint.job["flags"])


def adopt(config: Config, flags: dict[str, str]) -> Config:
    """Returns a config whose `auto`s are what they are in a job's flags."""
    settled = {
        name: flags.get(name, "auto")
        for name in ("convolution", "jit_compile", "tile_size")
    }
    changes = {n: v for n, v in settled.items() if getattr(config, n) == "auto"}
    return dataclasses.replace(config, **changes)


def compare_jobs(ours: dict[str, Any], theirs: dict[str, Any]) -> list[str]:
    """Returns what differs between two descriptions, in words."""
    differences = _compare_flags(ours["flags"], theirs["flags"])
    differences += _compare_images(ours["images"], theirs["images"])
    others = ours.keys() - {"flags", "images"}
    return differences + [
        f"{name} were {theirs[name]}, now {ours[name]}"
        for name in sorted(others)
        if ours[name] != theirs[name]
    ]


def check_weights(checkpoint: Checkpoint | None, sha256: str) -> None:
    """Refuses to go on with other weights.

    Raises:
        OtherRunError: if the checkpoint's were others.
    """
    if checkpoint is not None and checkpoint.job.get("weights") != sha256:
        raise OtherRunError(
            "`weights` are others than those of the workdir's run. Give those"
            " it had, name another workdir, or give --resume=restart, which"
            " keeps the old one under another name."
        )


def _is_alike(theirs: Any, ours: dict[str, str] | list[int]) -> bool:
    """Returns whether what a file tells is of the kind that we write."""
    if type(theirs) is not type(ours):
        return False
    if isinstance(theirs, dict):
        return all(type(text) is str for text in theirs.values())
    return all(type(number) is int for number in theirs)


def _compare_flags(ours: dict[str, str], theirs: dict[str, str]) -> list[str]:
    differences = []
    for name in sorted(ours.keys() | theirs.keys()):
        own, other = ours.get(name), theirs.get(name)
        if own != other and own != "auto":
            had = "not given" if other is None else f"{other:.80}"
            given = "not given" if own is None else own
            differences.append(f"{name} was {had}, now {given}")
    return differences


def _compare_images(ours: dict[str, str], theirs: dict[str, str]) -> list[str]:
    return [
        f"{name} is another picture"
        for name in sorted(ours.keys() | theirs.keys())
        if ours.get(name) != theirs.get(name)
    ]


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
