"""What holds with every TensorFlow: one run of each kind, in few seconds.

`tools/test_versions.sh` runs these with many versions.
"""

import json
import subprocess
import sys

import numpy as np
import pytest

import tfstyle
from tests import ROOT
from tests.processes import PATIENCE
from tfstyle.image_files.reading import read_image

pytestmark = [pytest.mark.compat, pytest.mark.slow]
SMALL = {"weights": "random", "image_size": 64, "num_steps": 4}
SCENE, STROKES = tfstyle.sample("scene"), tfstyle.sample("strokes")


def run(workdir, *arguments, before=()):
    """Runs the program and returns its picture's file."""
    command = [sys.executable, "-m", "tfstyle.main"]
    subprocess.run(
        [
            *(*before, *command, "--flagfile=configs/smoke.cfg"),
            *(*arguments, f"--workdir={workdir}"),
        ],
        cwd=ROOT,
        check=True,
        timeout=PATIENCE,
    )
    return workdir / "output.png"


@pytest.fixture(scope="module")
def straight(tmp_path_factory):
    return run(tmp_path_factory.mktemp("run") / "straight", "--num_steps=6")


def test_resumed_run_gives_the_same_bytes(straight, tmp_path):
    run(tmp_path / "resumed", "--num_steps=3")
    resumed = run(tmp_path / "resumed", "--num_steps=6")
    assert resumed.read_bytes() == straight.read_bytes()


def test_two_processes_paint_as_one(tmp_path):
    flags = ("--optimizer=adam", "--convolution=direct", "--log_every_steps=1")
    launcher = (sys.executable, "tools/launch_local.py", "--workers=2", "--")
    found = []
    for name, before in (("one", ()), ("two", launcher)):
        picture = run(tmp_path / name, *flags, before=before)
        lines = (tmp_path / name / "metrics.jsonl").read_text().splitlines()
        totals = [json.loads(line)["total"] for line in lines]
        found.append((totals, read_image(str(picture)).pixels))
    (totals, pixels), (others, other_pixels) = found
    assert others == pytest.approx(totals, rel=1e-4)
    assert np.abs(pixels.astype(int) - other_pixels).mean() < 0.3


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
def test_each_optimizer_lowers_the_loss_to_the_same_bytes(optimizer):
    first, second = (
        tfstyle.stylize(SCENE, STROKES, optimizer=optimizer, **SMALL)
        for _ in range(2)
    )
    assert first.losses["total"] < 0.9 * first.history[0]["total"]
    np.testing.assert_array_equal(first.pixels, second.pixels)


def test_tiles_equal_the_whole_frame():
    options = {"weights": "random", "image_size": 96, "convolution": "direct"}
    whole, tiles = (
        tfstyle.make_objective(SCENE, STROKES, tile_size=size, **options)
        for size in (0, 48)
    )
    value, gradient = whole(whole.initial_image)
    tiled_value, tiled_gradient = tiles(whole.initial_image)
    assert float(tiled_value) == pytest.approx(float(value), rel=1e-5)
    error = np.abs(tiled_gradient - gradient).max()
    assert error < 1e-4 * np.abs(gradient).max()


def test_exported_features_are_those_of_the_network(tmp_path):
    command = [sys.executable, "-m", "tfstyle.main", "--weights=random"]
    subprocess.run(
        [*command, f"--export_dir={tmp_path / 'model'}"], cwd=ROOT, check=True
    )

    import tensorflow as tf

    model = tf.saved_model.load(str(tmp_path / "model" / "1"))
    (argument,) = model.signatures["gram"].structured_input_signature[1]
    images = tf.constant(SCENE[np.newaxis], tf.float32)
    grams = model.signatures["gram"](**{argument: images})
    expected = tfstyle.gram_matrices(SCENE, ["conv1_1"], weights="random")
    np.testing.assert_allclose(
        grams["block1_conv1"][0],
        expected["conv1_1"],
        rtol=1e-3,
        atol=1e-3 * np.abs(expected["conv1_1"]).max(),
    )
