"""Results: pictures and what is written of them."""

import os

import numpy as np
import pytest
from PIL import Image
from PIL import ImageShow

import tfstyle
from tests.refusals import refuses
from tfstyle.errors import SetupError

SMALL = {"weights": "random", "image_size": 32, "num_steps": 1}


class Viewer(ImageShow.Viewer):
    """Viewer that keeps what it shows."""

    def __init__(self):
        self.shown = []

    def show_image(self, image, **options):
        """Keeps the picture."""
        self.shown.append(np.array(image))
        return 1


def test_content_and_picture_are_shown_side_by_side(monkeypatch):
    viewer, red = Viewer(), Image.new("RGB", (64, 32), "red")
    monkeypatch.setattr(ImageShow, "_viewers", [viewer])
    stylizer = tfstyle.Stylizer(**SMALL)
    result, texture = stylizer(red, red), stylizer(None, red)
    for picture in (result, texture):
        picture.show()
    content = np.full((16, 32, 3), (255, 0, 0), np.uint8)
    np.testing.assert_array_equal(viewer.shown[0][:, :32], content)
    np.testing.assert_array_equal(viewer.shown[0][:, 32:], result.pixels)
    np.testing.assert_array_equal(viewer.shown[1], texture.pixels)
    monkeypatch.setattr(ImageShow, "_viewers", [])
    with pytest.raises(SetupError, match="Save the picture"):
        result.show()


def test_result_does_not_replace_what_it_was_made_of(tmp_path):
    for name in ("content", "style"):
        Image.new("RGB", (32, 32), "red").save(tmp_path / f"{name}.png")
    result = tfstyle.stylize(
        tmp_path / "content.png",
        [tmp_path / "style.png", Image.new("RGB", (32, 32), "blue")],
        **SMALL,
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
