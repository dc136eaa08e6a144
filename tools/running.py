"""Runs a tool that takes only flags; prints expected errors as one line."""

import functools
from collections.abc import Callable

from absl import app

from tfstyle.main import run_expecting_errors


def run(main: Callable[[], int | None]) -> None:
    """Parses the command line, runs a function and exits with its status."""
    app.run(functools.partial(_start, main))


def _start(main: Callable[[], int | None], argv: list[str]) -> int | None:
    if len(argv) > 1:
        raise app.UsageError(f"Flags begin with --. Received: {argv[1:]}")
    return run_expecting_errors(main)
