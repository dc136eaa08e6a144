"""To whom the server answers, before the page is asked."""

import asyncio
import base64
import os
import subprocess
import sys

import pytest

pytest.importorskip("gradio", reason="pip install -e '.[studio]'")

from tests import ROOT
from tests.processes import PATIENCE
from tests.refusals import refuses
from tfstyle.studio import server
from tfstyle.studio.server import Guard
from tfstyle.studio.server import ServerError


async def _app(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"the page"})


def ask(headers, method="GET", host="127.0.0.1", password=None, kind="http"):
    """Returns the first message of the answer to a request."""
    sent = []

    async def send(message):
        sent.append(message)

    async def receive():
        return {"type": "http.request", "body": b"{}"}

    scope = {
        "type": kind,
        "method": method,
        "path": "/",
        "headers": [(n.encode(), v.encode()) for n, v in headers.items()],
    }
    asyncio.run(Guard(_app, host, password)(scope, receive, send))
    return sent[0]


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:7860", 200),
        ("localhost:7860", 200),
        ("[::1]:7860", 200),
        ("127.0.0.1", 200),
        ("evil.example:7860", 403),
        ("127.0.0.1.evil.example", 403),
        ("", 403),
    ],
)
def test_other_names_that_lead_here_are_refused(host, status):
    assert ask({"host": host})["status"] == status


@pytest.mark.parametrize(
    ("method", "origin", "status"),
    [
        ("POST", "http://127.0.0.1:7860", 200),
        ("POST", None, 200),  # no browser asks without
        ("POST", "http://127.0.0.1:1", 403),
        ("POST", "http://evil.example", 403),
        ("POST", "null", 403),
        ("DELETE", "https://evil.example", 403),
        ("GET", "http://evil.example", 200),  # it cannot read the answer
    ],
)
def test_pages_of_other_origins_change_nothing(method, origin, status):
    headers = {"host": "127.0.0.1:7860"}
    if origin:
        headers["origin"] = origin
    assert ask(headers, method)["status"] == status


def test_websockets_are_closed():
    headers = {"host": "127.0.0.1"}
    assert ask(headers, kind="websocket")["type"] == "websocket.close"


def test_nothing_of_other_hosts_is_loaded():
    headers = dict(ask({"host": "localhost"})["headers"])
    policy = headers[b"content-security-policy"].decode()
    assert policy.startswith("default-src 'self'")
    assert "http" not in policy


@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        (None, 401),
        ("Basic " + base64.b64encode(b"me:secret").decode(), 200),
        ("Basic " + base64.b64encode(b"me:secre").decode(), 401),
        ("Basic " + base64.b64encode(b"secret").decode(), 401),
        ("Bearer secret", 401),
        ("Basic !", 401),
    ],
)
def test_password_is_asked_for(authorization, status):
    headers = {"host": "painter.example:7860"}
    if authorization:
        headers["authorization"] = authorization
    answer = ask(headers, host="0.0.0.0", password="secret")
    assert answer["status"] == status


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.1.2.3", "localhost", "::1", "[::1]"]
)
def test_this_machine_needs_no_password(host):
    server.check_address(host, None)


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "::", "192.168.0.2", "painter.example"]
)
def test_others_are_listened_to_with_a_password_only(host):
    server.check_address(host, "secret")
    with refuses("host", host, kind=ServerError):
        server.check_address(host, None)


@pytest.mark.slow
@pytest.mark.parametrize(
    "argument", ["--port=99999", "--prot=1", "runs", "--host=0.0.0.0"]
)
def test_wrong_flag_is_told_in_a_line(argument):
    ended = subprocess.run(
        [sys.executable, "-m", "tfstyle.studio", argument],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={**os.environ, "TFSTYLE_PASSWORD": ""},
        timeout=PATIENCE,
    )
    assert ended.returncode == 2
    (line,) = ended.stderr.splitlines()
    assert line.startswith("error: ")


def test_port_in_use_is_told():
    with server.listen("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(ServerError, match=f"127.0.0.1:{port}"):
            server.listen("127.0.0.1", port)
