"""Remakes the README's pictures of the studio, from the package's samples.

    python tools/make_screenshots.py

It starts the studio on a folder of its own, drives it in Chromium as a person
would, paints one content in two styles, and writes two JPEG to tools/gallery.
Some minutes on 2 cores. Needs pip install -e '.[studio]' playwright.
"""

import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile

from playwright.sync_api import Page
from playwright.sync_api import sync_playwright

ROOT = pathlib.Path(__file__).parents[1]
GALLERY = ROOT / "tools" / "gallery"
SAMPLES = ROOT / "tfstyle" / "samples"
SIZE = {"width": 1200, "height": 920}
PATIENCE = 600_000  # milliseconds


def main() -> None:
    """Writes the pictures."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    with tempfile.TemporaryDirectory() as folder:
        studio = subprocess.Popen(
            [sys.executable, "-m", "tfstyle.studio", f"--runs={folder}/runs"],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            address = re.search(r"http://\S+", studio.stdout.readline())[0]
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(
                    executable_path=program, args=["--no-sandbox"]
                )
                page = browser.new_page(viewport=SIZE)
                page.set_default_timeout(PATIENCE)
                page.goto(address)
                take_all(page)
                browser.close()
        finally:
            studio.send_signal(signal.SIGINT)
            studio.wait()


def take_all(page: Page) -> None:
    """Paints two pictures; shows one on its way, and both side by side."""
    page.get_by_role("button", name="Take the sample pictures").click()
    page.locator("#style-1 img").wait_for()
    page.get_by_label("Long edge, pixels").click()
    page.get_by_role("option", name="384", exact=True).click()
    page.locator("#paint").click()
    page.locator("#said").get_by_text("384 x 288").wait_for()
    page.wait_for_timeout(20_000)
    take(page, "studio_paint")
    page.get_by_text("Done:").wait_for()
    page.locator("#style-1 [aria-label*=Remove], #style-1 [title*=Clear]").or_(
        page.locator("#style-1").get_by_label("Clear")
    ).first.click()
    page.locator("#style-1 input[type=file]").set_input_files(
        SAMPLES / "mosaic.jpg"
    )
    page.locator("#style-1 img").wait_for()
    page.locator("#paint").click()
    page.locator("#said progress").wait_for()
    page.get_by_text("Done:").wait_for()
    page.get_by_role("tab", name="Compare").click()
    page.locator("#both img").first.wait_for()
    page.wait_for_timeout(2_000)
    take(page, "studio_compare")


def take(page: Page, name: str) -> None:
    """Writes what the page shows."""
    page.screenshot(
        path=GALLERY / f"{name}.jpg", type="jpeg", quality=80, full_page=False
    )


if __name__ == "__main__":
    main()
