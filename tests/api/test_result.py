"""Results: pictures and what is written of them."""

import os

from PIL import Image

import tfstyle
from tests.refusals import refuses


def test_result_does_not_replace_what_it_was_made_of(tmp_path):
    for name in ("content", "style"):
        Image.new("RGB", (32, 32), "red").save(tmp_path / f"{name}.png")
    result = tfstyle.stylize(
        tmp_path / "content.png",
        [tmp_path / "style.png", Image.new("RGB", (32, 32), "blue")],
        weights="random",
        image_size=32,
        num_steps=1,
    )
    for path in (tmp_path / "content.png", f"{tmp_path}/./style.png"):
        before = (tmp_path / "content.png").read_bytes()
        with refuses("path", os.path.basename(path)):
            result.save(path)
        assert (tmp_path / "content.png").read_bytes() == before
    result.save(tmp_path / "painted.png")
    result.save(tmp_path / "painted.png")
    with refuses("path", "https://a/painted.png"):
        result.save("https://a/painted.png")
