"""The check of a GPU, where there is none: what it leaves out."""

import json
import os

import pytest

from tests.processes import run_tool


def check(*arguments):
    """Returns the tool's status, its JSON and what it told on the way."""
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": "-1"}
    done = run_tool(
        "check_gpu", "--json", *arguments, env=environment, timeout=None
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, json.loads(done.stdout), done.stderr.splitlines()


@pytest.mark.slow
def test_without_a_gpu_it_says_what_it_left_out():
    status, found, lines = check()
    assert status == 0
    assert found["machine"]["devices"] == []
    assert {row["verdict"] for row in found["checks"]} == {"left out"}
    assert lines[0] == "evaluations: TensorFlow sees no GPU, left out"
    assert len(lines) == len(found["checks"]) == 6


@pytest.mark.soak
def test_the_cpu_passes_in_a_gpu_s_place():
    status, found, _ = check(
        *("--device=CPU", "--image_sizes=160", "--num_steps=4"),
        "--weights=random",
    )
    verdicts = {row["check"]: row["verdict"] for row in found["checks"]}
    assert status == 0, found
    assert verdicts.pop("out of memory") == "left out"
    assert set(verdicts.values()) == {"passed", "measured"}
    assert verdicts["float32, tiles, 160 px: gradient"] == "passed"
    assert verdicts["export: features"] == "passed"


@pytest.mark.soak
def test_a_check_that_cannot_run_fails():
    status, found, _ = check(
        *("--device=CPU", "--image_sizes=64", "--num_steps=4"),
        "--weights=absent.h5",
    )
    assert status == 1
    (row,) = [r for r in found["checks"] if r["check"] == "replicas"]
    assert row["verdict"] == "FAILED"
    assert "absent.h5" in row["found"]
