"""How a picture was made, as text that is a flagfile."""

import hashlib
from importlib import metadata

import numpy as np

from tfstyle import __version__

FIRST_LINE = "# Made by tfstyle; as a --flagfile it makes the picture again."

_PACKAGES = ("tensorflow", "keras", "numpy", "pillow")


def make_text(flag_lines: list[str], facts: dict[str, str]) -> str:
    """Writes a flagfile that remakes a picture, with facts as comments.

    Args:
        flag_lines: such as `--seed=0`; what decides the picture, no more.
        facts: such as hashes and final losses, one line each.
    """
    named = [f"{name} {version}" for name, version in versions().items()]
    lines = [FIRST_LINE, f"# versions: {', '.join(named)}"]
    lines += [f"# {name}: {value}" for name, value in facts.items()]
    return "\n".join(lines + flag_lines) + "\n"


def parse_text(text: str) -> tuple[dict[str, str], dict[str, str]]:
    """Returns the flags and the facts of what `make_text` wrote.

    Args:
        text: of a picture. What is not a flag or a fact is left out.
    """
    flags, facts = {}, {}
    for line in text.removeprefix(FIRST_LINE).splitlines():
        if line.startswith("--"):
            name, _, value = line[2:].partition("=")
            flags[name] = value
        elif line.startswith("# "):
            name, _, value = line[2:].partition(": ")
            facts[name] = value
    return flags, facts


def versions() -> dict[str, str]:
    """Returns the versions of this package and of those it computes with."""
    others = {name: metadata.version(name) for name in _PACKAGES}
    return {"tfstyle": __version__} | others


def describe_image(pixels: np.ndarray) -> str:
    """Returns an image's size and the SHA-256 of its pixels.

    Args:
        pixels: uint8 `[H, W, 3]`, as read, before any resizing.
    """
    height, width = pixels.shape[:2]
    digest = hashlib.sha256(f"{height}x{width}".encode())
    digest.update(np.ascontiguousarray(pixels).data)
    return f"{width}x{height} sha256={digest.hexdigest()}"
