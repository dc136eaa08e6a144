"""Pictures that are brought to the page, and regions painted there."""

import os
import shutil

import numpy as np
import pytest
from PIL import Image

from tests import ROOT
from tfstyle.errors import ImageError
from tfstyle.image_files.reading import read_image
from tfstyle.image_files.writing import write_image
from tfstyle.studio import inputs
from tfstyle.system import remote_files

SAMPLES = ROOT / "tfstyle" / "samples"
COLORS = [(255, 0, 0), (0, 0, 255)]


def test_picture_is_kept_once_under_its_name(tmp_path):
    path = str(SAMPLES / "scene.jpg")
    kept = [inputs.keep(str(tmp_path), path) for _ in range(2)]
    assert kept[0] == kept[1]
    assert os.listdir(tmp_path / "inputs") == [os.path.basename(kept[0])]
    assert os.path.basename(kept[0]).startswith("scene-")
    with open(path, "rb") as brought, open(kept[0], "rb") as file:
        assert brought.read() == file.read()


def test_name_of_a_picture_leads_nowhere(tmp_path):
    path = tmp_path / "..,; $(x) é.PNG"
    Image.new("RGB", (20, 20)).save(path)
    kept = inputs.keep(str(tmp_path / "runs"), str(path))
    assert os.path.dirname(kept) == str(tmp_path / "runs" / "inputs")
    assert not set(os.path.basename(kept)) & set(",;$() ")


def test_address_is_not_opened(tmp_path, monkeypatch):
    monkeypatch.setattr(remote_files, "fetch", pytest.fail)
    address = "http://127.0.0.1:9/a.png"
    for read in (
        lambda: inputs.keep(str(tmp_path), address),
        lambda: inputs.to_shown(str(tmp_path), address),
        lambda: inputs.find_regions([address], COLORS),
    ):
        with pytest.raises(ImageError, match="not an upload"):
            read()


def test_what_is_no_picture_is_not_kept(tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    path.write_bytes(b"no picture")
    with pytest.raises(ImageError, match=r"'a\.png'"):
        inputs.keep(str(tmp_path), str(path))
    Image.new("RGB", (20, 20)).save(path)
    monkeypatch.setattr(inputs, "MAX_PIXELS", 100)
    with pytest.raises(ImageError):
        inputs.keep(str(tmp_path), str(path))
    assert not (tmp_path / "inputs").exists()


def paint_layer(path, color, columns):
    pixels = np.zeros((6, 8, 4), np.uint8)
    pixels[:, columns] = (*color, 255)
    Image.fromarray(pixels).save(path)
    return str(path)


def test_regions_are_told_by_their_colours(tmp_path):
    layers = [
        paint_layer(tmp_path / "a.png", (250, 9, 0), slice(2, 5)),
        paint_layer(tmp_path / "b.png", (0, 9, 250), slice(4, 6)),
    ]
    found = inputs.find_regions(layers, COLORS)
    assert found[0].tolist() == [0, 0, 1, 1, 2, 2, 0, 0]
    empty = paint_layer(tmp_path / "c.png", (0, 0, 0), slice(0, 0))
    assert inputs.find_regions([empty], COLORS) is None
    assert inputs.find_regions([], COLORS) is None


def test_mask_is_light_inside_and_kept_once(tmp_path):
    inside = np.zeros((6, 8), bool)
    inside[:, :3] = True
    path = inputs.keep_mask(str(tmp_path), inside)
    with Image.open(path) as mask:
        np.testing.assert_array_equal(np.asarray(mask)[..., 0] > 127, inside)
    assert inputs.keep_mask(str(tmp_path), inside) == path
    other = inputs.keep_mask(str(tmp_path), np.ones((6, 8), bool))
    same_bytes = inputs.keep_mask(str(tmp_path), np.ones((8, 6), bool))
    assert len({path, other, same_bytes}) == 3


def test_picture_of_the_folder_is_its_own_copy(tmp_path):
    path = str(SAMPLES / "scene.jpg")
    kept = inputs.keep(str(tmp_path), path)
    assert inputs.keep(str(tmp_path), kept) == kept
    # Gradio keeps a copy of the copy, under its name.
    other = tmp_path.parent / os.path.basename(kept)
    shutil.copy(kept, other)
    assert inputs.keep(str(tmp_path), str(other)) == kept
    assert inputs.stem_of(kept) == "scene"


@pytest.mark.parametrize("name", ["a.tif", "a.jpg"])
def test_picture_that_browsers_do_not_show_becomes_a_png(tmp_path, name):
    path, named = tmp_path / "a.tif", tmp_path / name
    pixels = read_image(str(SAMPLES / "scene.jpg")).pixels
    write_image(str(path), pixels)
    path.rename(named)
    shown, warnings = inputs.to_shown(str(tmp_path / "runs"), str(named))
    assert shown.endswith(".png")
    assert warnings == ()
    np.testing.assert_array_equal(read_image(shown).pixels, pixels)
    scene = str(SAMPLES / "scene.jpg")
    assert inputs.to_shown(str(tmp_path), scene) == (scene, ())


def test_picture_with_a_warning_is_shown_as_it_is_read(tmp_path):
    path = str(tmp_path / "a.jpg")
    with Image.open(SAMPLES / "scene.jpg") as image:
        image.convert("CMYK").save(path)
    shown, (text,) = inputs.to_shown(str(tmp_path / "runs"), path)
    assert "CMYK" in text
    pixels = read_image(path).pixels
    np.testing.assert_array_equal(read_image(shown).pixels, pixels)


def test_mask_with_a_soft_edge_keeps_its_hard_one(tmp_path):
    root = str(tmp_path)
    inside = np.zeros((60, 80), bool)
    inside[20:40, 30:50] = True
    soft = inputs.keep_mask(root, inside, 10)
    hard = inputs.without_soft_edge(soft)
    assert hard == inputs.keep_mask(root, inside)
    assert inputs.without_soft_edge(hard) == hard
    assert (inputs.softness_of(soft), inputs.softness_of(hard)) == (10, 0)
    light = read_image(soft).pixels[..., 0]
    assert 0 < light[30, 28] < light[30, 32] < 255
    assert np.array_equal(read_image(hard).pixels[..., 0] > 127, inside)
    os.unlink(hard)
    assert inputs.without_soft_edge(soft) == soft
