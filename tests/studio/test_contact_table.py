"""The tab of contents and styles, in a browser."""

import os

import pytest

from tests.studio.visitor import SAMPLES

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


def open_table(visitor):
    visitor.page.get_by_role("tab", name="Many").click()
    visitor.page.get_by_role("button", name="Paint the table").wait_for()


def bring(visitor):
    page = visitor.page
    page.locator("#contents input[type=file]").set_input_files(
        SAMPLES / "scene.jpg"
    )
    page.locator("#styles input[type=file]").set_input_files(
        [SAMPLES / "strokes.jpg", SAMPLES / "mosaic.jpg"]
    )
    page.locator("#contents img").wait_for()
    page.locator("#styles img").nth(1).wait_for()


def test_contents_meet_styles_and_one_is_painted_large(new_page, address, root):
    visitor = new_page(address)
    page = visitor.page
    open_table(visitor)
    visitor.press("Paint the table")
    alert = page.get_by_role("alert").filter(has_text="0 contents and 0 styles")
    alert.wait_for()
    visitor.press("Paint it large")
    page.get_by_role("alert").filter(
        has_text="Paint the table first"
    ).wait_for()
    bring(visitor)
    visitor.press("Paint the table")
    page.locator("#many img").nth(1).wait_for()
    # The table outlives its page.
    page.reload()
    open_table(visitor)
    page.locator("#many img").nth(1).wait_for()
    assert page.locator("#many th").all_inner_texts() == [
        *("strokes", "mosaic", "scene")
    ]
    page.locator("#many img").nth(1).click()
    page.wait_for_function(
        """() => document.querySelector('#pick input').value
             .startsWith('scene in mosaic')"""
    )
    before = set(os.listdir(root))
    visitor.press("Paint it large")
    # It is shown where pictures are painted.
    page.locator("#preview").wait_for()
    page.wait_for_function(
        """() => document.querySelector('#run input').value
             .startsWith('scene in mosaic')"""
    )
    (new,) = set(os.listdir(root)) - before
    assert visitor.shown == new
    asked = (root / new / "asked.cfg").read_text()
    assert asked.endswith("--image_size=1024\n")
    assert "mosaic" in asked
    assert "--num_steps" not in asked
    visitor.page.locator("#stop").click()
    page.wait_for_function(
        """() => document.querySelector('#state').innerText
             .startsWith('Stopped')"""
    )


def test_table_is_stopped(new_page, address):
    visitor = new_page(address)
    open_table(visitor)
    bring(visitor)
    visitor.press("Paint the table")
    # Both cells wait until the first is begun.
    waiting = visitor.page.locator("#many").get_by_text("waiting").first
    waiting.wait_for()
    visitor.press("Stop the table")
    waiting.wait_for(state="detached")
    second = new_page(address)  # the dials are not those of a table
    assert second.page.locator("#content img").count() == 0
