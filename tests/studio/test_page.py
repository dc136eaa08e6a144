"""The page, in a browser: choose, paint, compare, keep."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest

pytest.importorskip("gradio", reason="pip install -e '.[studio]'")

from tests import ROOT
from tfstyle.config import flagfile
from tfstyle.images import records

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    # Playwright's own loop; what it leaves is not ours.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
SAMPLES = ROOT / "tfstyle" / "samples"
PATIENCE = 120_000  # milliseconds, for what takes far less


@contextlib.contextmanager
def studio(root):
    """Runs the studio on a folder of runs; yields its address and process."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tfstyle.studio", f"--runs={root}"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        said = process.stdout.readline()
        yield re.search(r"http://[\d.:]+", said)[0], process
    finally:
        process.send_signal(signal.SIGINT)
        process.stdout.close()
        process.wait(60)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def address(root):
    with studio(root) as (address, _):
        yield address


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    program = shutil.which("chromium") or shutil.which("google-chrome")
    assert program, "Chromium is not installed: apt-get install chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program, args=["--no-sandbox"]
        )
        yield browser
        browser.close()


@pytest.fixture
def new_page(browser):
    """Opens pages; none of them may ask another host, nor fail."""
    contexts, foreign, errors = [], [], []

    def open_page(address, **settings):
        context = browser.new_context(accept_downloads=True, **settings)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        page.on(
            "request",
            lambda request: (
                request.url.startswith((address, "data:", "blob:"))
                or foreign.append(request.url)
            ),
        )
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(address)
        page.locator("#paint").wait_for()
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert foreign == []
    assert errors == []


def choose(page, content=SAMPLES / "scene.jpg", size="256"):
    """Brings the pictures to the page, and chooses a small size."""
    for place, path in (
        ("#content", content),
        ("#style-1", SAMPLES / "strokes.jpg"),
    ):
        page.locator(f"{place} input[type=file]").set_input_files(path)
        page.locator(f"{place} img").wait_for()
    page.get_by_label("Long edge, pixels").click()
    page.get_by_role("option", name=size, exact=True).click()


def paint(page):
    """Begins to paint, and waits until the picture is seen to change."""
    before = shown_run(page)
    page.locator("#paint").click()
    page.wait_for_function(
        "before => document.querySelector('#run input').value != before",
        arg=before,
    )
    page.locator("#preview img").wait_for()
    name = shown_run(page)
    page.wait_for_function(
        "name => document.querySelector('#preview img')?.src.includes(name)",
        arg=name,
    )
    first = page.locator("#preview img").get_attribute("src")
    page.wait_for_function(
        "first => !document.querySelector('#preview img').src.endsWith(first)",
        arg=first,
    )
    return name


def stop(page):
    page.locator("#stop").click()
    page.get_by_text("Stopped").wait_for()


def shown_run(page):
    return page.locator("#run input").input_value()


def flags_of(root, name):
    return (root / name / "asked.cfg").read_text()


def test_picture_grows_is_stopped_and_kept(new_page, address, root, tmp_path):
    page = new_page(address)
    choose(page)
    name = paint(page)
    assert page.locator("#said progress").count() == 1
    stop(page)
    assert page.locator("#stop").is_disabled()
    with page.expect_download() as download:
        page.locator("#download").click()
    kept = tmp_path / "kept.png"
    download.value.save_as(kept)
    assert kept.read_bytes() == (root / name / "output.png").read_bytes()
    flags, _ = flagfile.parse_text(records.read_text(str(kept)))
    assert flags["image_size"] == "256"
    assert flags["content_weight"] == "0.06"
    page.get_by_label("Format").click()
    page.get_by_role("option", name="JPEG").click()
    for _ in range(10):  # the button follows within a second
        with page.expect_download() as download:
            page.locator("#download").click()
        if download.value.suggested_filename.endswith(".jpg"):
            break
        time.sleep(0.5)
    kept = tmp_path / "kept.jpg"
    download.value.save_as(kept)
    again, _ = flagfile.parse_text(records.read_text(str(kept)))
    assert again == flags
    with page.expect_download() as download:
        page.locator("#flags").click()
    assert download.value.suggested_filename.endswith(".cfg")


def test_dial_that_is_moved_goes_on_from_the_picture(new_page, address, root):
    page = new_page(address)
    choose(page)
    name = paint(page)
    page.get_by_label("Painting", exact=True).check()
    page.wait_for_function(
        "name => document.querySelector('#run input').value != name", arg=name
    )
    new = shown_run(page)
    asked = flags_of(root, new)
    assert "--content_weight=0.02\n" in asked
    assert f"--init={root / name / 'output.png'}\n" in asked
    page.wait_for_function(
        "name => document.querySelector('#preview img')?.src.includes(name)",
        arg=new,
    )
    stop(page)


def test_results_are_laid_side_by_side(new_page, address):
    page = new_page(address)
    page.get_by_role("tab", name="Compare").click()
    page.locator("#both img").first.wait_for()
    assert page.locator("#strip img").count() >= 2
    table = page.locator("#differences table")
    assert table.get_by_role("row").filter(has_text="content_weight").count()


