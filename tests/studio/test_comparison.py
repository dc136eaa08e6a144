"""The tab where results are compared, in a browser."""

import subprocess
import sys

import pytest

from tests import ROOT
from tests.studio.visitor import SAMPLES
from tools.studio_browser import running_studio

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    """Returns the address of a studio of three runs of the command line."""
    root = tmp_path_factory.mktemp("compared")
    for number, size in enumerate(("64", "96", "128")):
        command = [
            *(sys.executable, "-m", "tfstyle.main", f"--image_size={size}"),
            *("--weights=random", "--num_steps=1", "--num_levels=1"),
            f"--workdir={root / str(number)}",
            f"--content_image={SAMPLES / 'scene.jpg'}",
            f"--style_images={SAMPLES / 'mosaic.jpg'}",
        ]
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    with running_studio(root) as (address, _):
        yield address


def open_pair(new_page, address, **settings):
    page = new_page(address, **settings).page
    page.get_by_role("tab", name="Compare").click()
    page.wait_for_function(
        """() => { const images = [...document.querySelectorAll('#both img')];
          return images.length == 2 && images.every(e => e.naturalWidth); }"""
    )
    return page


def edge(page):
    """Returns where the left picture ends, pixels from its left edge."""
    page.wait_for_timeout(300)
    return page.evaluate(
        """() => parseFloat(document.querySelector('#both .pair')
             .style.getPropertyValue('--at'))"""
    )


def test_newest_two_are_compared_then_one_of_the_strip(new_page, compared):
    page = open_pair(new_page, compared)
    assert page.locator("#strip img").count() == 3
    left = page.locator("#left input").input_value()
    right = page.locator("#right input").input_value()
    assert (left, right) == ("scene in mosaic (1)", "scene in mosaic (2)")
    sizes = page.locator("#differences tr").filter(has_text="image_size")
    assert sizes.locator("td").all_inner_texts() == ["96", "128"]
    page.locator("#strip button.thumbnail-item").nth(2).click()
    sizes.get_by_text("64").wait_for()
    assert sizes.locator("td").all_inner_texts() == ["128", "64"]
    page.wait_for_function(
        """() => document.querySelector('#both .right').naturalWidth == 64"""
    )


def test_line_is_moved_by_keys(new_page, compared):
    page = open_pair(new_page, compared)
    width = page.locator("#both .pair").bounding_box()["width"]
    assert edge(page) == pytest.approx(width / 2, abs=2)
    divider = page.get_by_label("Where the left picture ends")
    divider.focus()
    page.keyboard.press("Home")
    assert edge(page) == 0
    page.keyboard.press("End")
    assert edge(page) == pytest.approx(width, abs=2)


def test_both_are_zoomed_to_single_pixels(new_page, compared):
    page = open_pair(new_page, compared)
    page.get_by_label("16:1").check()
    page.wait_for_function(
        """() => document.querySelector('#both .pair').style.width
             == `${16 * 128}px`"""
    )
    left, right = page.locator("#both img").all()
    assert left.bounding_box() == right.bounding_box()
    style = "e => getComputedStyle(e).imageRendering"
    assert left.evaluate(style) == "pixelated"
    view = page.locator("#both .window")
    shown = page.evaluate("e => e.clientWidth", view.element_handle())
    view.evaluate("e => e.scrollLeft = 100")
    assert edge(page) == pytest.approx(100 + shown / 2, abs=2)
