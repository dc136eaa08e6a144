"""The program as a process, for the tests that watch one."""

import subprocess
import sys

from tests.conftest import ROOT


def start(*arguments, **options):
    """Starts a run; its terminal is read from pipes."""
    return subprocess.Popen(
        [sys.executable, "-m", "tfstyle.main", *map(str, arguments)],
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
