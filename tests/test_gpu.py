"""A GPU does what the CPU does, where there is one."""

import json

import pytest
import tensorflow as tf

from tests.processes import run_tool


@pytest.mark.gpu
@pytest.mark.soak
@pytest.mark.skipif(
    not tf.config.list_physical_devices("GPU"), reason="there is no GPU"
)
def test_gpu_passes_every_check():
    done = run_tool("check_gpu", "--json", timeout=None)
    rows = json.loads(done.stdout)["checks"]
    assert [row for row in rows if row["verdict"] == "FAILED"] == []
    assert done.returncode == 0
