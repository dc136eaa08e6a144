"""What is kept of a picture, and where it goes from there."""

import os
import re
import shlex
import subprocess
import sys
import time
import zipfile

import pytest
from PIL import Image

from tests import ROOT
from tfstyle.batch.manifest import read_manifest
from tfstyle.flags import flagfile
from tfstyle.image_files import sidecar

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


@pytest.fixture
def visitor(new_page, address):
    """Returns a visitor who has stopped a run."""
    visitor = new_page(address)
    visitor.choose()
    visitor.paint()
    visitor.stop()
    visitor.page.locator("#download").wait_for()
    return visitor


def download(visitor, button, path):
    with visitor.page.expect_download() as download:
        visitor.page.locator(button).click()
    download.value.save_as(path)
    return download.value.suggested_filename


def test_downloads_tell_how_the_picture_was_made(visitor, root, tmp_path):
    page, kept = visitor.page, tmp_path / "kept.png"
    name = download(visitor, "#download", kept)
    assert name == "scene in strokes.png"
    with (
        Image.open(kept) as picture,
        Image.open(root / visitor.shown / "output.png") as output,
    ):
        assert picture.size == output.size
    flags, _ = flagfile.parse_text(sidecar.read_text(str(kept)))
    assert flags["image_size"] == "256"
    assert flags["content_weight"] == "0.06"
    assert flags["content_image"] == "scene.jpg"
    page.get_by_label("Format").click()
    page.get_by_role("option", name="JPEG").click()
    kept = tmp_path / "kept.jpg"
    for _ in range(10):  # the button follows within a second
        if download(visitor, "#download", kept).endswith(".jpg"):
            break
        time.sleep(0.5)
    again, _ = flagfile.parse_text(sidecar.read_text(str(kept)))
    assert again == flags
    kept = tmp_path / "kept.zip"
    assert download(visitor, "#pack", kept) == "scene in strokes.zip"
    with zipfile.ZipFile(kept) as pack:
        assert {"scene.jpg", "strokes.jpg"} < set(pack.namelist())
        assert b"--image_size=256\n" in pack.read("flags.cfg")


def test_picture_is_painted_large_on_this_machine(visitor, root):
    page, name = visitor.page, visitor.shown
    visitor.press("Paint it large")
    sizes = page.locator("#large-size label").all_inner_texts()
    assert [text.partition(" px")[0] for text in sizes] == [
        *("1024", "2048", "4096")
    ]
    for text in sizes:
        assert "about" in text
        assert "GB of memory" in text
    before = set(os.listdir(root))
    page.locator("#paint-large").click()
    page.locator("#queue li").wait_for()
    (new,) = set(os.listdir(root)) - before
    asked = (root / new / "asked.cfg").read_text()
    assert "--image_size=1024\n" in asked
    assert visitor.shown == name
    page.locator("#queue .job").click()
    visitor.wait_for_run(new)
    visitor.page.locator("#stop").click()
    stopped = re.compile("^Stopped")
    page.locator("#state").get_by_text(stopped).wait_for()


def test_picture_is_painted_larger_by_a_manifest(visitor, root, tmp_path):
    page = visitor.page
    visitor.press("Paint it large")
    visitor.press("For the terminal")
    size = page.get_by_label("Size in the manifest: long edge, pixels")
    size.fill("128")
    size.press("Enter")
    visitor.press("Add to the manifest")
    batch = page.locator("#batch textarea")
    page.wait_for_function(
        "() => document.querySelector('#batch textarea').value"
    )
    (job,) = read_manifest(str(root / "manifest.jsonl"))
    assert job.values["image_size"] == 128
    assert job.output == str(root / f"{visitor.shown}-128.png")
    # A second time nothing changes: an output is named once.
    visitor.press("Add to the manifest")
    assert len(read_manifest(str(root / "manifest.jsonl"))) == 1
    program, *arguments = shlex.split(batch.input_value())
    assert program == "python"
    quick = ["--num_steps=1", "--weights=random", f"--workdir={tmp_path}"]
    command = [sys.executable, *arguments, *quick]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    assert (root / f"{visitor.shown}-128.png").exists()


def test_picture_is_used_again(visitor, root):
    page, name = visitor.page, visitor.shown
    visitor.press("Start from here")
    page.locator("#start img").wait_for()
    new = visitor.paint()
    asked = (root / new / "asked.cfg").read_text()
    assert "--init=" in asked
    visitor.stop()
    page.locator("#start").get_by_label("Remove Image").click()
    page.locator("#content").get_by_label("Remove Image").click()
    page.locator("#content img").wait_for(state="detached")
    visitor.press("Use as content")
    page.locator("#content img").wait_for()
    assert new != name
