"""The sample images, and the script that paints them."""

import importlib.util
import itertools

import numpy as np
import pytest
from PIL import Image

from tests import ROOT

SAMPLES = ROOT / "tfstyle" / "samples"
NAMES = ("mosaic.jpg", "scene.jpg", "strokes.jpg")
REPAINTED = 0.5  # grey levels, mean; another libm or libjpeg, not another seed
JPEG = 3  # grey levels, mean; quality 90 of grainy pictures


@pytest.fixture(scope="module")
def script():
    path = ROOT / "tools" / "make_samples.py"
    spec = importlib.util.spec_from_file_location("make_samples", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def painted(script, tmp_path_factory):
    """Returns the folder into which the script has painted."""
    return paint(script, tmp_path_factory.mktemp("painted"))


def paint(script, folder):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(script, "SAMPLES", folder)
        script.main()
    return folder


def read(path):
    with Image.open(path) as image:
        return np.asarray(image, float)


@pytest.mark.parametrize("name", NAMES)
def test_sample_is_a_small_jpeg_of_768_by_576_pixels(name):
    path = SAMPLES / name
    assert path.stat().st_size < 300_000
    with Image.open(path) as image:
        assert image.format == "JPEG"
        assert image.mode == "RGB"
        assert image.size == (768, 576)


def test_samples_are_different_pictures():
    assert sorted(path.name for path in SAMPLES.glob("*.jpg")) == list(NAMES)
    pictures = [read(SAMPLES / name) for name in NAMES]
    for picture, other in itertools.combinations(pictures, 2):
        assert np.abs(picture - other).mean() > 20
    for picture in pictures:
        assert (picture.std((0, 1)) > 20).all()


def test_script_writes_into_the_package(script):
    assert script.SAMPLES.resolve() == SAMPLES.resolve()


@pytest.mark.soak
@pytest.mark.parametrize("name", NAMES)
def test_script_paints_the_committed_sample(painted, name):
    difference = np.abs(read(painted / name) - read(SAMPLES / name))
    assert difference.mean() < REPAINTED


def test_scene_is_painted_the_same_again(script):
    scene = script.paint_scene()
    assert scene.dtype == np.uint8
    assert scene.shape == (576, 768, 3)
    assert np.abs(scene - read(SAMPLES / "scene.jpg")).mean() < JPEG
    np.testing.assert_array_equal(script.paint_scene(), scene)


@pytest.mark.soak
def test_script_paints_the_same_bytes_again(script, painted, tmp_path):
    again = paint(script, tmp_path)
    for name in NAMES:
        assert (again / name).read_bytes() == (painted / name).read_bytes()
