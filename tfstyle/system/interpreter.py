"""Child processes that run the same Python interpreter."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence

from tfstyle.errors import SetupError


def start_python(arguments: Sequence[str], **options) -> subprocess.Popen:
    """Starts a child process with the same Python interpreter.

    Args:
        arguments: arguments of Python.
        **options: keyword arguments of `subprocess.Popen`.

    Raises:
        SetupError: if there is no interpreter, as in a paint program that
            embeds Python, or no process can be started.
    """
    python = sys.executable or ""
    if not os.path.basename(python).startswith("python"):
        raise SetupError(
            "A child process needs a Python interpreter, which"
            f" {python!r} is not. Start `python -m tfstyle.main` or"
            " `python -m tfstyle.studio`."
        )
    try:
        return subprocess.Popen([python, *arguments], **options)
    except OSError as error:
        raise SetupError(
            f"A child process of {python!r} cannot be started"
            f" ({error.strerror}). Check that the file exists, and the limit of"
            " processes (ulimit -u, or that of the container)."
        ) from error


def describe_end(status: int) -> str:
    """Describes the end of a child process, as the end of a sentence.

    Args:
        status: `Popen.returncode`, not 0; negative for a signal.
    """
    if status == -signal.SIGKILL:
        return "was killed, as the system does for lack of memory"
    if status < 0:
        return f"was ended by {signal.Signals(-status).name}"
    if status in (126, 127):
        return f"could not be started (status {status})"
    return f"ended with status {status}"
