"""The tab of painting, in a browser, and what outlives it."""

import base64
import signal
import subprocess
import sys
import time

import pytest
from PIL import Image

from tests import ROOT
from tests.processes import PATIENCE
from tests.studio.visitor import SAMPLES
from tools.studio_browser import choose_picture
from tools.studio_browser import running_studio

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    # Playwright's own loop; what it leaves is not ours.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


def flags_of(root, name):
    return (root / name / "asked.cfg").read_text()


def test_picture_grows_follows_a_dial_and_is_stopped(new_page, address, root):
    visitor = new_page(address)
    visitor.choose()
    name = visitor.paint()
    assert visitor.title == "scene in strokes"
    assert visitor.page.locator("#progress progress").count() == 1
    visitor.press("Losses")
    curves = visitor.page.frame_locator(".charts iframe")
    curves.get_by_text("weighted/style").first.wait_for()
    visitor.page.get_by_label("Painting", exact=True).check()
    visitor.wait_for_other_run(name)
    new = visitor.shown
    asked = flags_of(root, new)
    assert "--content_weight=0.02\n" in asked
    assert "--image_size=256\n" in asked  # as it was chosen
    assert f"--init={root / name / 'output.png'}\n" in asked
    visitor.wait_for_preview()
    visitor.stop()
    assert visitor.page.locator("#stop").is_disabled()
    assert (root / new / "output.png").exists()


def test_preset_moves_the_dials_and_options(new_page, address):
    visitor = new_page(address)
    page = visitor.page
    visitor.press("More options")
    page.get_by_label("The paper").check()
    page.wait_for_function(
        """() => document.querySelector('#option-loss_scale input').value
             == 'absolute'"""
    )
    page.get_by_label("Texture").check()
    page.locator("#content").wait_for(state="detached")
    page.get_by_label("Photograph").check()
    page.locator("#content").wait_for()


def test_second_picture_waits_for_the_first(new_page, address, root):
    visitor = new_page(address)
    page = visitor.page
    visitor.choose(size=512)
    first = visitor.paint()
    page.locator("#paint").get_by_text("Add to queue").wait_for()
    for _ in range(2):
        page.locator("#paint").click()
        page.wait_for_timeout(1500)
    items = page.locator("#queue li")
    items.nth(2).wait_for()
    assert visitor.shown == first  # the one that is painted stays in sight
    names = items.locator(".job").evaluate_all("x => x.map(e => e.dataset.run)")
    assert names[0] == first
    # The last is moved up by keys, and keeps the focus.
    page.locator(f"#queue [data-act=earlier][data-run='{names[2]}']").focus()
    page.keyboard.press("Enter")
    moved = [names[0], names[2], names[1]]
    page.wait_for_function(
        """x => [...document.querySelectorAll('#queue .job')]
             .map(e => e.dataset.run).join() === x""",
        arg=",".join(moved),
    )
    items.nth(1).locator("[data-act=cancel]").click()
    items.nth(2).wait_for(state="detached")
    assert not (root / names[2]).exists()
    items.nth(1).locator(".job").click()
    visitor.wait_for_run(names[1])
    visitor.wait_for_state("Waiting for 1 picture before it")
    page.locator("#stop").click()
    visitor.wait_for_state("Stopped before the first step")
    assert not (root / names[1]).exists()
    visitor.choose_run(first)
    visitor.wait_for_state("Painting")
    visitor.stop()


def test_page_that_is_loaded_again_shows_the_run_and_its_dials(
    new_page, address, root
):
    first = new_page(address)
    first.choose(size=512)
    first.page.get_by_label("Quick").check()
    name = first.paint()
    first.page.reload()
    second = new_page(address)  # of another visitor
    for visitor in (first, second):
        visitor.wait_for_run(name)
        visitor.wait_for_preview()
        page = visitor.page
        page.locator("#content img").wait_for()
        page.locator("#style-1 img").wait_for()
        assert page.get_by_label("Quick").is_checked()
        size = page.get_by_label("Size, pixels")
        assert size.input_value() == "512"
    # Dials of other pictures leave the run alone.
    choose_picture(second.page, "style-1", SAMPLES / "mosaic.jpg")
    second.page.get_by_label("Painting", exact=True).check()
    time.sleep(3)
    assert second.shown == first.shown == name
    first.page.get_by_label("Painting", exact=True).check()
    first.wait_for_other_run(name)
    asked = flags_of(root, first.shown)
    assert "/inputs/scene-" in asked
    assert "--num_steps=40\n" in asked
    first.wait_for_preview()
    first.stop()
    second.wait_for_state("Stopped")


