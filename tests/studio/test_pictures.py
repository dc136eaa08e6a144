"""Uploaded pictures on their way through Gradio."""

import pathlib

import gradio as gr
import numpy as np
import pytest
import requests
from PIL import Image
from PIL import ImageCms

from tests.studio.test_attacks import paint
from tfstyle.flags import flagfile
from tfstyle.studio import pictures
from tools.studio_browser import running_studio


def test_gradio_s_own_components_are_left_alone():
    for component in (gr.Image, gr.ImageEditor):
        assert component.preprocess.__module__ == component.__module__
    package = pathlib.Path(pictures.__file__).parent
    assert [*package.glob("*.pyi")] == []


@pytest.mark.slow
def test_uploads_reach_the_painter_as_they_are(tmp_path):
    deep, turned = tmp_path / "deep.png", tmp_path / "turned.jpg"
    ramp = np.arange(0, 65536, 64, dtype=np.uint16)
    Image.fromarray(ramp.reshape(32, 32)).save(deep)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    exif = Image.Exif()
    exif[0x0112] = 6  # the orientation
    Image.new("RGB", (32, 48), (200, 90, 10)).save(
        turned, icc_profile=profile.tobytes(), exif=exif
    )
    root = tmp_path / "runs"
    with running_studio(root) as (address, _):
        for path in (deep, turned):
            with path.open("rb") as file:
                (uploaded,) = requests.post(
                    f"{address}/gradio_api/upload", files={"files": file}
                ).json()
            status, answer = paint(address, uploaded)
            assert status == 200, answer
    asked = [path.read_text() for path in sorted(root.glob("*/asked.cfg"))]
    for path, text in zip((deep, turned), asked, strict=True):
        flags, _ = flagfile.parse_text(text)
        kept = pathlib.Path(flags["content_image"])
        assert kept.read_bytes() == path.read_bytes()
