"""Suggestions for options whose names are wrong."""

import difflib
from collections.abc import Iterable

SYNONYMS = {
    "alpha": "content_weight",
    "beta": "style_weight",
    "content": "content_image",
    "end_scale": "image_size",
    "iterations": "num_steps",
    "levels": "num_levels",
    "max_iter": "num_steps",
    "model_file": "weights",
    "num_iterations": "num_steps",
    "original_colors": "preserve_colors",
    "output": "output_image",
    "print_iter": "log_every_steps",
    "save_iter": "image_every_steps",
    "size": "image_size",
    "steps": "num_steps",
    "style": "style_images",
    "styles": "style_images",
}
"""Options by their names in the paper and in other programs."""
LEAST_RATIO = 0.75
"""Minimum similarity of a misspelt name, such as `sede` for `seed`."""


def find_similar(name: str, names: Iterable[str]) -> str | None:
    """Returns the most likely name for a wrong one, or None.

    Args:
        name: name that is not one of `names`.
        names: valid names.
    """
    name, names = name.replace("-", "_").lower(), list(names)
    if SYNONYMS.get(name) in names:
        return SYNONYMS[name]
    alike = difflib.get_close_matches(name, names, 1, LEAST_RATIO)
    return alike[0] if alike else None


def suggest(name: str, names: Iterable[str], otherwise: str) -> str:
    """Returns a "Did you mean" hint for a wrong name, or `otherwise`."""
    similar = find_similar(name, names)
    return f"Did you mean {similar}?" if similar else otherwise
