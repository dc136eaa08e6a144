"""Remakes the README's pictures of the studio, from the package's samples.

    python tools/make_screenshots.py

It starts the studio on a folder of its own, drives it in Chromium as a person
would, paints one content in two styles, and writes two JPEG to tools/gallery.
Some minutes on 2 cores. Needs pip install -e '.[studio]' playwright.
"""

import tempfile

from playwright.sync_api import Page
from studio_browser import ROOT
from studio_browser import SAMPLES
from studio_browser import choose_picture
from studio_browser import choose_size
from studio_browser import running_chromium
from studio_browser import running_studio

GALLERY = ROOT / "tools" / "gallery"
SIZE = {"width": 1366, "height": 850}
PATIENCE = 600_000  # milliseconds


def main() -> None:
    """Writes the pictures."""
    with (
        tempfile.TemporaryDirectory() as folder,
        running_studio(f"{folder}/runs") as (address, _),
        running_chromium() as browser,
    ):
        page = browser.new_page(viewport=SIZE)
        page.set_default_timeout(PATIENCE)
        page.goto(address)
        take_all(page)


def take_all(page: Page) -> None:
    """Paints two pictures; shows one on its way, and both side by side."""
    page.get_by_role("button", name="Try the sample pictures").click()
    page.locator("#style-1 img").wait_for()
    choose_size(page, 384)
    page.locator("#paint").click()
    page.locator("#progress").get_by_text("384 x 288").wait_for()
    page.wait_for_timeout(20_000)
    take(page, "studio_paint")
    page.locator("#state").get_by_text("Done").wait_for()
    choose_picture(page, "style-1", SAMPLES / "mosaic.jpg")
    page.locator("#paint").click()
    page.locator("#progress progress").wait_for()
    page.locator("#state").get_by_text("Done").wait_for()
    page.get_by_role("tab", name="Compare").click()
    page.locator("#both img").first.wait_for()
    page.wait_for_timeout(2_000)
    take(page, "studio_compare")


def take(page: Page, name: str) -> None:
    """Writes what the page shows."""
    page.screenshot(path=GALLERY / f"{name}.jpg", type="jpeg", quality=80)


if __name__ == "__main__":
    main()