def test_picture_that_cannot_be_read_is_told_below_it(
    new_page, address, tmp_path
):
    hostile = tmp_path / "picture.png"
    hostile.write_bytes(b"\x89PNG\r\n\x1a\n<svg onload=alert(1)>")
    visitor = new_page(address)
    page = visitor.page
    page.locator("#content input[type=file]").set_input_files(hostile)
    fault = page.locator("#content + .fault [role=alert]")
    fault.wait_for()
    assert fault.inner_text().startswith("Image 'picture.png'")
    choose_picture(page, "style-1", SAMPLES / "strokes.jpg")
    page.locator("#paint").click()
    assert visitor.fault.startswith("Content: Image 'picture.png'")
    page.locator("#content").get_by_label("Remove Image").click()
    fault.wait_for(state="detached")


def test_picture_that_browsers_do_not_show_is_shown(
    new_page, address, tmp_path
):
    path = tmp_path / "photograph.jpg"  # is a TIFF of inks
    with Image.open(SAMPLES / "scene.jpg") as image:
        image.convert("CMYK").save(path, "TIFF")
    page = new_page(address).page
    choose_picture(page, "content", path)
    page.wait_for_function(
        "() => document.querySelector('#content img')?.naturalWidth > 0"
    )
    note = page.locator("#content + .fault .note")
    note.wait_for()
    assert note.inner_text().startswith("photograph.jpg is CMYK without")


def test_pictures_are_dropped_and_pasted(new_page, address):
    visitor = new_page(
        address, permissions=["clipboard-read", "clipboard-write"]
    )
    data = base64.b64encode((SAMPLES / "scene.jpg").read_bytes()).decode()
    dropped = visitor.page.evaluate_handle(
        """async data => {
          const jpeg = await (await fetch(`data:image/jpeg;base64,${data}`))
            .blob();
          const bitmap = await createImageBitmap(jpeg);
          const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
          canvas.getContext('2d').drawImage(bitmap, 0, 0);
          const png = await canvas.convertToBlob({type: 'image/png'});
          await navigator.clipboard.write(
            [new ClipboardItem({'image/png': png})]);
          const dropped = new DataTransfer();
          dropped.items.add(new File([jpeg], 'a.jpg', {type: jpeg.type}));
          return dropped;
        }""",
        data,
    )
    content, style = (visitor.page.locator(x) for x in ("#content", "#style-1"))
    content.get_by_label("Drop an image").dispatch_event(
        "drop", {"dataTransfer": dropped}
    )
    content.locator("img").wait_for()
    style.get_by_label("Paste from clipboard").click()
    style.locator("img").wait_for()


def test_wrong_option_is_told_in_the_program_s_words(new_page, address):
    visitor = new_page(address)
    page = visitor.page
    visitor.press("Try the sample pictures")
    page.locator("#style-1 img").wait_for()
    visitor.press("More options")
    option = page.get_by_label("tv_weight")
    option.fill("much")
    option.blur()
    said = page.locator("#option-tv_weight.wrong")
    said.get_by_text("must be a number").wait_for()
    page.locator("#paint").click()
    assert "`tv_weight` must be a number" in visitor.fault
    option.fill("0.5")
    option.blur()
    page.locator("#option-tv_weight:not(.wrong)").wait_for()


