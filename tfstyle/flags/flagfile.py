"""Text stored in a picture: its flags and facts, as a flagfile."""

import contextlib
import functools
import importlib
import pathlib
import re
from importlib import metadata

from tfstyle.config import lines
from tfstyle.errors import ConfigError
from tfstyle.flags.values import FIELDS
from tfstyle.version import __version__

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
"""Values of flags that did not exist yet when an older picture was made."""
NAME = "flags.cfg"
"""File name of a run's flags in its workdir."""
OUTPUT = "output.png"
"""Default file name of the picture in the workdir."""
RETIRED = {
    "averaging": "0.0",
    "checkpoint_every_steps": "50",
    "recompute": "false",
}
"""Flags of former releases, with the only value still accepted."""

_PACKAGE = pathlib.Path(__file__).parents[1]
_PRESETS = _PACKAGE / "presets"
_VERSIONED = {
    "tensorflow": "tensorflow",
    "keras": "keras",
    "numpy": "numpy",
    "pillow": "PIL",
}
"""Module names by distribution."""


def make_text(flag_lines: list[str], facts: dict[str, str]) -> str:
    """Returns a flagfile that reproduces a picture, with facts as comments.

    Args:
        flag_lines: flags that affect the pixels, such as `--seed=0`.
        facts: values by name, such as hashes and final losses.
    """
    named = [f"{name} {version}" for name, version in versions().items()]
    comments = [FIRST_LINE, f"# versions: {', '.join(named)}"]
    comments += [f"# {name}: {value}" for name, value in facts.items()]
    written = [lines.write_line(flag, FIELDS) for flag in flag_lines]
    return "\n".join(comments + written) + "\n"


def parse_text(text: str) -> tuple[dict[str, str], dict[str, str]]:
    """Parses the flags and facts of a text written by `make_text`.

    Args:
        text: text of a picture; lines of any other form are ignored.

    Returns:
        Flags and facts, each as values by name.
    """
    flags, facts = {}, {}
    for line in re.split(r"\r\n|\r|\n", text.removeprefix(FIRST_LINE)):
        if line.startswith("--") and "=" in line:
            flag = lines.read_line(line, FIELDS)
            name, _, value = flag[2:].partition("=")
            flags[name] = value
        elif line.startswith("# "):
            name, _, value = line[2:].partition(": ")
            facts[name] = value
    return flags, facts


def modernize(flags: dict[str, str]) -> dict[str, str]:
    """Converts the flags of an older picture or checkpoint to this release.

    Args:
        flags: values by name, as written by a former release.

    Raises:
        ConfigError: if a value is not supported by this release.
    """
    for name in RETIRED.keys() & flags.keys():
        check_retired(name, flags[name])
    kept = {n: v for n, v in flags.items() if n not in RETIRED}
    older = {n: v for n, v in FORMER_DEFAULTS.items() if n not in kept}
    return older | kept


def check_retired(name: str, value: str) -> None:
    """Checks that a flag of a former release has no effect.

    Raises:
        ConfigError: if its value is no longer supported.
    """
    if value != RETIRED[name]:
        raise ConfigError(
            f"`{name}` is no longer a flag. Received: {name}={value:.40}. Leave"
            " it out, or use the release that made the picture."
        )


def preset_names() -> list[str]:
    """Returns the names of the presets shipped with the package."""
    return sorted(path.stem for path in _PRESETS.glob("*.cfg"))


def read_preset(name: str) -> list[str]:
    """Returns the flags of a preset, such as `--seed=0`.

    Paths of sample images point into the installed package.

    Raises:
        ConfigError: if there is no preset of that name.
    """
    if name not in preset_names():
        raise ConfigError(
            f"`preset` must be one of {', '.join(preset_names())}."
            f" Received: preset={name!r:.80}."
        )
    text = (_PRESETS / f"{name}.cfg").read_text(encoding="utf-8")
    flags = [line for line in text.splitlines() if line.startswith("--")]
    samples = f"{_PACKAGE}/samples/"
    return [flag.replace("tfstyle/samples/", samples) for flag in flags]


def versions() -> dict[str, str]:
    """Returns the versions of this package and of its main dependencies."""
    others = {name: _find_version(name) for name in _VERSIONED}
    return {"tfstyle": __version__} | others


@functools.cache
def _find_version(name: str) -> str:
    """Returns the version of a distribution or of one with the same module.

    TensorFlow may also be `tensorflow-cpu`, `tf-nightly` or a vendor's build.
    Its pre-releases install `keras-nightly` beside `keras`, into the same
    folder: then only the module knows its version.
    """
    module = _VERSIONED[name]
    if not _is_installed(f"{name}-nightly"):
        with contextlib.suppress(metadata.PackageNotFoundError):
            return metadata.version(name)
        if others := metadata.packages_distributions().get(module):
            return metadata.version(others[0])
    return importlib.import_module(module).__version__


def _is_installed(name: str) -> bool:
    """Returns whether a distribution of that name is installed."""
    with contextlib.suppress(metadata.PackageNotFoundError):
        return bool(metadata.version(name))
    return False
