"""The program as a process, for the tests that watch one."""

import subprocess
import sys

from tests.conftest import ROOT


def start(*arguments, **options):
    """Starts a run; its terminal is read from pipes.

    It heeds SIGINT, even where this process was started to ignore it, as a
    shell does with what it runs in the background.
    """
    return subprocess.Popen(
        [
            *("env", "--default-signal=INT"),
            *(sys.executable, "-m", "tfstyle.main", *map(str, arguments)),
        ],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def finish(process):
    """Returns exit status and stderr."""
    _, stderr = process.communicate(timeout=120)
    return process.returncode, stderr