def test_dial_moved_while_others_wait_goes_on_at_once(new_page, tmp_path):
    root = tmp_path / "runs"
    use = "Use the pictures and dials of the picture shown"
    with running_studio(root) as (address, _):
        visitor = new_page(address)
        page = visitor.page
        visitor.choose(size=384)
        name = visitor.paint()
        choose_picture(page, "style-1", SAMPLES / "mosaic.jpg")
        page.locator("#paint").click()
        waiting = page.locator("#queue li:has([data-act=earlier])")
        waiting.wait_for()
        visitor.press(use)
        page.wait_for_function(
            "() => document.querySelector('#style-1 img')?.src"
            ".includes('strokes')"
        )
        page.get_by_label("Painting", exact=True).check()
        visitor.wait_for_other_run(name)
        visitor.wait_for_state("Painting")
        second = visitor.shown
        # What the moved dial added is not in the form of a new page.
        other = new_page(address)
        other.wait_for_run(second)
        other.page.locator("#content img").wait_for()
        other.press("Start from a picture")
        assert other.page.locator("#start img").count() == 0
        # A waiting picture keeps its name and place.
        page.locator("#queue .job").nth(1).click()
        visitor.wait_for_other_run(second)
        third = visitor.shown
        page.locator("#title input").fill("the village")
        page.locator("#title input").press("Enter")
        page.locator("#queue").get_by_text("the village").wait_for()
        visitor.press(use)
        page.get_by_label("Photograph", exact=True).check()
        page.wait_for_timeout(500)
        page.get_by_label("Painting", exact=True).check()
        visitor.wait_for_other_run(third)
        page.locator("#queue").get_by_text("the village").wait_for()
        assert not (root / third).exists()
        assert visitor.title == "the village"


def test_regions_are_painted_on_the_content(new_page, address, root):
    visitor = new_page(address)
    page = visitor.page
    visitor.choose(size=512)  # it is to take longer than pages
    visitor.press("Blend more styles")
    choose_picture(page, "style-2", SAMPLES / "mosaic.jpg")
    visitor.paint_region()
    name = visitor.paint()
    asked = flags_of(root, name)
    assert asked.count("mask-") == 2
    # They are there again after the page was closed.
    other = new_page(address)
    other.wait_for_run(name)
    other.page.locator("#content img").wait_for()
    time.sleep(2)
    other.page.get_by_label("Painting", exact=True).check()
    other.wait_for_other_run(name)
    again = flags_of(root, other.shown)
    masks = [x for x in asked.splitlines() if x.startswith("--content_masks")]
    assert masks[0] in again
    other.wait_for_preview()
    other.stop()


def test_run_of_the_command_line_is_shown(new_page, tmp_path):
    workdir = tmp_path / "by hand"
    command = [
        *(sys.executable, "-m", "tfstyle.main", "--image_size=128"),
        *("--weights=random", "--num_steps=20000", "--num_levels=1"),
        *("--preview_every_seconds=1", f"--workdir={workdir}"),
        f"--content_image={SAMPLES / 'scene.jpg'}",
        f"--style_images={SAMPLES / 'mosaic.jpg'}",
    ]
    process = subprocess.Popen(
        ["env", "--default-signal=INT", *command],
        cwd=ROOT,
        stderr=subprocess.DEVNULL,
    )
    try:
        with running_studio(tmp_path) as (address, _):
            while not (workdir / "preview.jpg").exists():
                time.sleep(0.1)
            visitor = new_page(address)
            visitor.wait_for_run("by hand")
            visitor.wait_for_state("Painting")
            assert visitor.page.locator("#stop").is_disabled()
            process.send_signal(signal.SIGINT)
            visitor.wait_for_state("Stopped")
            visitor.page.locator("#use").click()
            visitor.page.locator("#content img").wait_for()
            size = visitor.page.get_by_label("Size, pixels")
            assert size.input_value() == "128"
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGKILL])
def test_studio_that_ends_loses_nothing(new_page, tmp_path, end):
    with running_studio(tmp_path) as (address, process):
        visitor = new_page(address)
        visitor.choose()
        visitor.page.get_by_label("Quick").check()
        name = visitor.paint()
        process.send_signal(end)
        process.wait(PATIENCE)
    if end == signal.SIGKILL:
        with running_studio(tmp_path) as (address, _):
            visitor = new_page(address)
            visitor.wait_for_run(name)
            visitor.wait_for_state("Done")
    assert (tmp_path / name / "output.png").exists()
    assert not (tmp_path / name / "job.json").exists()
