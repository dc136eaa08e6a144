"""The server: what it answers, and to whom."""

import base64
import hmac
import ipaddress
import json
import os
import re
import socket

import fastapi
import gradio
import uvicorn
from starlette.responses import FileResponse
from starlette.responses import PlainTextResponse

from tfstyle.errors import TfstyleError
from tfstyle.studio import inputs
from tfstyle.studio import runs

MAX_UPLOAD = "100mb"
MAX_VALUES = 10_000_000
"""Bytes of the values of a request."""
LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")
POLICY = (
    "default-src 'self' data: blob:; script-src 'self' 'unsafe-inline'"
    " 'unsafe-eval' blob:; style-src 'self' 'unsafe-inline'; worker-src 'self'"
    " blob:; connect-src 'self' data: blob:; frame-ancestors 'none';"
    " form-action 'self'"
)
"""What a browser may load: nothing of other hosts."""
POLICY_OF_FILES = "default-src 'none'; sandbox"
"""For files, whose scripts must not run."""


class ServerError(TfstyleError):
    """The server cannot be started."""

    status = 2


def check_address(host: str, password: str | None) -> None:
    """Refuses to listen to others without a password.

    Raises:
        ServerError: if there is none.
    """
    if not is_local(host) and not password:
        raise ServerError(
            f"The studio would listen on {host}, where others can reach it."
            " Give --password, or leave out --host."
        )


def is_local(host: str) -> bool:
    """Returns whether only this machine reaches an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


class Guard:
    """Refuses what is not from the page itself, before it is looked at.

    The Host must be this server's: a page of another name that is made to lead
    here (DNS rebinding) has its own. So must the Origin of whatever may change
    something: a page of another origin has its own.

    Args:
        app: of ASGI.
        host: that the server listens on.
        password: that the browser must know, of any user; None: none.
    """

    def __init__(self, app, host: str, password: str | None):
        self._app = app
        self._host = host
        self._password = password

    async def __call__(self, scope, receive, send):
        """Passes a request on, or answers with a refusal."""
        if scope["type"] == "websocket":  # the page needs none
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] == "http":
            refusal = self._refuse(scope)
            if refusal is None and _has_values(scope):
                refusal, receive = await _check_values(receive)
            if refusal is not None:
                await refusal(scope, receive, send)
                return

        is_file = "/file=" in scope.get("path", "")
        policy = POLICY_OF_FILES if is_file else POLICY

        async def send_with_policy(message):
            if message["type"] == "http.response.start":
                message["headers"] = [
                    *message["headers"],
                    (b"content-security-policy", policy.encode()),
                    (b"x-content-type-options", b"nosniff"),
                    (b"referrer-policy", b"no-referrer"),
                ]
            await send(message)

        await self._app(scope, receive, send_with_policy)

    def _refuse(self, scope) -> PlainTextResponse | None:
        headers = {
            name.decode("latin-1"): value.decode("latin-1")
            for name, value in scope["headers"]
        }
        host = headers.get("host", "")
        name = re.sub(r":\d+$", "", host).strip("[]")
        if is_local(self._host) and name not in LOCAL_NAMES:
            return PlainTextResponse("This is not the studio's name.", 403)
        origin = headers.get("origin")
        is_reading = scope["method"] in ("GET", "HEAD")
        if origin and not is_reading and origin.partition("://")[2] != host:
            return PlainTextResponse("Another page cannot ask for this.", 403)
        if self._password and not self._is_known(headers):
            return PlainTextResponse(
                "The studio asks for its password.",
                401,
                {"WWW-Authenticate": 'Basic realm="tfstyle studio"'},
            )
        return None

    def _is_known(self, headers: dict[str, str]) -> bool:
        kind, _, code = headers.get("authorization", "").partition(" ")
        try:
            given = base64.b64decode(code).partition(b":")[2]
        except ValueError:
            return False
        wanted = self._password.encode()
        return kind.lower() == "basic" and hmac.compare_digest(given, wanted)


def _has_values(scope) -> bool:
    """Returns whether a request brings values of components."""
    kind = dict(scope["headers"]).get(b"content-type", b"")
    is_upload = kind.startswith(b"multipart/")
    return scope["method"] not in ("GET", "HEAD") and not is_upload


async def _check_values(receive):
    """Reads a request's values; refuses those that name another host's file.

    Gradio would fetch it, whatever the component.

    Returns:
        The refusal or None, and what to receive the request from.
    """
    messages = []
    body = b""
    while True:
        message = await receive()
        messages.append(message)
        body += message.get("body", b"")
        if len(body) > MAX_VALUES:
            return PlainTextResponse("These are too many values.", 413), receive
        if not message.get("more_body"):
            break

    async def receive_again():
        return messages.pop(0) if messages else await receive()

    try:
        has_address = _has_address(json.loads(body or b"null"))
    except (ValueError, RecursionError):
        return PlainTextResponse("These are no values.", 400), receive
    if has_address:
        return PlainTextResponse("Files of other hosts are not read.", 403), (
            receive
        )
    return None, receive_again


def _has_address(value) -> bool:
    """Returns whether a file in some values is an address, not a path."""
    if isinstance(value, list):
        return any(map(_has_address, value))
    if not isinstance(value, dict):
        return False
    path = value.get("path")
    is_address = isinstance(path, str) and "://" in path
    return is_address or any(map(_has_address, value.values()))


def make_app(
    page: gradio.Blocks, root: str, look: dict, host: str, password: str | None
):
    """Returns the application: the page, and the pictures of runs.

    Args:
        page: to be shown at `/`.
        root: the folder of runs, of which it may show pictures.
        look: what the page is launched with: its theme and styles.
        host: that the server listens on.
        password: that is asked for, or None.
    """
    app = fastapi.FastAPI(docs_url=None, redoc_url=None, openapi_url=None)

    @app.get("/preview/{name}")
    def preview(name: str):
        run = runs.find_run(root, name)
        path = run and (run.preview or run.picture)
        if path is None:
            return PlainTextResponse("There is no such preview.", 404)
        return FileResponse(path, headers={"cache-control": "no-store"})

    @app.get("/picture/{name}")
    def picture(name: str):
        run = runs.find_run(root, name)
        if run is None or run.picture is None:
            return PlainTextResponse("There is no such picture.", 404)
        return FileResponse(run.picture)

    app = gradio.mount_gradio_app(
        app,
        page,
        path="/",
        server_name=host,
        allowed_paths=[os.path.abspath(root), str(inputs.SAMPLES)],
        max_file_size=MAX_UPLOAD,
        show_error=True,
        footer_links=[],
        ssr_mode=False,
        pwa=False,
        mcp_server=False,
        enable_monitoring=False,
        **look,
    )
    # Only then Gradio checks that files in a request were uploaded, and serves
    # an SVG as a download.
    page.has_launched = page.is_running = True
    return Guard(app, host, password)


def listen(host: str, port: int) -> socket.socket:
    """Returns the socket of the server, of a free port if it is 0.

    Raises:
        ServerError: if it cannot be had.
    """
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host.strip("[]"), port), family=family)
    except OSError as error:
        raise ServerError(
            f"The studio cannot listen on {host}:{port} ({error.strerror})."
            " Give another --port, or none."
        ) from error


def serve(app, listener: socket.socket) -> None:
    """Serves until a signal ends it."""
    config = uvicorn.Config(
        app, log_level="error", timeout_graceful_shutdown=2, lifespan="on"
    )
    uvicorn.Server(config).run(sockets=[listener])
