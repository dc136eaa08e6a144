"""`tools/make_stimuli.py` as a process."""

import csv

import numpy as np
import pytest
from PIL import Image

from tests import references
from tests.processes import run_tool
from tfstyle.images.resize import fit_size
from tfstyle.images.resize import resize
from tfstyle.network.weights import load_weights

LAYERS = ("block1_conv1", "block2_conv1")
MEAN_BGR = np.array([103.939, 116.779, 123.68])


def run(folder, *flags):
    return run_tool(
        *("make_stimuli", "--weights=random", f"--output={folder}"),
        *("--style=tfstyle/samples/strokes.jpg", "--image_size=32"),
        *("--layers=conv1_1,conv2_1", *flags),
    )


def read_pixels(path):
    with Image.open(path) as picture:
        return np.asarray(picture)


def grams_of(pixels, weights):
    """Returns float64 Gram matrices of pixels, by layer."""
    image = pixels[..., ::-1].astype(np.float64) - MEAN_BGR
    features = references.forward(image, weights, LAYERS[-1])
    return {name: references.gram(features[name]) for name in LAYERS}


@pytest.mark.soak
def test_conditions_and_pictures(samples, tmp_path):
    folder = tmp_path / "stimuli"
    done = run(folder, "--num_steps=120", "--seeds=3,7")
    weights = load_weights("random", 7).layers  # drawn from the last seed
    assert done.returncode == 0, done.stderr
    with open(folder / "stimuli.csv", encoding="utf-8", newline="") as file:
        original, *rows = csv.DictReader(file)
    assert original["file"] == "original.png"
    assert [(r["layers"], r["seed"]) for r in rows] == [
        ("block1_conv1", "3"),
        ("block1_conv1", "7"),
        ("block1_conv1 block2_conv1", "3"),
        ("block1_conv1 block2_conv1", "7"),
    ]
    size = fit_size(*samples[1].shape[:2], 32)
    pixels = read_pixels(folder / "original.png")
    np.testing.assert_array_equal(pixels, resize(samples[1], *size))
    expected = grams_of(pixels, weights)
    for row in (original, *rows):
        pixels = read_pixels(folder / row["file"])
        assert pixels.shape == (int(row["height"]), int(row["width"]), 3)
        assert pixels.shape[:2] == size
        y = pixels @ [0.299, 0.587, 0.114]
        assert float(row["luminance"]) == pytest.approx(y.mean(), abs=0.01)
        assert float(row["contrast"]) == pytest.approx(y.std(), abs=0.01)
        for name, gram in grams_of(pixels, weights).items():
            error = np.linalg.norm(gram - expected[name])
            error /= np.linalg.norm(expected[name])
            assert float(row[f"gram_error/{name}"]) == pytest.approx(
                error, rel=6e-3, abs=1e-5
            )
            if name in row["layers"]:
                assert error < 0.1
    with Image.open(folder / "sheet.png") as sheet:
        assert sheet.width > 2 * size[1]
        assert sheet.height > 3 * size[0]


@pytest.mark.slow
def test_folder_with_something_in_it_is_refused(tmp_path):
    (tmp_path / "stimuli.csv").write_text("of last week")
    done = run(tmp_path)
    assert done.returncode == 2
    assert "`output` must be empty" in done.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["stimuli.csv"]
    assert (tmp_path / "stimuli.csv").read_text() == "of last week"
