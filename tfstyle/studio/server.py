"""The web server of the studio, and its protection against other sites."""

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
from starlette.datastructures import Headers
from starlette.datastructures import MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.responses import Response

from tfstyle.errors import TfstyleError
from tfstyle.studio import inputs

MAX_UPLOAD = "1gb"  # films are uploaded whole
LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")
POLICY = (
    "default-src 'self' data: blob:; script-src 'self' 'unsafe-inline'"
    " 'unsafe-eval' blob:; style-src 'self' 'unsafe-inline'; worker-src 'self'"
    " blob:; connect-src 'self' data: blob:; frame-ancestors 'none';"
    " form-action 'self'"
)
"""Content security policy of the page; blocks content of other hosts."""
POLICY_OF_FILES = "default-src 'none'; sandbox"
"""Content security policy of served files; blocks their scripts."""


class ServerError(TfstyleError):
    """The server cannot be started."""

    status = 2


def check_address(host: str, password: str | None) -> None:
    """Checks that a password is set if other machines can connect.

    Raises:
        ServerError: if it is missing.
    """
    if not is_local(host) and not password:
        raise ServerError(
            "`host` must be an address of this machine, unless there is a"
            f" password. Received: host={host!r:.200}. Set TFSTYLE_PASSWORD, or"
            " leave out --host."
        )


def is_local(host: str) -> bool:
    """True if only this machine can reach an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


class Guard:
    """ASGI middleware that refuses requests from other pages.

    The Host must be this server's, against DNS rebinding. The Origin of every
    request that may change something must match the Host, against cross-site
    requests.

    Args:
        app: the ASGI application.
        host: address that the server listens on.
        password: password for HTTP basic authentication, with any user name;
            None disables it.
    """

    def __init__(self, app, host: str, password: str | None):
        self._app = app
        self._host = host
        self._password = password

    async def __call__(self, scope, receive, send):
        """Passes a request to the application, or refuses it."""
        if scope["type"] == "websocket":  # the page needs none
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] == "http":
            refusal = self._refuse(scope["method"], Headers(scope=scope))
            if refusal is None and _has_values(scope):
                refusal, receive = await _check_values(receive)
            if refusal is not None:
                await refusal(scope, receive, send)
                return

        is_file = "/file=" in scope.get("path", "")

        async def send_with_policy(message):
            if message["type"] == "http.response.start":
                policy = POLICY_OF_FILES if is_file else POLICY
                MutableHeaders(scope=message).update(
                    {
                        "content-security-policy": policy,
                        "x-content-type-options": "nosniff",
                        "referrer-policy": "no-referrer",
                    }
                )
            await send(message)

        await self._app(scope, receive, send_with_policy)

    def _refuse(self, method: str, headers: Headers) -> Response | None:
        host = headers.get("host", "")
        name = re.sub(r":\d+$", "", host).strip("[]")
        if is_local(self._host) and name not in LOCAL_NAMES:
            return PlainTextResponse(
                "The studio is only available as localhost.", 403
            )
        origin = headers.get("origin")
        is_reading = method in ("GET", "HEAD")
        if origin and not is_reading and origin.partition("://")[2] != host:
            return PlainTextResponse(
                "Requests from other pages are refused.", 403
            )
        if self._password and not self._is_known(headers):
            return PlainTextResponse(
                "The studio requires its password.",
                401,
                {"WWW-Authenticate": 'Basic realm="tfstyle studio"'},
            )
        return None

    def _is_known(self, headers: Headers) -> bool:
        kind, _, code = headers.get("authorization", "").partition(" ")
        try:
            given = base64.b64decode(code).partition(b":")[2]
        except ValueError:
            return False
        wanted = self._password.encode()
        return kind.lower() == "basic" and hmac.compare_digest(given, wanted)


def _has_values(scope) -> bool:
    """True if a request carries values of components."""
    kind = Headers(scope=scope).get("content-type", "")
    is_upload = kind.startswith("multipart/")
    return scope["method"] not in ("GET", "HEAD") and not is_upload


async def _check_values(receive):
    """Checks that the values in a request do not name files of other hosts.

    Gradio would download them, for any component.

    Returns:
        A response that refuses the request, or None; and the ASGI `receive`
        function to read the request from.
    """
    messages = []
    has_more = True
    while has_more:
        messages.append(await receive())
        has_more = messages[-1].get("more_body", False)
    body = b"".join(message.get("body", b"") for message in messages)

    async def receive_again():
        return messages.pop(0) if messages else await receive()

    try:
        json.loads(body or b"null", object_hook=_check_file)
    except PermissionError as error:
        return PlainTextResponse(str(error), 403), receive
    except (ValueError, RecursionError):
        return PlainTextResponse("The request must be JSON.", 400), receive
    return None, receive_again


def _check_file(value: dict) -> None:
    """Checks that an object of a request does not name a file by its URL.

    Raises:
        PermissionError: if it does.
    """
    if "://" in str(value.get("path")):
        raise PermissionError("Files of other hosts are not read.")


def make_app(
    page: gradio.Blocks, root: str, look: dict, host: str, password: str | None
):
    """Makes the web application, which serves the page and files of runs.

    Args:
        page: the page, served at `/`.
        root: the folder of runs, whose files are served.
        look: theme and styles of the page.
        host: address that the server listens on.
        password: password for HTTP basic authentication, or None.
    """
    app = fastapi.FastAPI(docs_url=None, redoc_url=None, openapi_url=None)

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
    # Required for Gradio to check that files in a request were uploaded, and
    # to serve SVG as a download.
    page.has_launched = page.is_running = True
    return Guard(app, host, password)


def listen(host: str, port: int) -> socket.socket:
    """Opens the listening socket of the server; port 0 picks a free port.

    Raises:
        ServerError: if the address or port cannot be used.
    """
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host.strip("[]"), port), family=family)
    except OSError as error:
        raise ServerError(
            f"The studio cannot listen on {host}:{port} ({error.strerror})."
            " Choose another --port, or leave it out."
        ) from error


def serve(app, listener: socket.socket) -> None:
    """Runs the server until a signal stops it."""
    config = uvicorn.Config(
        app, log_level="error", timeout_graceful_shutdown=2, lifespan="on"
    )
    uvicorn.Server(config).run(sockets=[listener])
