"""Estimates of time and memory, from runs whose speed is known."""

import json

import pytest
from PIL import Image

from tfstyle.config.config import Config
from tfstyle.studio import estimates

WIDTH, HEIGHT = 64, 48
START, SECOND = 5.0, 0.5


def write_run(root, name, num_steps=4):
    """Writes the metrics of a run of one level: 5 s, then 0.5 s a step."""
    (root / name).mkdir()
    lines = [
        {
            "step": step,
            "level": 0,
            "height": HEIGHT,
            "width": WIDTH,
            "seconds": START + SECOND * step,
            "total": 1.0,
        }
        for step in range(num_steps)
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (root / name / "metrics.jsonl").write_text(text)


def test_time_is_that_of_earlier_runs_by_steps_and_pixels(tmp_path):
    root = str(tmp_path)
    config = Config(image_size=2 * WIDTH, num_levels=1, num_steps=(10,))
    needs = estimates.estimate_needs(root, config, (HEIGHT, WIDTH))
    assert needs.seconds is None
    assert "about" not in str(needs)
    write_run(tmp_path, "a")
    needs = estimates.estimate_needs(root, config, (HEIGHT, WIDTH))
    assert needs.seconds == pytest.approx(START + 10 * 4 * SECOND)
    assert str(needs).startswith("about 25 s, ")


def test_level_costs_a_start_and_its_own_pixels(tmp_path):
    write_run(tmp_path, "a")
    config = Config(image_size=2 * WIDTH, num_levels=2, num_steps=(10, 20))
    needs = estimates.estimate_needs(str(tmp_path), config, (HEIGHT, WIDTH))
    expected = 2 * START + (10 + 20 * 4) * SECOND
    assert needs.seconds == pytest.approx(expected)


def test_run_of_one_step_tells_no_speed(tmp_path):
    write_run(tmp_path, "a", num_steps=1)
    assert estimates.find_speed(str(tmp_path)) is None


def test_larger_picture_needs_more_memory(tmp_path):
    small, large = (
        estimates.estimate_needs(str(tmp_path), Config(image_size=size), (3, 4))
        for size in (256, 1024)
    )
    assert large.memory > 1.5 * small.memory


def test_needs_of_a_command_line_are_those_of_its_picture(tmp_path):
    path = tmp_path / "a.png"
    Image.new("RGB", (WIDTH, HEIGHT)).save(path)
    write_run(tmp_path, "a")
    arguments = [f"--content_image={path}", f"--style_images={path}"]
    small = ["--image_size=64", "--num_steps=10", "--num_levels=1"]
    needs = estimates.needs_of(str(tmp_path), [*arguments, *small])
    assert needs.seconds == pytest.approx(START + 10 * SECOND)
    for others in (["--seed=x"], ["--content_video=a.mp4"], []):
        none = [*others, "--style_images="]
        assert estimates.needs_of(str(tmp_path), none) is None