def test_contents_meet_styles_and_one_is_painted_large(new_page, address, root):
    page = new_page(address)
    page.get_by_role("tab", name="Many").click()
    page.get_by_role("button", name="Paint the table").click()
    alert = page.get_by_role("alert").filter(has_text="Received: 0 and 0")
    alert.wait_for()
    page.locator("#contents input[type=file]").set_input_files(
        SAMPLES / "scene.jpg"
    )
    page.locator("#styles input[type=file]").set_input_files(
        [SAMPLES / "strokes.jpg", SAMPLES / "mosaic.jpg"]
    )
    page.locator("#styles").get_by_text("mosaic").wait_for()
    page.get_by_role("button", name="Paint the table").click()
    page.locator("#many img").nth(1).wait_for()
    assert page.locator("#many th").all_inner_texts() == [
        *("strokes", "mosaic", "scene")
    ]
    before = set(os.listdir(root))
    page.get_by_role("button", name="Paint it large").click()
    page.get_by_text("It is painted next").wait_for()
    (new,) = set(os.listdir(root)) - before
    assert "--image_size=1024\n" in flags_of(root, new)
    deadline = time.monotonic() + PATIENCE / 1000
    while shown_run(page) != new:  # the table comes first
        assert time.monotonic() < deadline
        time.sleep(1)
        page.reload()
        page.locator("#run input").wait_for()
        time.sleep(1)
    stop(page)


def test_page_that_is_loaded_anew_shows_what_is_painted(new_page, address):
    first = new_page(address)
    choose(first, size="512")
    name = paint(first)
    first.reload()
    second = new_page(address)  # of another visitor
    for page in (first, second):
        page.wait_for_function(
            "name => document.querySelector('#run input')?.value == name",
            arg=name,
        )
        page.locator("#preview img").wait_for()
    stop(second)
    first.get_by_text("Stopped:").wait_for()


def test_what_is_no_picture_is_told_in_the_program_s_words(
    new_page, address, tmp_path
):
    hostile = tmp_path / "picture.png"
    hostile.write_bytes(b"\x89PNG\r\n\x1a\n<svg onload=alert(1)>")
    page = new_page(address)
    page.locator("#content input[type=file]").set_input_files(hostile)
    page.locator("#style-1 input[type=file]").set_input_files(
        SAMPLES / "strokes.jpg"
    )
    page.locator("#style-1 img").wait_for()
    page.locator("#paint").click()
    alert = page.locator("#fault [role=alert]")
    alert.wait_for()
    assert alert.inner_text().startswith("Image 'picture.png'")


def test_wrong_option_is_told_in_the_program_s_words(new_page, address):
    page = new_page(address)
    page.get_by_role("button", name="Take the sample pictures").click()
    page.locator("#style-1 img").wait_for()
    page.get_by_role("button", name="More options").click()
    page.get_by_label("tv_weight").fill("much")
    page.locator("#paint").click()
    alert = page.locator("#fault [role=alert]")
    alert.wait_for()
    assert "`tv_weight` must be a number" in alert.inner_text()


def test_page_fits_a_phone(new_page, address):
    page = new_page(address, viewport={"width": 390, "height": 844})
    page.locator("#paint").scroll_into_view_if_needed()
    too_wide = "document.scrollingElement.scrollWidth - window.innerWidth"
    assert page.evaluate(too_wide) <= 0


def test_everything_that_is_used_has_a_name(new_page, address):
    page = new_page(address)
    page.get_by_role("button", name="More options").click()
    page.get_by_label("tv_weight").wait_for()
    nameless = page.evaluate(
        """() => [...document.querySelectorAll(
             'button, input:not([type=file]), select, textarea')]
           .filter(e => e.offsetParent !== null)
           .filter(e => !(e.ariaLabel || e.title || e.innerText.trim() ||
             e.labels?.length || e.getAttribute('aria-labelledby')))
           .map(e => e.outerHTML.slice(0, 200))"""
    )
    assert nameless == []


def test_killed_studio_loses_nothing(new_page, tmp_path):
    with studio(tmp_path) as (address, process):
        page = new_page(address)
        choose(page)
        page.get_by_label("Quick").check()
        name = paint(page)
        process.kill()
        process.wait()
    with studio(tmp_path) as (address, _):
        page = new_page(address)
        page.wait_for_function(
            "name => document.querySelector('#run input')?.value == name",
            arg=name,
        )
        page.get_by_text("Done:").wait_for()
    assert (tmp_path / name / "output.png").exists()
    assert not (tmp_path / name / "job.json").exists()


def test_only_the_runs_are_served(address, root):
    def status_of(path):
        try:
            with urllib.request.urlopen(address + path) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code

    name = next(n for n in sorted(os.listdir(root)) if n.startswith("20"))
    assert status_of(f"/preview/{name}") == 200
    for path in (
        "/preview/..",
        "/preview/%2e%2e%2fetc",
        "/gradio_api/file=/etc/passwd",
        f"/gradio_api/file={ROOT}/setup.cfg",
        f"/gradio_api/file={root}/../../../etc/passwd",
    ):
        assert status_of(path) in (403, 404), path


def test_ctrl_c_keeps_the_picture_and_goes_on_later(new_page, tmp_path):
    with studio(tmp_path) as (address, process):
        page = new_page(address)
        choose(page)
        name = paint(page)
        process.send_signal(signal.SIGINT)
        deadline = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.1)
        assert process.returncode is not None
    assert (tmp_path / name / "output.png").exists()


def test_regions_are_painted_on_the_content(new_page, address, root):
    page = new_page(address)
    choose(page)
    page.get_by_role("button", name="More styles and their blend").click()
    page.locator("#style-2 input[type=file]").set_input_files(
        SAMPLES / "mosaic.jpg"
    )
    page.locator("#style-2 img").wait_for()
    page.get_by_role("button", name="Regions: paint where").click()
    page.get_by_role("button", name="Take the content").click()
    canvas = page.locator("#regions canvas").first
    canvas.wait_for()
    time.sleep(2)  # the canvas shows no sign of being ready
    page.locator("#regions").get_by_label("Brush", exact=True).click()
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] * 0.4, middle)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.6, middle, steps=10)
    page.mouse.up()
    time.sleep(2)
    name = paint(page)
    flags = flags_of(root, name)
    assert flags.count("mask-") == 4
    assert "--content_masks=" in flags
    stop(page)
