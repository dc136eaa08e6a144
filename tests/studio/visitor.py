"""What a visitor of the page does."""

import contextlib
import re

from playwright.sync_api import Error

from tests import ROOT
from tests.processes import PATIENCE
from tools.studio_browser import choose_picture
from tools.studio_browser import choose_size

SAMPLES = ROOT / "tfstyle" / "samples"


class Visitor:
    """A visitor, whose page has been loaded.

    Attributes:
        page: of the browser.
    """

    def __init__(self, page, address):
        self.page = page
        page.set_default_timeout(1000 * PATIENCE)
        page.goto(address)
        page.locator("#paint").wait_for()
        # Set by the page's own script, which listens to drops from then on.
        ready = page.locator("#content[role=group], #content [role=group]")
        ready.first.wait_for(state="attached")
        page.locator("#viewer .stage[data-run]").wait_for(state="attached")

    def choose(self, content=SAMPLES / "scene.jpg", size=256):
        """Uploads two pictures, and chooses a small size."""
        choose_picture(self.page, "content", content)
        choose_picture(self.page, "style-1", SAMPLES / "strokes.jpg")
        choose_size(self.page, size)

    def press(self, name):
        """Presses a button."""
        self.page.get_by_role("button", name=name).click()

    def paint(self):
        """Begins to paint; returns the run once its picture has changed."""
        before = self.shown
        self.page.locator("#paint").click()
        self.wait_for_other_run(before)
        self.wait_for_preview()
        name = self.shown
        first = self.page.locator("#viewer .result").get_attribute("src")
        self.page.wait_for_function(
            "x => !document.querySelector('#viewer .result').src.endsWith(x)",
            arg=first,
        )
        return name

    def paint_region(self):
        """Paints a stroke on the middle of the content."""
        self.press("Regions: a style for each part")
        canvas = self.page.locator("#regions canvas").first
        canvas.wait_for()
        # Neither the canvas nor its upload show a sign of being ready.
        self.page.wait_for_timeout(3000)
        brush = self.page.locator("#regions").get_by_label("Brush", exact=True)
        brush.click()
        canvas.scroll_into_view_if_needed()
        box = canvas.bounding_box()
        middle = box["y"] + box["height"] / 2
        mouse = self.page.mouse
        mouse.move(box["x"] + box["width"] * 0.4, middle)
        mouse.down()
        mouse.move(box["x"] + box["width"] * 0.6, middle, steps=10)
        mouse.up()
        self.page.wait_for_timeout(2000)

    def stop(self):
        """Stops the run that is shown, which may not have begun."""
        self.page.locator("#stop").click()
        stopped = re.compile("^Stopped")
        self.page.locator("#state").get_by_text(stopped).wait_for()

    def leave(self):
        """Closes the page; what is painted is stopped, for the next test."""
        button = self.page.locator("#stop")
        if button.is_visible() and button.is_enabled():
            with contextlib.suppress(Error):  # the studio may have ended
                button.click(timeout=5000)
                self.page.wait_for_timeout(500)
        self.page.context.close()

    @property
    def title(self):
        """What the run that is shown is called."""
        return self.page.locator("#title input").input_value()

    @property
    def shown(self):
        """The name of the run that is shown."""
        stage = self.page.locator("#viewer .stage")
        return stage.get_attribute("data-run") or ""

    @property
    def fault(self):
        """What is said to be wrong, once it is."""
        alert = self.page.locator("#fault [role=alert]")
        alert.wait_for()
        return alert.inner_text()

    def wait_for_state(self, state):
        """Waits until the run that is shown is in a state."""
        element = self.page.locator("#state").get_by_text(state, exact=True)
        element.wait_for()

    def wait_for_run(self, name):
        """Waits until a run is shown."""
        self.page.wait_for_function(
            "x => document.querySelector('#viewer .stage')?.dataset.run === x",
            arg=name,
        )

    def wait_for_other_run(self, name):
        """Waits until another run is shown."""
        self.page.wait_for_function(
            """x => { const stage = document.querySelector('#viewer .stage');
              const run = stage?.dataset.run; return run && run !== x; }""",
            arg=name,
        )

    def wait_for_preview(self):
        """Waits until the picture is that of the run that is shown."""
        self.page.wait_for_function(
            """x => [...document.querySelectorAll('#viewer img')]
                 .some(image => image.src.includes(x))""",
            arg=f"/{self.shown}/",
        )

    def choose_run(self, name):
        """Shows a run of the filmstrip."""
        self.page.locator(f"#strip [data-run='{name}']").click()
        self.wait_for_run(name)
