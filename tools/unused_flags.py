"""Refuses flags and arguments that a tool would take and ignore."""

import sys
from collections.abc import Mapping
from typing import NoReturn

from absl import flags


def refuse_flags(
    remedies: Mapping[str, str], flag_values: flags.FlagValues = flags.FLAGS
) -> None:
    """Ends the tool if a flag that it does not use has a value.

    The default changes nothing and is let through, wherever it comes from.

    Args:
        remedies: by the flag's name, why it is not used and what to do.
        flag_values: parsed ones.

    Raises:
        SystemExit: 2, after one line on stderr.
    """
    for name, remedy in remedies.items():
        flag = flag_values[name]
        if flag.value not in (flag.default, None, "", []):
            _refuse(
                f"`{name}` is not used here. Received:"
                f" {flag.serialize()!r:.200}. {remedy}"
            )


def refuse_arguments(arguments: list[str] | None = None) -> None:
    """Ends a tool that has neither flags nor arguments if there are some.

    Args:
        arguments: without the program's name; None: those of this process.

    Raises:
        SystemExit: 2, after one line on stderr.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments:
        _refuse(
            "This tool takes no such arguments. Received:"
            f" {' '.join(arguments)!r:.200}. Leave them out."
        )


def _refuse(message: str) -> NoReturn:
    print(f"error: {message}", file=sys.stderr)
    raise SystemExit(2)
