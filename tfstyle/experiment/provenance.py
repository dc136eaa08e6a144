"""Provenance: metadata in a picture that describes how it was made."""

import dataclasses
import os
import re
from collections.abc import Sequence

from tfstyle.config.config import Config
from tfstyle.flags import flagfile
from tfstyle.system.paths import is_address


def describe_weights(extractor) -> dict[str, str]:
    """Returns the fact `weights` of an extractor: their origin and SHA-256."""
    return {"weights": f"{extractor.origin} sha256={extractor.sha256}"}


def name_weights(origin: str, config: Config) -> str:
    """Reduces the path in the weights' origin to the name of the file.

    Args:
        origin: origin of the weights, or a fact that begins with it.
        config: options that the weights were loaded with.
    """
    return origin.replace(config.weights, _name(config.weights))


def describe_result(made) -> dict[str, str]:
    """Returns the fact `result`: steps, evaluations and final losses.

    Args:
        made: `Result` of the training, or a `Painting` of the library.
    """
    counts = f"step={made.step} evaluations={made.evaluations}"
    values = [f"{name}={value:.9g}" for name, value in made.losses.items()]
    return {"result": " ".join([counts, *values])}


def repeat_steps(config: Config, steps: Sequence[int]) -> Config:
    """Returns a config that reproduces a run that was stopped early.

    Args:
        config: options of the run.
        steps: number of update steps made per level, coarsest first.
    """
    return dataclasses.replace(config, num_steps=tuple(steps), time_limit=None)


def make_text(config: Config, facts: dict[str, str]) -> str:
    """Returns a flagfile that reproduces a picture, with facts as comments."""
    return flagfile.make_text(config.to_flags(only_pixels=True), facts)


def make_published_texts(
    config: Config, facts: dict[str, str], metadata: str
) -> tuple[str, str]:
    """Returns the metadata text of a picture and the text of its sidecar file.

    Args:
        config: options of the run.
        facts: facts by name.
        metadata: `full` embeds paths of files; `names` embeds file names only;
            `none` puts the text, with file names only, in the sidecar.

    Returns:
        Both texts; the unused one is empty.
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
    """Returns a path without its folders, in a form that flags can hold.

    Of a web address nothing follows the file's name, as that may be secret.
    """
    if is_address(path):
        path = re.split("[?#]", path)[0]
    name = os.path.basename(path)
    return os.path.join(os.curdir, name) if name[:1].isspace() else name
