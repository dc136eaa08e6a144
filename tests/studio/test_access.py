"""The page for everybody: contrast, names, keys, small screens."""

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.processes import PATIENCE
from tests.studio.visitor import SAMPLES

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True}
TABS = ("Paint", "Compare", "Many")
GRADIO = {
    # A button of an upload that holds the browser's own, which is hidden.
    "nested-interactive",
    # The name of an empty gallery.
    "aria-prohibited-attr",
}
"""Rules that Gradio's own components break."""


@pytest.mark.parametrize(
    "settings",
    [{}, {"color_scheme": "dark"}, PHONE],
    ids=["light", "dark", "phone"],
)
def test_everybody_can_read_it(new_page, address, settings):
    # Axe is a script of its own, which the page's policy would refuse.
    visitor = new_page(address, bypass_csp=True, **settings)
    page = visitor.page
    visitor.press("More options")
    visitor.press("Losses")
    page.get_by_label("tv_weight").wait_for()
    for tab in TABS:
        page.get_by_role("tab", name=tab).click()
        page.wait_for_timeout(500)
        found = Axe().run(page).response["violations"]
        broken = [
            (rule["id"], node["html"], node["failureSummary"])
            for rule in found
            for node in rule["nodes"]
            if rule["impact"] in ("serious", "critical")
            and rule["id"] not in GRADIO
        ]
        assert broken == [], tab
        too_wide = "document.scrollingElement.scrollWidth - window.innerWidth"
        assert page.evaluate(too_wide) <= 0, tab


def test_uploads_and_the_state_are_told_to_screen_readers(new_page, address):
    page = new_page(address).page
    for name in ("Content", "Style"):
        page.get_by_role(
            "group", name=name, exact=True
        ).wait_for()  # and the only one
    # Only changes of the state are announced, not each number.
    announced = "is([role=status], [role=alert], [aria-live])"
    assert page.locator("#state [role=status]").count() == 1
    for place in ("progress", "viewer"):
        within = f":{announced} #{place}, #{place}:{announced}"
        assert page.locator(f"{within}, #{place} :{announced}").count() == 0


def test_picture_is_painted_without_a_mouse(new_page, address):
    visitor = new_page(address)
    page = visitor.page

    def go_to(is_there):
        """Presses Tab until the focus is there; it is seen wherever it is."""
        for _ in range(100):
            page.keyboard.press("Tab")
            focus = page.evaluate(
                """() => { const e = document.activeElement;
                  const all = [e, e.closest('label')].filter(Boolean);
                  return {id: e.id, tag: e.tagName, label: e.ariaLabel,
                    text: e.innerText, value: e.value,
                    block: e.closest('.block')?.id,
                    seen: all.some(x => {
                      const s = getComputedStyle(x);
                      return s.outlineStyle != 'none' &&
                        parseFloat(s.outlineWidth) > 0; })}; }"""
            )
            is_at_end = focus["tag"] == "BODY"  # the next is the first again
            if not is_at_end and (
                focus["id"] or focus["label"] or focus["text"]
            ):
                assert focus["seen"], focus
            if is_there(focus):
                return
        raise AssertionError("Tab does not lead there")

    for place, name in (("content", "scene.jpg"), ("style-1", "strokes.jpg")):
        go_to(
            lambda x, place=place: (
                x["block"] == place and "Drop" in (x["label"] or "")
            )
        )
        # Chromium tells of one dialogue only, now and then.
        upload = page.locator(f"#{place} input[type=file]")
        upload.evaluate(
            """e => e.addEventListener('click', event => {
                 event.preventDefault(); e.dataset.opened = 'yes'; })"""
        )
        page.keyboard.press("Enter")
        assert upload.get_attribute("data-opened") == "yes"
        upload.set_input_files(SAMPLES / name)
        page.locator(f"#{place} img").wait_for()
    go_to(lambda x: x["value"] == "Painting")
    page.keyboard.press("Space")
    go_to(lambda x: (x["label"] or "").startswith("Size,"))
    page.keyboard.press("ControlOrMeta+A")
    page.keyboard.type("256")
    page.keyboard.press("Enter")
    go_to(lambda x: x["id"] == "paint")
    page.keyboard.press("Enter")
    page.locator("#progress progress").wait_for(timeout=1000 * PATIENCE)
    page.locator("#paint").focus()
    go_to(lambda x: x["id"] == "stop")
    page.keyboard.press("Space")
    visitor.wait_for_state("Stopped")
    assert page.get_by_label("Painting", exact=True).is_checked()
