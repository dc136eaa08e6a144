"""The package as users get it: built, installed elsewhere, run anywhere."""

import os
import subprocess
import sys

import pytest

from tests import ROOT

pytestmark = pytest.mark.slow


def test_installed_wheel_paints_a_preset_from_an_empty_folder(tmp_path):
    dist, site, empty = (tmp_path / name for name in ("dist", "site", "empty"))
    empty.mkdir()
    command = [sys.executable, "-m", "build", "--outdir", dist, ROOT]
    subprocess.run(command, check=True, capture_output=True)
    (wheel,) = dist.glob("*.whl")
    command = [sys.executable, "-m", "pip", "install", "--no-deps"]
    command += ["--quiet", "--target", site, wheel]
    subprocess.run(command, check=True)
    done = subprocess.run(
        [sys.executable, site / "bin" / "tfstyle", "--preset=smoke"],
        cwd=empty,
        env=os.environ | {"PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    (output,) = empty.glob("runs/*/output.png")
    flags = (output.parent / "flags.cfg").read_text()
    assert f"--content_image={site}" in flags
