"""Provenance: the text in a picture that says how it was made."""

import dataclasses
import os
from collections.abc import Sequence

from tfstyle.config.config import Config
from tfstyle.flags import flagfile


def describe_weights(origin: str, sha256: str) -> dict[str, str]:
    """Returns the fact about the weights, from an extractor's attributes."""
    return {"weights": f"{origin} sha256={sha256}"}


def name_weights(origin: str, config: Config) -> str:
    """Returns weights' origin with the name of their file only, if it is one.

    Args:
        origin: an extractor's, or a fact that begins with it.
        config: that the weights were loaded with.
    """
    return origin.replace(config.weights, os.path.basename(config.weights))


def describe_result(
    losses: dict[str, float], step: int, evaluations: int
) -> dict[str, str]:
    """Returns the fact about what a run came to."""
    counts = f"step={step} evaluations={evaluations}"
    values = [f"{name}={value:.9g}" for name, value in losses.items()]
    return {"result": " ".join([counts, *values])}


def repeat_steps(config: Config, steps: Sequence[int]) -> Config:
    """Returns the config of a run that ends after as many steps by itself.

    It repeats a run that was ended early, such as by a signal.

    Args:
        config: of the run.
        steps: that it made, of each level.
    """
    return dataclasses.replace(config, num_steps=tuple(steps), time_limit=None)


def make_text(config: Config, facts: dict[str, str]) -> str:
    """Returns a flagfile that makes a picture again, with facts as comments."""
    return flagfile.make_text(config.to_flags(only_pixels=True), facts)


def make_published_texts(
    config: Config, facts: dict[str, str], metadata: str
) -> tuple[str, str]:
    """Returns the text inside a picture, and that of the record beside it.

    Args:
        config: of the run.
        facts: by name.
        metadata: `full`: inside, with the paths of files; `names`: inside,
            with their names only; `none`: beside, with their names only.
    """
    if metadata == "full":
        return make_text(config, facts), ""
    named, changes = dict(facts), {}
    if "weights" in named:
        named["weights"] = name_weights(named["weights"], config)
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if not field.metadata["is_path"] or field.metadata["scope"] == "run":
            continue
        if isinstance(value, str):
            changes[field.name] = _name(value)
        elif value:
            changes[field.name] = [_name(path) for path in value]
    text = make_text(dataclasses.replace(config, **changes), named)
    return (text, "") if metadata == "names" else ("", text)


def _name(path: str) -> str:
    """Returns a path without its folders, as a flag may hold it."""
    name = os.path.basename(path)
    return os.path.join(os.curdir, name) if name[:1].isspace() else name
