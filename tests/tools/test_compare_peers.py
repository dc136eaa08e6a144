"""`tools/compare_peers.py` as a process."""

import subprocess
import sys

import numpy as np
import pytest

from tests import ROOT
from tfstyle.images.files import read_image
from tfstyle.images.resize import resize
from tfstyle.images.saving import write_image

SCENE, STROKES = (f"tfstyle/samples/{n}.jpg" for n in ("scene", "strokes"))


def compare(folder, *arguments):
    return subprocess.run(
        [
            *(sys.executable, "tools/compare_peers.py"),
            *(f"--content={SCENE}", f"--style={STROKES}"),
            *("--weights=random", f"--output={folder}/sheet.png"),
            *arguments,
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.mark.slow
def test_sheet_shows_and_measures_what_is_given(tmp_path, samples):
    content = resize(samples[0], 48, 64)
    style = resize(samples[1], 48, 64)
    paths = [str(tmp_path / name) for name in ("content.png", "style.png")]
    for path, pixels in zip(paths, (content, style), strict=True):
        write_image(path, pixels)
    done = compare(tmp_path, f"--ours={paths[0]}", f"--peers=peer={paths[1]}")
    assert done.returncode == 0, done.stderr
    ours, peer, path = done.stdout.splitlines()
    assert "content 0.00" in ours  # the content is its own perfect match
    assert "content 0.00" not in peer
    sheet = read_image(path).pixels
    assert sheet.shape[1] > 4 * 64
    rows = np.flatnonzero((sheet == content[0, 0]).all(-1).any(1))
    assert len(rows)


@pytest.mark.slow
def test_peers_are_names_and_files(tmp_path):
    done = compare(tmp_path, "--peers=picture.png")
    assert done.returncode == 1
    assert "--peers takes NAME=FILE" in done.stdout + done.stderr
