"""How a picture was made, as text that is a flagfile."""

import contextlib
import functools
import importlib
import importlib.resources
import re
from importlib import metadata

from tfstyle.config import lines
from tfstyle.errors import ConfigError
from tfstyle.flags.values import FIELDS
from tfstyle.version import __version__

NAME = "flags.cfg"
"""Of a workdir: the flags of its run."""
OUTPUT = "output.png"
"""Of a workdir: the picture, if no other name is given."""
FIRST_LINE = "# Made by tfstyle; as a --flagfile it makes the picture again."

FORMER_DEFAULTS = {
    "chroma_weight": "0.0",
    "loss_scale": "absolute",
    "padding": "zero",
    "pooling": "average",
    "precision": "float32",
    "preconditioner": "none",
    "style_figures": "all",
}
"""How pictures were made that are older than these flags and do not say."""
RETIRED = {
    "averaging": "0.0",
    "checkpoint_every_steps": "50",
    "recompute": "false",
}
"""Flags of former releases, and the only value that is still supported."""
REPLACED = {"checkpoint_every_steps": "checkpoint_every_seconds"}
"""Which flag does the work of a retired one."""

_PACKAGE = importlib.resources.files("tfstyle")
_VERSIONED = {
    "tensorflow": "tensorflow",
    "keras": "keras",
    "numpy": "numpy",
    "pillow": "PIL",
}
"""Distributions and what is imported from them."""


def make_text(flag_lines: list[str], facts: dict[str, str]) -> str:
    """Writes a flagfile that remakes a picture, with facts as comments.

    Args:
        flag_lines: such as `--seed=0`, of the options that affect the pixels.
        facts: such as hashes and final losses, one line each.
    """
    named = [f"{name} {version}" for name, version in versions().items()]
    comments = [FIRST_LINE, f"# versions: {', '.join(named)}"]
    comments += [f"# {name}: {value}" for name, value in facts.items()]
    written = [lines.write_line(flag, FIELDS) for flag in flag_lines]
    return "\n".join(comments + written) + "\n"


def parse_text(text: str) -> tuple[dict[str, str], dict[str, str]]:
    """Reads flags and facts from a text that `make_text` wrote.

    Args:
        text: of a picture. What is not a flag or a fact is left out.
    """
    flags, facts = {}, {}
    for line in re.split(r"\r\n|\r|\n", text.removeprefix(FIRST_LINE)):
        if line.startswith("--") and "=" in line:
            with contextlib.suppress(ConfigError):
                line = lines.read_line(line, FIELDS) or line
            name, _, value = line[2:].partition("=")
            flags[name] = value
        elif line.startswith("# "):
            name, _, value = line[2:].partition(": ")
            facts[name] = value
    return flags, facts


def modernize(flags: dict[str, str]) -> dict[str, str]:
    """Returns the flags of an older picture or checkpoint as they are today.

    Args:
        flags: values by name, as a former release wrote them.

    Raises:
        ConfigError: if one is not supported by this release.
    """
    for name in RETIRED.keys() & flags.keys():
        check_retired(name, flags[name])
    kept = {n: v for n, v in flags.items() if n not in RETIRED}
    older = {n: v for n, v in FORMER_DEFAULTS.items() if n not in kept}
    return older | kept


def check_retired(name: str, value: str | None) -> None:
    """Refuses a flag of a former release, unless it changes nothing.

    Raises:
        ConfigError: if it does.
    """
    if value != RETIRED[name]:
        remedy = "Leave it out, or use the release that made the picture."
        if name in REPLACED:
            remedy = f"Leave it out, or give `{REPLACED[name]}`."
        raise ConfigError(
            f"`{name}` is no longer a flag. Received: {name}={value!s:.40}."
            f" {remedy}"
        )


def preset_names() -> list[str]:
    """Returns the names of the presets in the package."""
    return sorted(
        entry.name.removesuffix(".cfg")
        for entry in (_PACKAGE / "presets").iterdir()
        if entry.name.endswith(".cfg")
    )


def read_preset(name: str) -> list[str]:
    """Returns the flags of a preset, such as `--seed=0`.

    Its sample images are those in the package, wherever that is installed.

    Raises:
        ConfigError: if there is none of that name.
    """
    if name not in preset_names():
        raise ConfigError(
            f"`preset` must be one of {', '.join(preset_names())}."
            f" Received: preset={name!r:.80}."
        )
    text = (_PACKAGE / "presets" / f"{name}.cfg").read_text(encoding="utf-8")
    flags = [line for line in text.splitlines() if line.startswith("--")]
    samples = f"{_PACKAGE}/samples/"
    return [flag.replace("tfstyle/samples/", samples) for flag in flags]


def versions() -> dict[str, str]:
    """Returns the versions of this package and of its main dependencies."""
    others = {name: _find_version(name) for name in _VERSIONED}
    return {"tfstyle": __version__} | others


@functools.cache
def _find_version(name: str) -> str:
    """Returns the version of a distribution, which may have another name.

    TensorFlow is `tensorflow-cpu`, `tf-nightly` or a vendor's build as well.
    """
    with contextlib.suppress(metadata.PackageNotFoundError):
        return metadata.version(name)
    module = _VERSIONED[name]
    if others := metadata.packages_distributions().get(module):
        return metadata.version(others[0])
    return importlib.import_module(module).__version__
