"""How an option of a Config is declared, and what is said about it."""

import dataclasses
from typing import Any

SCOPES = {
    "picture": "decides the pixels: with another value it is another run",
    "file": "the same, of a file, whose contents count and not its name",
    "end": "says when to end, so that a run may go on with another value",
    "machine": "changes the last bits at most",
    "run": "says what a run writes, and decides no pixel",
}
"""What an option decides. All but those of scope `run` go into the picture."""


def option(
    default: Any,
    group: str,
    text: str,
    *,
    scope: str = "picture",
    choices: tuple[str, ...] = (),
    least: float | None = None,
    most: float | None = None,
    above: float | None = None,
    is_path: bool = False,
    of_batch: bool = False,
):
    """Declares an option.

    Args:
        default: its default.
        group: the heading under which `--help` shows it.
        text: what `--help` says of it.
        scope: one of SCOPES.
        choices: the only values, of a string.
        least: the smallest value, of a number.
        most: the largest value, of a number.
        above: a bound that a number must exceed.
        is_path: whether it may name files.
        of_batch: whether all pictures of a manifest share it.
    """
    metadata = {
        "group": group,
        "help": text,
        "scope": scope,
        "choices": choices,
        "least": least,
        "most": most,
        "above": above,
        "is_path": is_path,
        "of_batch": of_batch,
    }
    return dataclasses.field(default=default, metadata=metadata)
