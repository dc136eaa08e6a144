"""The form, in a browser: its dials, keys, errors, presets and reloads."""

import time

import pytest
from PIL import Image
from playwright.sync_api import expect

from tests.processes import PATIENCE
from tests.studio.test_painting import flags_of
from tests.studio.visitor import SAMPLES
from tfstyle.studio import drafts
from tools.studio_browser import choose_picture
from tools.studio_browser import choose_size
from tools.studio_browser import running_studio

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


def number_of(page, name):
    return page.get_by_label(f"number input for {name}")


def range_of(page, name):
    return page.get_by_label(f"range slider for {name}")


def wait_for_draft(page, root, flag):
    """Waits until a page's form has been stored with a flag."""
    name, end = page.evaluate("sessionStorage.page"), time.time() + PATIENCE
    while flag not in drafts.read(root, name).arguments:
        assert time.time() < end, flag
        page.wait_for_timeout(100)


def test_dials_act_by_keys_and_by_typing(new_page, address, root):
    visitor = new_page(address)
    page = visitor.page
    visitor.choose()
    before = visitor.shown
    page.keyboard.press("ControlOrMeta+Enter")
    visitor.wait_for_other_run(before)
    visitor.wait_for_preview()
    name = visitor.shown
    range_of(page, "Content, %").focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    visitor.wait_for_other_run(name)
    second = visitor.shown
    position = number_of(page, "Content, %").input_value()
    assert position == "37"
    assert "--content_weight=0.0658\n" in flags_of(root, second)
    visitor.wait_for_preview()
    stroke = number_of(page, "Stroke size")
    stroke.click()
    page.keyboard.press("ControlOrMeta+A")
    page.keyboard.type("1.5")  # neither Tab nor Enter
    visitor.wait_for_other_run(second)
    third = visitor.shown
    assert "--style_scale=1.5\n" in flags_of(root, third)
    # They are steps of one picture.
    strip = page.locator("#strip")
    strip.get_by_text("2 steps before").wait_for()
    assert strip.locator(f"[data-run='{name}']").count() == 0
    strip.get_by_text("2 steps before").click()
    strip.locator(f"[data-run='{name}']").wait_for()
    visitor.wait_for_preview()
    page.locator("#viewer .stage").focus()
    page.keyboard.press("Escape")
    visitor.wait_for_state("Stopped")


def test_missing_style_is_asked_about_first(new_page, address, root):
    visitor = new_page(address)
    page = visitor.page
    choose_picture(page, "content", SAMPLES / "scene.jpg")
    page.locator("#paint").click()
    assert visitor.fault.startswith("There is no Style.")
    page.locator("#sure").wait_for()
    choose_picture(page, "style-1", SAMPLES / "strokes.jpg")
    page.locator("#sure").wait_for(state="detached")
    page.locator("#fault [role=alert]").wait_for(state="detached")
    page.locator("#style-1").get_by_label("Remove Image").click()
    page.locator("#paint").click()
    before = visitor.shown
    page.locator("#sure").click()
    visitor.wait_for_other_run(before)
    asked = flags_of(root, visitor.shown)
    assert "--content_image" in asked
    assert "--style_images" not in asked
    visitor.stop()


def test_error_is_in_the_page_s_words_and_goes_when_mended(
    new_page, address, tmp_path
):
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"\x89PNG\r\n\x1a\n")
    visitor = new_page(address)
    page = visitor.page
    visitor.choose()
    visitor.press("Blend more styles")
    page.locator("#style-2 input[type=file]").set_input_files(broken)
    page.locator("#style-2 + .fault [role=alert]").wait_for()
    page.locator("#paint").click()
    assert visitor.fault.startswith("Style 2: Image 'broken.png'")
    page.locator("#style-2").get_by_label("Remove Image").click()
    page.locator("#fault [role=alert]").wait_for(state="detached")
    size = page.get_by_label("Size, pixels")
    size.fill("much")
    size.press("Enter")
    page.locator("#paint").click()
    assert visitor.fault.startswith("Size must be")
    size.fill("256")
    size.press("Enter")
    page.locator("#fault [role=alert]").wait_for(state="detached")


def test_regions_go_with_their_content(new_page, address, tmp_path):
    visitor = new_page(address)
    page = visitor.page
    visitor.choose()
    visitor.paint_region()
    page.locator("#paint").click()
    assert visitor.fault.startswith("Regions: every style needs a region.")
    other = tmp_path / "other.png"
    Image.new("RGB", (40, 90), (9, 90, 200)).save(other)
    choose_picture(page, "content", other)
    page.locator("#fault [role=alert]").wait_for(state="detached")
    page.locator("#estimate").get_by_text("at 256 px").wait_for()


