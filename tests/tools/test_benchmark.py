"""`tools/benchmark.py` as a process, at a size that measures nothing."""

import json
import subprocess
import sys

import pytest

from tests import ROOT


@pytest.mark.slow
@pytest.mark.weights
def test_child_tells_the_seconds_of_its_evaluations():
    done = subprocess.run(
        [
            *(sys.executable, "tools/benchmark.py"),
            *("--child=direct", "--against_size=32"),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    seconds = json.loads(done.stdout)
    assert len(seconds) == 4
    assert min(seconds) > 0
