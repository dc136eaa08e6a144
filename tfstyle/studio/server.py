"""The server: what it answers, and to whom."""

import base64
import hmac
import ipaddress
import os
import re
import socket

import fastapi
import gradio
import uvicorn
from starlette.responses import FileResponse
from starlette.responses import PlainTextResponse

from tfstyle.errors import TfstyleError
from tfstyle.studio import runs

MAX_UPLOAD = "100mb"
LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")
POLICY = (
    "default-src 'self' data: blob:; script-src 'self' 'unsafe-inline'"
    " 'unsafe-eval' blob:; style-src 'self' 'unsafe-inline'; worker-src 'self'"
    " blob:; connect-src 'self' data: blob:; frame-ancestors 'none';"
    " form-action 'self'"
)
"""What a browser may load: nothing of other hosts."""


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
        if scope["type"] == "http" and (refusal := self._refuse(scope)):
            await refusal(scope, receive, send)
            return

        async def send_with_policy(message):
            if message["type"] == "http.response.start":
                message["headers"] = [
                    *message["headers"],
                    (b"content-security-policy", POLICY.encode()),
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


def make_app(
    page: gradio.Blocks, root: str, look: dict, host: str, password: str | None
):
    """Returns the application: the page, and the previews of runs.

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

    app = gradio.mount_gradio_app(
        app,
        page,
        path="/",
        server_name=host,
        allowed_paths=[os.path.abspath(root)],
        max_file_size=MAX_UPLOAD,
        show_error=True,
        footer_links=[],
        ssr_mode=False,
        pwa=False,
        mcp_server=False,
        enable_monitoring=False,
        **look,
    )
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