def test_samples_leave_no_other_pictures(new_page, address):
    visitor = new_page(address)
    page = visitor.page
    visitor.choose(content=SAMPLES / "mosaic.jpg")
    visitor.press("Blend more styles")
    choose_picture(page, "style-2", SAMPLES / "mosaic.jpg")
    visitor.press("Start from a picture")
    choose_picture(page, "start", SAMPLES / "mosaic.jpg")
    visitor.press("Try the sample pictures")
    for place in ("style-2", "start"):
        page.locator(f"#{place} img").wait_for(state="detached")
    page.wait_for_function(
        "() => document.querySelector('#content img')?.src.includes('scene')"
    )


def test_preset_of_one_s_own_is_kept(new_page, tmp_path):
    with running_studio(tmp_path / "runs") as (address, _):
        visitor = new_page(address)
        page = visitor.page
        number_of(page, "Stroke size").fill("0.5")
        visitor.press("Presets of your own")
        page.locator("#preset-name input").fill("fine lines")
        page.locator("#keep-preset").click()
        own = page.get_by_label("fine lines", exact=True)
        own.wait_for()
        assert own.is_checked()
        page.get_by_label("Photograph", exact=True).check()
        other = new_page(address).page
        other.get_by_label("fine lines", exact=True).check()
        other.wait_for_function(
            """() => document.querySelector('#dial-style_scale input').value
                 === '0.5'"""
        )
        other.get_by_role("button", name="Presets of your own").click()
        other.locator("#remove-preset").click()
        other.get_by_label("fine lines", exact=True).wait_for(state="detached")
        other.locator("#remove-preset").click()
        other.get_by_role("alert").filter(has_text="presets stay").wait_for()


@pytest.mark.parametrize("size", [(1366, 850), (390, 844)])
def test_bar_lies_over_the_form(new_page, address, size):
    width, height = size
    page = new_page(address, viewport={"width": width, "height": height}).page
    for content in ("content", "style-1"):
        choose_picture(page, content, SAMPLES / "mosaic.jpg")
    choose_size(page, 256)
    assert page.get_by_label("Size, pixels").input_value() == "256"
    for place in range(0, 500, 20):
        page.evaluate("y => window.scrollTo(0, y)", place)
        others = page.evaluate(
            """() => ['paint', 'stop'].flatMap(id => {
              const box = document.getElementById(id).getBoundingClientRect();
              return [0.05, 0.25, 0.5, 0.75, 0.95].flatMap(
                x => [0.1, 0.5, 0.9].map(y => document.elementFromPoint(
                  box.x + x * box.width, box.y + y * box.height))
                ).filter(e => !e.closest('#bar')).map(e => e.outerHTML); })"""
        )
        assert others == []


def test_options_are_searched(new_page, address):
    visitor = new_page(address)
    page = visitor.page
    visitor.press("More options")
    page.get_by_label("tv_weight").wait_for()
    all_of_them = page.locator("[id^=option-]:visible").count()
    search = page.get_by_label("Search the options")
    search.fill("tv_weight")
    page.locator("#option-seed, #option-pooling").first.wait_for(state="hidden")
    assert page.get_by_label("tv_weight").is_visible()
    assert page.locator("[id^=option-]:visible").count() < 5
    search.fill("")
    page.locator("#option-pooling").wait_for()
    assert page.locator("[id^=option-]:visible").count() == all_of_them


def test_reload_brings_back_the_form_of_each_page(new_page, tmp_path):
    root = tmp_path / "runs"
    with running_studio(root) as (address, _):
        first, second = (new_page(address) for _ in range(2))
        first.choose(size=384)
        wait_for_draft(first.page, root, "--image_size=384")
        choose_picture(second.page, "style-1", SAMPLES / "mosaic.jpg")
        number_of(second.page, "Stroke size").fill("2")
        wait_for_draft(second.page, root, "--style_scale=2")
        for visitor in (first, second):
            visitor.page.reload()
        first.page.locator("#content img").wait_for()
        size = first.page.get_by_label("Size, pixels")
        expect(size).to_have_value("384", timeout=1000 * PATIENCE)
        style = second.page.locator("#style-1 img")
        style.wait_for()
        assert "mosaic" in style.get_attribute("src")
        stroke = number_of(second.page, "Stroke size")
        expect(stroke).to_have_value("2", timeout=1000 * PATIENCE)
        assert second.page.locator("#content img").count() == 0
