"""`tools/compare_poolings.py` as a process; what the README says of it."""

import re

import pytest

from tests.processes import run_tool
from tfstyle.image_files.reading import read_image


@pytest.mark.weights
@pytest.mark.soak
def test_max_pooling_passes_on_a_larger_gradient(real_weights, tmp_path):
    done = run_tool(
        *("compare_poolings", "--image_size=96", "--evaluations=8,20"),
        "--content_image=tfstyle/samples/scene.jpg",
        "--style_images=tfstyle/samples/strokes.jpg",
        f"--output={tmp_path}",
    )
    assert done.returncode == 0, done.stderr
    rows = {}
    for line in done.stdout.splitlines():
        name, *numbers = line.split()[:5] or [""]
        if numbers and all(re.fullmatch(r"[\d.e+-]+", n) for n in numbers):
            rows.setdefault(name, []).append([float(n) for n in numbers])
    for pooling in ("average", "max"):
        falling, _ = rows[pooling]
        assert 1 > falling[0] > falling[1] > 0
    assert rows["average"][1][0] < rows["max"][1][0]  # by the average's losses
    assert rows["average"][1][1] > rows["max"][1][1]
    (deepest,), (image,) = rows["block5_conv1"], rows["image"]
    assert deepest[0] == deepest[2] == 1
    assert image[0] < image[2] / 3
    assert 0 < image[1] < deepest[1] < 1
    assert 0 < image[3] < deepest[3] < 1
    sheet = read_image(str(tmp_path / "poolings.png")).pixels
    assert sheet.shape[1] > 2 * 96
