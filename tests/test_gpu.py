"""A GPU does what the CPU does, where there is one."""

import json
import subprocess
import sys

import pytest
import tensorflow as tf

from tests import ROOT


@pytest.mark.gpu
@pytest.mark.soak
@pytest.mark.skipif(
    not tf.config.list_physical_devices("GPU"), reason="there is no GPU"
)
def test_gpu_passes_every_check():
    done = subprocess.run(
        [sys.executable, "tools/check_gpu.py", "--json"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    rows = json.loads(done.stdout)["checks"]
    assert [row for row in rows if row["verdict"] == "FAILED"] == []
    assert done.returncode == 0
