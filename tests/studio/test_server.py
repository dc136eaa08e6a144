"""To whom the server answers, before the page is asked."""

import asyncio
import base64
import os
import subprocess
import sys

import pytest

pytest.importorskip("gradio", reason="pip install -e '.[studio]'")

from uvicorn.lifespan.off import LifespanOff

from tests import ROOT
from tests.processes import PATIENCE
from tests.refusals import refuses
from tfstyle.studio import server
from tfstyle.studio.server import Guard
from tfstyle.studio.server import ServerError


async def _app(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"the page"})


def ask(
    headers,
    method="GET",
    host="127.0.0.1",
    password=None,
    kind="http",
    app=_app,
    path="/",
    **proxy,
):
    """Returns the first message of the answer to a request."""
    sent = []

    async def send(message):
        sent.append(message)

    async def receive():
        return {"type": "http.request", "body": b"{}"}

    scope = {
        "type": kind,
        "method": method,
        "path": path,
        "headers": [(n.encode(), v.encode()) for n, v in headers.items()],
    }
    guard = Guard(app, host, password, **proxy)
    asyncio.run(guard(scope, receive, send))
    return sent[0]


def read_refusal(name):
    """Returns the answer to a request for another host name."""
    sent = []

    async def send(message):
        sent.append(message)

    headers = [(b"host", name.encode("latin-1"))]
    scope = {"type": "http", "method": "GET", "path": "/", "headers": headers}
    asyncio.run(Guard(_app, "127.0.0.1", None)(scope, None, send))
    assert sent[0]["status"] == 403
    return sent[1]["body"].decode()


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


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "hub.example.org"}, 200),
        ({"host": "HUB.example.org:8443"}, 200),
        ({"host": "localhost:7865"}, 200),
        ({"host": "localhost", "x-forwarded-host": "hub.example.org"}, 200),
        ({"host": "localhost", "x-forwarded-host": "evil.example"}, 403),
        ({"host": "hub.example.org.evil.example"}, 403),
        ({"host": "evil.example"}, 403),
    ],
)
def test_names_of_proxies_are_answered(headers, status):
    answer = ask(headers, names=["hub.example.org"])
    assert answer["status"] == status


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("https://hub.example.org", 200),
        ("https://hub.example.org:8443", 200),
        ("http://127.0.0.1:7860", 200),
        ("http://127.0.0.1:1", 403),
        ("https://evil.example", 403),
        ("https://hub.example.org.evil.example", 403),
        ("https://evil.example/hub.example.org", 403),
        ("https://me@hub.example.org", 403),
        ("app://hub.example.org", 403),
        ("null", 403),
    ],
)
def test_only_pages_of_the_proxy_change_something(origin, status):
    headers = {"host": "127.0.0.1:7860", "origin": origin}
    answer = ask(headers, "POST", names=["hub.example.org"])
    assert answer["status"] == status


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("hub.example.org:8443", "--name=hub.example.org."),
        ("a" * 101, "--name=HOST."),
        ("<script>", "--name=HOST."),
        ("a b", "--name=HOST."),
        ("caf\xe9.example", "--name=HOST."),
    ],
)
def test_refusal_names_the_flag(name, told):
    (line,) = read_refusal(name).splitlines()
    assert line.endswith(told)


@pytest.mark.parametrize(
    "name",
    ["*", "*.example.org", "http://a", "a:80", "a/b", "", "a" * 101, "a\nb"],
)
def test_names_are_host_names(name):
    server.check_names(["hub.example.org", "localhost", "192.168.0.2"])
    with refuses("name", kind=ServerError):
        server.check_names(["hub.example.org", name])


@pytest.mark.parametrize(
    ("root_path", "expected"),
    [
        ("", ""),
        ("/", ""),
        ("/studio/", "/studio"),
        ("/user/j%40x/proxy/7865", "/user/j%40x/proxy/7865"),
    ],
)
def test_final_slash_of_a_prefix_is_removed(root_path, expected):
    assert server.check_root_path(root_path) == expected


@pytest.mark.parametrize(
    "root_path", ["studio", "http://a/b", "/a//b", "/..", "/a?b", '/"', "/\n"]
)
def test_prefix_is_a_path(root_path):
    with refuses("root_path", kind=ServerError):
        server.check_root_path(root_path)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/me@home/studio/alive", "/alive"),
        ("/me@home/studio/", "/"),
        ("/alive", "/alive"),
        ("/me@home/studios", "/me@home/studios"),
    ],
)
def test_application_sees_the_browser_s_request(path, expected):
    seen = {}

    async def app(scope, receive, send):
        seen.update(scope)
        await _app(scope, receive, send)

    headers = {
        "host": "127.0.0.1:7865",
        "origin": "https://hub.example.org:8443",
        "x-forwarded-host": "hub.example.org",
        "x-forwarded-proto": "http",
    }
    ask(
        headers,
        app=app,
        path=path,
        names=["hub.example.org"],
        root_path="/me%40home/studio",
    )
    assert seen["path"] == expected
    assert seen["scheme"] == "https"
    assert dict(seen["headers"]) == {
        b"host": b"hub.example.org:8443",
        b"origin": b"https://hub.example.org:8443",
    }


