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

# Of loops of other tests, which the collector finds here.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")


def test_gradio_s_own_components_are_left_alone():
    for component in (gr.Image, gr.ImageEditor):
        assert component.preprocess.__module__ == component.__module__
    package = pathlib.Path(pictures.__file__).parent
    assert [*package.glob("*.pyi")] == []


@pytest.fixture
def form_of(tmp_path):
    """Returns the part of a form with the pictures, of a folder of runs."""
    with gr.Blocks():
        made = pictures.Pictures(str(tmp_path))
        made.make_more()
    return made


def paint_layer(path, *strokes):
    """Writes a layer of 8 x 12 pixels with strokes: their colour and rows."""
    layer = np.zeros((8, 12, 4), np.uint8)
    for color, rows in strokes:
        layer[rows] = (*color, 140)
    Image.fromarray(layer).save(path)
    return [str(path)]


def test_regions_become_masks(form_of, tmp_path):
    path = tmp_path / "layer.png"
    second = (pictures.REGION_COLORS[0], slice(0, 3))
    (flag,) = form_of.region_flags(paint_layer(path, second), 2, 0)
    masks = flag.removeprefix("--content_masks=").split(",")
    first, other = (np.asarray(Image.open(mask))[..., 0] for mask in masks)
    assert (other[:3] == 255).all()
    np.testing.assert_array_equal(first, 255 - other)


def test_grey_region_is_kept_and_shown_again(form_of, tmp_path):
    kept = (pictures.KEPT_COLOR, slice(5, 8))
    layers = paint_layer(tmp_path / "layer.png", kept)
    flag, keeping = form_of.region_flags(layers, 1, 0)
    assert keeping == "--keep_unmasked=true"
    (mask,) = flag.removeprefix("--content_masks=").split(",")
    light = np.asarray(Image.open(mask))[..., 0]
    np.testing.assert_array_equal(
        light, np.repeat([[255] * 5 + [0] * 3], 12, 0).T
    )
    content = tmp_path / "content.png"
    Image.new("RGB", (12, 8)).save(content)
    (layer,) = form_of.show_regions(str(content), [mask])["layers"]
    rows = len(layer) * 5 // 8
    assert (layer[:rows, :, 3] == 0).all()
    assert (layer[rows + 1 :, :, :3] == pictures.KEPT_COLOR).all()


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
