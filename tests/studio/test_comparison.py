"""The tab where results are compared, in a browser."""

import pytest

from tests.studio.test_runs import make_painted_runs
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
    make_painted_runs(root, (64, 96, 128))
    with running_studio(root) as (address, _):
        yield address


def open_tab(new_page, address, **settings):
    page = new_page(address, **settings).page
    page.get_by_role("tab", name="Compare").click()
    wait_for_pictures(page, 2)
    return page


def wait_for_pictures(page, number):
    page.wait_for_function(
        """number => { const images =
             [...document.querySelectorAll('#both img')];
           return images.length == number &&
             images.every(e => e.naturalWidth); }""",
        arg=number,
    )


def choose(page, side, name):
    page.locator(f"#{side} input").click()
    page.get_by_role("option", name=name, exact=True).click()
    # The list closes a moment later; two would offer the same names.
    page.get_by_role("option").first.wait_for(state="detached")


def edge(page, name="--at"):
    """Returns where the left picture ends, pixels from its left edge.

    Args:
        name: `--end`: where the middle picture ends.
    """
    page.wait_for_timeout(300)
    return page.evaluate(
        """name => parseFloat(document.querySelector('#both .pair')
             .style.getPropertyValue(name))""",
        name,
    )


def test_newest_is_compared_to_its_original_then_one_of_the_strip(
    new_page, compared
):
    page = open_tab(new_page, compared)
    assert page.locator("#results img").count() == 3
    assert [
        page.locator(f"#{side} input").input_value()
        for side in ("left", "middle", "right")
    ] == ["Original of scene in mosaic (2)", "none", "scene in mosaic (2)"]
    told = page.locator("#differences")
    assert told.inner_text() == (
        "scene in mosaic (2): size 128 px, quality Quick."
    )
    # The original lies exactly over the picture.
    sizes = page.locator("#both img").evaluate_all(
        "images => images.map(e => [e.naturalWidth, e.naturalHeight])"
    )
    assert sizes == [[128, 96], [128, 96]]
    page.locator("#results button.thumbnail-item").nth(2).click()
    page.wait_for_function(
        "() => document.querySelector('#both .right').naturalWidth == 64"
    )
    assert page.locator("#left input").input_value().startswith("Original")
    told.get_by_text("scene in mosaic (0): size 64 px").wait_for()


def test_three_are_compared_and_their_differences_told(new_page, compared):
    page = open_tab(new_page, compared)
    second = page.get_by_label("Where the middle picture ends")
    assert not second.is_visible()
    choose(page, "middle", "scene in mosaic (1)")
    wait_for_pictures(page, 3)
    told = page.locator("#differences")
    sizes = told.locator("tr").filter(has_text="size")
    sizes.wait_for()
    assert sizes.locator("td").all_inner_texts() == ["96 px", "128 px"]
    assert told.locator("tbody tr").count() == 1
    assert told.locator("[scope=col]").all_inner_texts() == [
        *("Middle: scene in mosaic (1)", "Right: scene in mosaic (2)")
    ]
    choose(page, "right", "scene in mosaic (1)")
    told.get_by_text(
        "scene in mosaic (1): size 96 px, quality Quick."
    ).wait_for()
    choose(page, "left", "scene in mosaic (2)")
    told.get_by_text("Middle and right: scene in mosaic (1)").wait_for()
    choose(page, "right", "scene in mosaic (2)")
    choose(page, "left", "scene in mosaic (0)")
    told.get_by_text("64 px").wait_for()
    assert sizes.locator("td").all_inner_texts() == ["64 px", "96 px", "128 px"]
    width = page.locator("#both .pair").bounding_box()["width"]
    second.focus()
    page.keyboard.press("Home")  # and takes the first one along
    assert [edge(page), edge(page, "--end")] == [0, 0]
    page.get_by_label("Where the left picture ends").focus()
    page.keyboard.press("End")
    assert [edge(page), edge(page, "--end")] == pytest.approx(
        [width, width], abs=2
    )
    choose(page, "middle", "none")
    wait_for_pictures(page, 2)
    assert edge(page) == pytest.approx(width / 2, abs=2)


def test_choice_stays_until_another_run_is_shown(new_page, compared):
    page = open_tab(new_page, compared)
    choose(page, "left", "scene in mosaic (1)")
    page.get_by_role("tab", name="Paint").click()
    page.get_by_role("tab", name="Compare").click()
    page.locator("#differences").get_by_text("96 px").wait_for()
    assert page.locator("#left input").input_value() == "scene in mosaic (1)"


def test_line_is_moved_by_keys(new_page, compared):
    page = open_tab(new_page, compared)
    width = page.locator("#both .pair").bounding_box()["width"]
    assert edge(page) == pytest.approx(width / 2, abs=2)
    divider = page.get_by_label("Where the left picture ends")
    divider.focus()
    page.keyboard.press("Home")
    assert edge(page) == 0
    page.keyboard.press("End")
    assert edge(page) == pytest.approx(width, abs=2)


def test_nearest_line_is_dragged_on_the_picture(new_page, compared):
    page = open_tab(new_page, compared)
    choose(page, "middle", "scene in mosaic (1)")
    wait_for_pictures(page, 3)
    box = page.locator("#both .pair").bounding_box()
    width = box["width"]

    def drag(start, end):
        for share, act in ((start, page.mouse.down), (end, page.mouse.up)):
            page.mouse.move(
                box["x"] + share * width, box["y"] + box["height"] / 2
            )
            act()

    before = edge(page)
    drag(0.6, 0.8)
    assert edge(page) == before
    assert edge(page, "--end") == pytest.approx(0.8 * width, abs=2)
    drag(0.2, 0.1)
    assert edge(page) == pytest.approx(0.1 * width, abs=2)
    assert edge(page, "--end") == pytest.approx(0.8 * width, abs=2)


def test_all_are_zoomed_to_single_pixels(new_page, compared):
    page = open_tab(new_page, compared)
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
