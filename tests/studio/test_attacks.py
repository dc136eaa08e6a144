"""The studio under attack: files and hosts that it must not reach."""

import json
import os
import urllib.error
import urllib.request

import pytest

from tests import ROOT
from tests.processes import PATIENCE
from tests.studio.visitor import SAMPLES
from tools.studio_browser import running_studio

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def studio(tmp_path_factory):
    """Returns a studio's address and folder of runs."""
    root = tmp_path_factory.mktemp("attacked")
    with running_studio(root) as (address, _):
        yield address, root


def ask(address, path, values=None):
    """Returns status and answer of a request, as a script makes it."""
    data = None if values is None else values.encode()
    request = urllib.request.Request(
        address + path, data, {"content-type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def paint(address, picture):
    """Asks for a painting whose pictures lie at a path; returns the answer."""
    config = json.loads(ask(address, "/config")[1])
    components = {part["id"]: part["props"] for part in config["components"]}
    (event,) = (
        event
        for event in config["dependencies"]
        if event["api_name"] == "_start_painting"
    )
    given = {"path": picture, "meta": {"_type": "gradio.FileData"}}
    values = [
        given
        if props.get("elem_id") in ("content", "style-1")
        else props.get("value")
        for props in map(components.get, event["inputs"])
    ]
    asked = {"data": values, "fn_index": event["id"], "session_hash": "visitor"}
    return ask(address, "/gradio_api/run/predict", json.dumps(asked))


@pytest.mark.parametrize(
    "picture",
    [
        str(SAMPLES / "scene.jpg"),
        "/etc/passwd",
        "../../../etc/passwd",
        "/proc/self/environ",
    ],
)
def test_pictures_that_were_not_uploaded_are_not_painted(studio, picture):
    address, root = studio
    before = sorted(os.listdir(root))
    status, answer = paint(address, picture)
    assert status == 500
    assert "it was not uploaded by a user" in answer
    assert sorted(os.listdir(root)) == before


def test_pictures_of_other_hosts_are_not_fetched(studio):
    address, _ = studio
    assert paint(address, "http://127.0.0.1:1/a.jpg")[0] == 403
    values = '{"data": [[{"a": {"path": "HTTPS://[::1]/a.jpg"}}]]}'
    assert ask(address, "/gradio_api/queue/join", values)[0] == 403


@pytest.mark.parametrize(
    "path",
    [
        "/gradio_api/file=/etc/passwd",
        f"/gradio_api/file={ROOT}/setup.cfg",
        "/gradio_api/file={root}/../../../../etc/passwd",
        "/gradio_api/proxy=http://127.0.0.1:1/",
        "/picture",
        "/picture?path=/etc/passwd",
        f"/picture?path={SAMPLES}/scene.jpg",
        "/picture?path={root}/../../../../etc/passwd",
        "/picture?path={root}/.studio.lock",
    ],
)
def test_only_the_runs_are_served(studio, path):
    address, root = studio
    assert ask(address, path.format(root=root))[0] in (400, 403, 404, 422)


def test_pictures_of_runs_are_served_with_the_policy_of_files(studio):
    address, root = studio
    (root / "a.png").write_bytes(b"<script>alert(1)</script>")
    with urllib.request.urlopen(
        f"{address}/picture?path={root / 'a.png'}", timeout=PATIENCE
    ) as answer:
        assert answer.read() == b"<script>alert(1)</script>"
        assert answer.headers["content-type"] == "image/png"
        assert answer.headers["x-content-type-options"] == "nosniff"
        policy = answer.headers["content-security-policy"]
    assert policy == "default-src 'none'; sandbox"


def test_scripts_of_files_do_not_run(studio, browser):
    address, root = studio
    (root / "a.html").write_text(
        "<title>still</title><script>document.title = 'ran'</script>"
    )
    page = browser.new_page()
    page.goto(f"{address}/gradio_api/file={root / 'a.html'}")
    assert page.title() == "still"
    page.close()


@pytest.mark.parametrize("values", ["[" * 100_000, "{"])
def test_broken_values_are_refused(studio, values):
    assert ask(studio[0], "/gradio_api/queue/join", values)[0] == 400
