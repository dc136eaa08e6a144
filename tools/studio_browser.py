"""Starts the studio and a browser, for its tests and its screenshots."""

import contextlib
import pathlib
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator

from playwright.sync_api import Browser
from playwright.sync_api import Page
from playwright.sync_api import sync_playwright

ROOT = pathlib.Path(__file__).parents[1]
SAMPLES = ROOT / "tfstyle" / "samples"


@contextlib.contextmanager
def running_studio(
    root, port: int = 0, *arguments: str
) -> Iterator[tuple[str, subprocess.Popen]]:
    """Runs the studio during a block; yields its address and process.

    Args:
        root: the folder of runs.
        port: the port; 0 picks a free one.
        *arguments: more flags of the studio.
    """
    process = subprocess.Popen(
        [
            *("env", "--default-signal=INT"),
            *(sys.executable, "-m", "tfstyle.studio", f"--runs={root}"),
            *(f"--port={port}", *arguments),
        ],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield re.search(r"http://\S+", process.stdout.readline())[0], process
    finally:
        process.send_signal(signal.SIGINT)
        process.stdout.close()
        process.wait(600)


@contextlib.contextmanager
def running_chromium() -> Iterator[Browser]:
    """Runs the system's Chromium during a block."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        raise FileNotFoundError("Chromium is missing: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program, args=["--no-sandbox"]
        )
        yield browser
        browser.close()


def choose_picture(page: Page, place: str, path) -> None:
    """Uploads a picture in place of the one that is there.

    Args:
        page: of the studio.
        place: the element's id, such as `content` or `style-1`.
        path: of the picture.
    """
    element = page.locator(f"#{place}")
    if element.locator("img").count():
        element.get_by_label("Remove Image").click()
    element.locator("input[type=file]").set_input_files(path)
    element.locator("img").wait_for()


def choose_size(page: Page, size: int) -> None:
    """Chooses the long edge of the output."""
    page.get_by_label("Size, pixels").click()
    page.get_by_role("option", name=str(size), exact=True).click()
