"""Deadlines: end a process that waits too long for others, with an error."""

import contextlib
import faulthandler
import os
import subprocess
from collections.abc import Iterator

from tfstyle.system.interpreter import start_python

REMEDY = "Restart all processes with the same command to resume the run."


def describe_absence(seconds: float) -> str:
    """Returns the error message of a process whose wait timed out."""
    return (
        f"error: Other processes of the cluster were absent or silent for"
        f" {seconds:g} s. Check that they are running, raise --cluster_timeout,"
        f" or use a single process with --strategy=one_device. {REMEDY}\n"
    )


_WRITE_LATER = """
import os, select, sys
if not select.select([0], [], [], float(sys.argv[1]))[0]:
    os.write(2, sys.argv[2].encode())
"""


@contextlib.contextmanager
def deadline_of_start(seconds: float) -> Iterator[None]:
    """Ends the process with a one-line error if a block takes too long.

    This works while TensorFlow holds the GIL, as when it waits for a cluster to
    form: a child process writes the error, and faulthandler's thread ends the
    process.

    Raises:
        SetupError: if the child process cannot be started.
    """
    child = start_python(
        ["-S", "-c", _WRITE_LATER, str(seconds), describe_absence(seconds)],
        stdin=subprocess.PIPE,
    )
    with open(os.devnull, "w") as nowhere:
        later = seconds + 1  # the child needs a moment
        faulthandler.dump_traceback_later(later, exit=True, file=nowhere)
        try:
            yield
        finally:
            faulthandler.cancel_dump_traceback_later()
            child.communicate()
