"""What is kept of a picture, and where it goes from there."""

import shlex
import subprocess
import sys
import time

import pytest

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
    download(visitor, "#download", kept)
    output = root / visitor.shown / "output.png"
    assert kept.read_bytes() == output.read_bytes()
    flags, _ = flagfile.parse_text(sidecar.read_text(str(kept)))
    assert flags["image_size"] == "256"
    assert flags["content_weight"] == "0.06"
    page.get_by_label("Format").click()
    page.get_by_role("option", name="JPEG").click()
    kept = tmp_path / "kept.jpg"
    for _ in range(10):  # the button follows within a second
        if download(visitor, "#download", kept).endswith(".jpg"):
            break
        time.sleep(0.5)
    again, _ = flagfile.parse_text(sidecar.read_text(str(kept)))
    assert again == flags
    kept = tmp_path / "kept.cfg"
    download(visitor, "#flags", kept)
    assert "--image_size=256\n" in kept.read_text()


def test_picture_is_painted_larger_by_a_manifest(visitor, root, tmp_path):
    page = visitor.page
    visitor.press("Paint it large")
    size = page.get_by_label("Large size: long edge, pixels")
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
