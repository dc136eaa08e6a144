"""Pictures that are brought to the page, and regions painted there."""

import os

import numpy as np
import pytest
from PIL import Image

from tests import ROOT
from tfstyle.images.errors import ImageError
from tfstyle.studio import inputs

COLORS = [(255, 0, 0), (0, 0, 255)]


def test_picture_is_kept_once_under_its_name(tmp_path):
    path = str(ROOT / "tfstyle" / "samples" / "scene.jpg")
    kept = [inputs.keep(str(tmp_path), path, 10**9) for _ in range(2)]
    assert kept[0] == kept[1]
    assert os.listdir(tmp_path / "inputs") == [os.path.basename(kept[0])]
    assert os.path.basename(kept[0]).startswith("scene-")
    with open(path, "rb") as brought, open(kept[0], "rb") as file:
        assert brought.read() == file.read()


def test_name_of_a_picture_leads_nowhere(tmp_path):
    path = tmp_path / "..,; $(x) é.PNG"
    Image.new("RGB", (20, 20)).save(path)
    kept = inputs.keep(str(tmp_path), str(path), 10**9)
    assert os.path.dirname(kept) == str(tmp_path / "inputs")
    assert not set(os.path.basename(kept)) & set(",;$() ")


def test_what_is_no_picture_is_not_kept(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(b"no picture")
    with pytest.raises(ImageError, match=r"'a\.png'"):
        inputs.keep(str(tmp_path), str(path), 10**9)
    Image.new("RGB", (20, 20)).save(path)
    with pytest.raises(ImageError):
        inputs.keep(str(tmp_path), str(path), 100)
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


def test_mask_is_light_inside(tmp_path):
    inside = np.zeros((6, 8), bool)
    inside[:, :3] = True
    path = inputs.keep_mask(str(tmp_path), inside)
    with Image.open(path) as mask:
        np.testing.assert_array_equal(np.asarray(mask)[..., 0] > 127, inside)
    assert inputs.keep_mask(str(tmp_path), inside) == path
