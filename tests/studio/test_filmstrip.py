"""The filmstrip and the viewer, in a browser, with runs that have ended."""

import pytest

from tests.studio.test_runs import make_painted_runs
from tfstyle.studio import notes
from tools.studio_browser import running_studio

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
SIZES = (64, 96, 128)


@pytest.fixture(scope="module")
def shelf(tmp_path_factory):
    """Returns a studio's address, and its folder of three runs."""
    root = tmp_path_factory.mktemp("shelf")
    make_painted_runs(root, SIZES)
    with running_studio(root) as (address, _):
        yield address, root


@pytest.fixture
def visitor(new_page, shelf):
    """Returns a visitor who sees the newest run."""
    visitor = new_page(shelf[0])
    visitor.wait_for_run("2")
    visitor.page.locator("#title").wait_for()
    return visitor


def names_of(page):
    """Returns the names of the runs in the strip, in order."""
    tiles = page.locator("#strip button[data-run]")
    return tiles.evaluate_all("x => x.map(e => e.dataset.run)")


def test_run_is_chosen_by_keys_and_keeps_the_focus(visitor):
    page = visitor.page
    assert names_of(page) == ["2", "1", "0"]
    tile = page.locator("#strip [data-run='0']")
    assert tile.inner_text().splitlines() == [
        *("scene in mosaic", "64 px, quality Quick")
    ]
    tile.focus()
    page.keyboard.press("Enter")
    visitor.wait_for_run("0")
    page.locator("#strip [data-run='0'][aria-current]").wait_for()
    page.wait_for_function("() => document.activeElement.dataset.run === '0'")
    page.wait_for_function(
        "() => document.querySelector('#viewer .result').naturalWidth === 64"
    )
    # It is shown again when the page is reloaded, though it is not the newest.
    page.wait_for_timeout(1500)
    page.reload()
    visitor.wait_for_run("0")


def test_original_is_seen_as_long_as_it_is_held(visitor):
    page = visitor.page
    original = page.locator("#viewer .original")
    result = page.locator("#viewer .result")
    page.wait_for_function(
        "() => document.querySelector('#viewer .original').naturalWidth"
    )
    button = page.get_by_role("button", name="Hold to see the original")
    button.focus()
    for begin, end in (
        (
            lambda: page.keyboard.down("Space"),
            lambda: page.keyboard.up("Space"),
        ),
        (page.mouse.down, page.mouse.up),
    ):
        button.hover()
        assert original.is_hidden()
        begin()
        original.wait_for()
        assert original.bounding_box() == result.bounding_box()
        end()
        original.wait_for(state="hidden")


def test_picture_is_shown_in_its_pixels_and_on_the_full_screen(visitor):
    page = visitor.page
    result = page.locator("#viewer .result")
    exact = page.get_by_role("button", name="1:1")
    assert result.bounding_box()["width"] > SIZES[-1]
    exact.click()
    assert result.bounding_box()["width"] == SIZES[-1]
    assert exact.get_attribute("aria-pressed") == "true"
    exact.click()
    assert result.bounding_box()["width"] > SIZES[-1]
    page.get_by_role("button", name="Full screen").click()
    page.wait_for_function("() => document.fullscreenElement?.id === 'viewer'")
    stage = page.locator("#viewer .stage").bounding_box()
    assert stage["width"] == page.evaluate("innerWidth")
    page.get_by_role("button", name="Full screen").click()
    page.wait_for_function("() => !document.fullscreenElement")


def test_run_is_named_starred_deleted_and_put_back(visitor, shelf):
    page, root = visitor.page, shelf[1]
    visitor.choose_run("1")
    page.wait_for_timeout(1500)
    title = page.locator("#title input")
    title.fill("the  sea")
    title.press("Enter")
    tile = page.locator("#strip [data-run='1']")
    tile.get_by_text("the sea").wait_for()
    page.locator("#star").click()
    tile.get_by_text("★ the sea").wait_for()
    assert notes.read(str(root / "1")) == notes.Notes("the sea", True)
    page.locator("#delete").click()
    tile.wait_for(state="detached")
    visitor.wait_for_run("0")
    assert (root / "bin" / "1" / "output.png").exists()
    page.get_by_role("button", name="Put the sea back").click()
    tile.wait_for()
    visitor.wait_for_run("1")
    assert not (root / "bin" / "1").exists()
    # An empty name is that of the pictures again.
    page.wait_for_timeout(1500)
    title.fill("")
    title.press("Enter")
    tile.get_by_text("★ scene in mosaic").wait_for()
    page.locator("#star").get_by_text("Starred").click()
    tile.get_by_text("★").wait_for(state="detached")


def test_form_says_that_it_is_not_of_the_picture_shown(visitor):
    page = visitor.page
    page.locator("#use").click()
    page.locator("#content img").wait_for()
    page.locator("#style-1 img").wait_for()
    size = page.get_by_label("Size, pixels")
    assert size.input_value() == "128"
    page.locator("#use").wait_for(state="detached")
    visitor.choose_run("0")
    page.locator("#use").wait_for()
    assert size.input_value() == "128"  # the form is left as it is


@pytest.mark.parametrize(
    "settings",
    [
        {"viewport": {"width": 1366, "height": 850}},
        {"viewport": {"width": 1920, "height": 1080}},
        {"viewport": {"width": 390, "height": 844}, "has_touch": True},
    ],
    ids=["laptop", "large", "phone"],
)
def test_picture_and_buttons_stay_in_sight(new_page, shelf, settings):
    visitor = new_page(shelf[0], **settings)
    page = visitor.page
    visitor.wait_for_run("2")
    # The first Tabs lead to the tabs of the page, then to Paint.
    for _ in range(5):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "paint":
            break
    assert page.evaluate("document.activeElement.id") == "paint"
    visitor.press("More options")
    page.get_by_label("tv_weight").wait_for()
    height = settings["viewport"]["height"]
    for way in (0, 400, 1200):
        page.evaluate("y => window.scrollTo(0, y)", way)
        page.wait_for_timeout(300)
        for place in ("#paint", "#stop", "#now", "#viewer .result"):
            box = page.locator(place).bounding_box()
            assert box["y"] >= 0, (place, way)
            assert box["y"] + box["height"] <= height, (place, way)