def test_prefix_without_a_slash_leads_to_the_page():
    answer = ask({"host": "localhost"}, path="/a", root_path="/a")
    assert answer["status"] == 307
    assert (b"location", b"/a/") in answer["headers"]


def test_websockets_are_closed():
    headers = {"host": "127.0.0.1"}
    assert ask(headers, kind="websocket")["type"] == "websocket.close"


class _Connection:
    """A stream that is open; another one is accepted as it is closed."""

    def __init__(self, streams, has_next):
        self.transport = self
        self._streams = streams
        self._has_next = has_next

    def abort(self):
        self._streams.discard(self)
        if self._has_next:
            self._streams.add(_Connection(self._streams, False))

    def shutdown(self):
        """Leaves a stream open, as uvicorn does."""


def test_connections_are_closed_that_are_accepted_while_it_stops():
    async def stop():
        running = server.Server(_app)
        running.lifespan = LifespanOff(running.config)
        running.servers = []
        streams = running.server_state.connections
        streams.add(_Connection(streams, True))
        await running.shutdown()
        return streams

    assert asyncio.run(asyncio.wait_for(stop(), PATIENCE)) == set()


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
    "argument",
    [
        *("--port=99999", "--prot=1", "runs", "--host=0.0.0.0"),
        *("--name=*", "--root_path=studio"),
    ],
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


def test_next_free_port_is_taken(monkeypatch):
    with server.listen("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        monkeypatch.setattr(server, "PORT", port)
        with server.listen("127.0.0.1", None) as second:
            assert port < second.getsockname()[1] < port + server.NUM_PORTS
    with server.listen("127.0.0.1", None) as again:
        assert again.getsockname()[1] == port


def test_no_free_port_is_told(monkeypatch):
    with server.listen("127.0.0.1", 0) as listener:
        monkeypatch.setattr(server, "PORT", listener.getsockname()[1])
        monkeypatch.setattr(server, "NUM_PORTS", 1)
        with pytest.raises(ServerError, match="--port"):
            server.listen("127.0.0.1", None)


@pytest.fixture
def runs(tmp_path):
    """Returns a folder of runs with a picture, and another folder beside it."""
    for name in ("runs/one", "others"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "preview.jpg").write_bytes(b"the picture")
    return tmp_path / "runs"


def read_picture(root, path, known=None):
    return server.answer_with_picture(str(root), str(path), known)


def test_picture_of_a_run_is_served_whole(runs):
    path = runs / "one" / "preview.jpg"
    answer = read_picture(runs, path)
    assert (answer.status_code, answer.body) == (200, b"the picture")
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.headers["content-length"] == "11"
    tag = answer.headers["etag"]
    assert read_picture(runs, path, tag).status_code == 304
    path.write_bytes(b"the next one")
    assert read_picture(runs, path, tag).body == b"the next one"


def test_other_files_are_not_served(runs):
    others = runs.parent / "others"
    (runs / "one" / "flags.cfg").write_text("")
    (runs / "one" / "a.svg").write_text("")
    (runs / "one" / "folder.png").mkdir()
    os.mkfifo(runs / "pipe.png")
    (runs / "flags.png").symlink_to(runs / "one" / "flags.cfg")
    (runs / "file.png").symlink_to(others / "preview.jpg")
    (runs / "two").symlink_to(others)
    (runs.parent / "runs2").mkdir()
    (runs.parent / "runs2" / "a.png").write_bytes(b"")
    for path in (
        others / "preview.jpg",
        runs / ".." / "others" / "preview.jpg",
        runs / "file.png",
        runs / "flags.png",
        runs / "pipe.png",
        runs / "two" / "preview.jpg",
        runs.parent / "runs2" / "a.png",
        runs / "one" / "flags.cfg",
        runs / "one" / "a.svg",
        runs / "one" / "folder.png",
        runs / "one" / "missing.png",
        "one/preview.jpg",
        "/etc/passwd",
        "",
        "a\0.png",
    ):
        assert read_picture(runs, path).status_code == 404, path
