"""Files to take away, and whether they paint elsewhere."""

import os
import subprocess
import sys
import zipfile

import imagecodecs
import numpy as np
import pytest

pytest.importorskip("gradio", reason="pip install -e '.[studio]'")

from tests import ROOT
from tests.processes import PATIENCE
from tests.studio.visitor import SAMPLES
from tfstyle.flags import flagfile
from tfstyle.image_files import sidecar
from tfstyle.image_files.writing import write_image
from tfstyle.studio import inputs
from tfstyle.studio import packing
from tfstyle.studio.runs import Run


@pytest.fixture
def run(tmp_path):
    """Returns a run of the studio whose picture has 16 bits."""
    root = str(tmp_path / "runs")
    content = inputs.keep(root, str(SAMPLES / "scene.jpg"))
    style = inputs.keep(root, str(SAMPLES / "mosaic.jpg"))
    mask = inputs.keep_mask(root, np.ones((4, 6), bool), 3)
    flags = [
        f"--content_image={content}",
        f"--style_images={style}",
        f"--content_masks={mask}",
        *("--image_size=48", "--num_steps=1", "--weights=random"),
    ]
    workdir = os.path.join(root, "a")
    os.mkdir(workdir)
    text = "".join(f"{flag}\n" for flag in flags)
    (tmp_path / "runs" / "a" / "asked.cfg").write_text(text)
    pixels = np.arange(36 * 48 * 3, dtype=np.uint16).reshape(36, 48, 3)
    picture = os.path.join(workdir, "output.png")
    inside = [  # a picture stores names without folders
        f"{flag.partition('=')[0]}={os.path.basename(flag)}"
        for flag in flags[:2]
    ]
    write_image(picture, 12 * pixels, text=flagfile.make_text(inside, {}))
    return Run(workdir)


@pytest.mark.parametrize(
    ("form", "ending", "dtype"),
    [
        ("PNG, 8 bits", ".png", np.uint8),
        ("PNG, 16 bits", ".png", np.uint16),
        ("JPEG", ".jpg", np.uint8),
    ],
)
def test_download_has_the_pictures_own_names(run, form, ending, dtype):
    path = packing.convert_picture(run, form)
    assert os.path.basename(path) == f"scene in mosaic{ending}"
    assert packing.convert_picture(run, form) == path
    flags, _ = flagfile.parse_text(sidecar.read_text(path))
    assert flags["content_image"] == "scene.jpg"
    assert flags["style_images"] == "mosaic.jpg"
    with open(path, "rb") as file:
        pixels = imagecodecs.imread(file.read())
    assert pixels.dtype == dtype
    assert pixels.shape == (36, 48, 3)
    if dtype == np.uint16:
        with open(run.picture, "rb") as file:
            same = imagecodecs.png_decode(file.read())
        assert np.array_equal(pixels, same)


def test_names_that_collide_stay_apart(tmp_path):
    names = ["scene-00000000.jpg", "scene-11111111.jpg"]
    paths = ",".join(str(tmp_path / name) for name in names)
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "asked.cfg").write_text(f"--style_images={paths}\n")
    found = packing._names(Run(str(tmp_path / "a")))
    assert [*found.values()] == ["scene.jpg", "scene-11111111.jpg"]


@pytest.mark.parametrize("title", ["a/b\\c: <d>", "..", "x" * 200])
def test_title_makes_a_file_name(run, title):
    run.__dict__["caption"] = title
    name = packing.file_name_of(run)
    assert 0 < len(name) <= packing.LONGEST_NAME
    assert not set(name) & set('/\\:<>"|?*')
    assert name != ".."


@pytest.mark.slow
def test_pack_paints_in_any_folder(run, tmp_path):
    folder = tmp_path / "elsewhere"
    with zipfile.ZipFile(packing.pack(run)) as file:
        file.extractall(folder)
    names = {path.name for path in folder.iterdir()}
    assert {"scene in mosaic.png", "flags.cfg", "scene.jpg"} <= names
    text = (folder / "flags.cfg").read_text()
    assert str(tmp_path) not in text
    os.rename(tmp_path / "runs", tmp_path / "gone")
    subprocess.run(
        [sys.executable, "-m", "tfstyle.main", "--flagfile=flags.cfg"],
        cwd=folder,
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=PATIENCE,
    )
