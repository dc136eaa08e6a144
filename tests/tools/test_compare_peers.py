"""`tools/compare_peers.py` as a process."""

import json

import numpy as np
import pytest

from tests import references
from tests.processes import run_tool
from tfstyle.image_files.reading import read_image
from tfstyle.image_files.writing import write_image
from tfstyle.images.resize import resize
from tfstyle.network.weights import load_weights
from tools import ripples

SCENE, STROKES = (f"tfstyle/samples/{n}.jpg" for n in ("scene", "strokes"))
STYLE_LAYERS = [f"block{block}_conv1" for block in range(1, 6)]
MEAN_BGR = np.array([103.939, 116.779, 123.68])
FLOAT32 = 1e-3  # of a float32 network, by its relative errors


def compare(folder, *arguments):
    return run_tool(
        *("compare_peers", f"--content={SCENE}", f"--style={STROKES}"),
        *("--weights=random", f"--output={folder}/sheet.png", *arguments),
    )


def features_of(pixels, weights):
    """Returns float64 features of the network with maximum pooling."""
    image = pixels[..., ::-1].astype(np.float64) - MEAN_BGR
    return references.forward(image, weights, STYLE_LAYERS[-1], "max")


def relative_error(found, expected):
    return ((found - expected) ** 2).sum() / (expected**2).sum()


@pytest.mark.soak
def test_sheet_shows_and_measures_what_is_given(tmp_path, samples):
    # Ours is the content, narrower than it is, and the peer is the style.
    content = resize(samples[0], 66, 96)
    whole, style = (resize(sample, 72, 96) for sample in samples)
    paths = [str(tmp_path / name) for name in ("content.png", "style.png")]
    for path, pixels in zip(paths, (content, style), strict=True):
        write_image(path, pixels)
    done = compare(tmp_path, f"--ours={paths[0]}", f"--peers=peer={paths[1]}")
    assert done.returncode == 0, done.stderr
    sheet = read_image(str(tmp_path / "sheet.png")).pixels
    assert sheet.shape[1] > 4 * 96
    assert any(
        np.array_equal(sheet[y : y + 66, x : x + 96], content)
        for y, x in np.argwhere((sheet == content[0, 0]).all(-1))
    )
    rows = json.loads((tmp_path / "sheet.json").read_text())
    names = [row.pop("name") for row in rows]
    assert names == ["content", "style", "tfstyle", "peer"]
    assert rows[2:] == rows[:2]
    ours, peer = rows[2:]
    weights = load_weights("random").layers
    of_ours, of_whole, of_peer = (
        features_of(pixels, weights) for pixels in (content, whole, style)
    )
    expected = [
        relative_error(*(references.gram(x[n]) for x in (of_ours, of_peer)))
        for n in STYLE_LAYERS
    ]
    errors = [*ours["style_errors"].values()]
    assert errors == pytest.approx(expected, rel=FLOAT32)
    assert ours["style_error"] == pytest.approx(np.mean(expected), rel=FLOAT32)
    assert ours["content_error"] == peer["style_error"] == 0
    assert peer["content_error"] == pytest.approx(
        relative_error(*(x["block4_conv2"] for x in (of_peer, of_whole))),
        rel=FLOAT32,
    )
    for row, pixels, own in ((ours, content, content), (peer, style, whole)):
        levels = ripples.compare_ripples(pixels, own, style)
        assert [*row["ripples_db"].values()] == pytest.approx(levels[0])
        assert [*row["quiet_ripples_db"].values()] == pytest.approx(levels[1])
        levels = ripples.compare_ripples(pixels, own, style, [(2.5, 4.2)])
        assert row["fine_ripples_db"] == pytest.approx(levels[1, 0])
    assert done.stdout.splitlines()[-1] == f"{tmp_path}/sheet.png"


@pytest.mark.soak
@pytest.mark.parametrize(
    ("peers", "message"),
    [
        ("picture.png", "`peers` must be NAME=FILE"),
        ("tfstyle=a.png", "`peers` must have different names"),
        ("peer=a.png,peer=b.png", "`peers` must have different names"),
        # Too few pixels for ripples: of the peer, or of the style.
        ("peer=FOLDER/40.png", "64x40"),
        ("peer=FOLDER/64.png", "64x48"),
    ],
)
def test_peers_are_names_and_files_of_enough_pixels(
    tmp_path, samples, peers, message
):
    for height in (40, 64):
        path = str(tmp_path / f"{height}.png")
        write_image(path, resize(samples[0], height, 64))
    done = compare(
        tmp_path, f"--peers={peers.replace('FOLDER', str(tmp_path))}"
    )
    assert done.returncode
    assert message in done.stderr.splitlines()[-1]
    assert "tfstyle:" not in done.stdout  # nothing is painted before
