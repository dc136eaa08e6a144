"""Fixtures: the studio, and its page in a browser."""

import importlib.util

import pytest

if importlib.util.find_spec("gradio") is None:
    collect_ignore = [
        *("test_painting.py", "test_comparison.py", "test_contact_table.py"),
        *("test_access.py", "test_attacks.py", "test_downloads.py"),
        *("test_pictures.py", "test_server.py", "test_widgets.py"),
        *("test_clips.py", "test_films.py"),
        *("test_proxies.py", "test_restarts.py"),
        *("test_filmstrip.py", "test_form.py"),
    ]


@pytest.fixture
def clip(tmp_path):
    """Returns the path of a film of NUM_FRAMES frames, half a second."""
    from tests.clips import NUM_FRAMES
    from tests.clips import make_frame
    from tests.clips import write_clip

    path = tmp_path / "harbour.mkv"
    write_clip(path, [make_frame(n) for n in range(NUM_FRAMES)])
    return path


@pytest.fixture(scope="session")
def root(tmp_path_factory):
    """Returns the folder of runs of `address`."""
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="session")
def address(root):
    """Returns the address of a studio."""
    from tools.studio_browser import running_studio

    with running_studio(root) as (address, _):
        yield address


@pytest.fixture(scope="module")
def browser():
    """Returns the system's Chromium; other loops cannot run meanwhile."""
    from tools.studio_browser import running_chromium

    with running_chromium() as browser:
        yield browser


@pytest.fixture
def new_page(browser):
    """Opens pages; none of them may ask another host, nor fail."""
    from tests.studio.visitor import Visitor

    visitors, foreign, errors = [], [], []

    def open_page(address, **settings):
        context = browser.new_context(accept_downloads=True, **settings)
        page = context.new_page()
        page.on(
            "request",
            lambda request: (
                request.url.startswith((address, "data:", "blob:"))
                or foreign.append(request.url)
            ),
        )
        page.on("pageerror", lambda error: errors.append(str(error)))
        visitors.append(Visitor(page, address))
        return visitors[-1]

    yield open_page
    for visitor in visitors:
        visitor.leave()
    assert foreign == []
    assert errors == []
