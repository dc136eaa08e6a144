"""The web server of the studio, and its protection against other sites."""

import asyncio
import base64
import contextlib
import errno
import hmac
import ipaddress
import json
import os
import re
import secrets
import socket
import urllib.parse
from collections.abc import Sequence

import fastapi
import gradio
import uvicorn
from starlette.datastructures import Headers
from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse
from starlette.responses import RedirectResponse
from starlette.responses import Response

from tfstyle.errors import TfstyleError
from tfstyle.studio import inputs
from tfstyle.studio.widgets import PICTURE
from tfstyle.studio.widgets import PICTURE_TYPES

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
PORT = 7865
"""Port of the studio if it is free, so that an open page finds it again."""
NUM_PORTS = 100
ALIVE = "/alive"
"""Address that answers with a token of this process, for `reconnect.js`."""
_HOST_NAME = re.compile(r"(?=.{1,100}$)[a-z0-9]([a-z0-9.-]*[a-z0-9])?", re.I)
_ROOT_PATH = re.compile(r"(/[\w@%:+-][\w.~@%:+-]*)*", re.ASCII)


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


def check_names(names: Sequence[str]) -> None:
    """Checks the host names of proxies.

    Raises:
        ServerError: if one is not a host name.
    """
    for name in names:
        if not _HOST_NAME.fullmatch(name):
            raise ServerError(
                "`name` must be host names, without scheme and port, such as"
                f" hub.example.org. Received: name={name!r:.200}."
            )


def check_root_path(root_path: str) -> str:
    """Checks the path prefix of a proxy; returns it without a final slash.

    Raises:
        ServerError: if it is not a path.
    """
    prefix = root_path.rstrip("/")
    if not _ROOT_PATH.fullmatch(prefix):
        raise ServerError(
            "`root_path` must be a path as in the address bar, such as"
            f" /user/me/studio. Received: root_path={root_path!r:.200}."
        )
    return prefix


class Guard:
    """ASGI middleware that refuses requests from other pages.

    The Host must be this server's or a proxy's, against DNS rebinding. The
    Origin of every request that may change something must match the Host or be
    a proxy's, against cross-site requests.

    Args:
        app: the ASGI application.
        host: address that the server listens on.
        password: password for HTTP basic authentication, with any user name;
            None disables it.
        names: host names of proxies.
        root_path: path prefix of the proxy, which it may strip or not.
    """

    def __init__(
        self,
        app,
        host: str,
        password: str | None,
        names: Sequence[str] = (),
        root_path: str = "",
    ):
        self._app = app
        self._host = host
        self._password = password
        self._names = [name.lower() for name in names]
        self._root_path = root_path
        self._prefix = urllib.parse.unquote(root_path)

    async def __call__(self, scope, receive, send):
        """Passes a request to the application, or refuses it."""
        if scope["type"] == "websocket":  # the page needs none
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] == "http":
            headers = Headers(scope=scope)
            refusal = self._refuse(scope["method"], headers)
            if refusal is None and scope["path"] == self._prefix != "":
                refusal = RedirectResponse(f"{self._root_path}/")
            if refusal is None and _has_values(scope):
                refusal, receive = await _check_values(receive)
            if refusal is not None:
                await refusal(scope, receive, send)
                return
            scope = self._at_public_address(scope, headers)

        path = scope.get("path", "")
        is_file = "/file=" in path or path == f"/{PICTURE}"

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

        with contextlib.suppress(ClientDisconnect):  # during an upload
            await self._app(scope, receive, send_with_policy)

    def _refuse(self, method: str, headers: Headers) -> Response | None:
        hosts = [headers.get("host", "")]
        if "x-forwarded-host" in headers:
            hosts.append(headers["x-forwarded-host"].partition(",")[0].strip())
        for name in map(_name_of, hosts):
            known = (*LOCAL_NAMES, *self._names)
            if is_local(self._host) and name not in known:
                return PlainTextResponse(_describe_names(name), 403)
        is_reading = method in ("GET", "HEAD")
        if "origin" in headers and not is_reading and not self._is_own(headers):
            return PlainTextResponse(
                "Requests from other pages are refused. If the studio is behind"
                " a proxy, start it with --name=HOST.",
                403,
            )
        if self._password and not self._is_known(headers):
            return PlainTextResponse(
                "The studio requires its password.",
                401,
                {"WWW-Authenticate": 'Basic realm="tfstyle studio"'},
            )
        return None

    def _is_own(self, headers: Headers) -> bool:
        """True if the Origin of a request is a page of this server."""
        scheme, _, address = headers.get("origin", "").partition("://")
        is_same = address == headers.get("host")
        is_known = is_same or _name_of(address) in self._names
        return scheme in ("http", "https") and is_known

    def _at_public_address(self, scope, headers: Headers) -> dict:
        """Returns a request as the browser made it, before any proxy.

        The Origin is the address of the page, which Gradio otherwise takes
        from Host and the headers of proxies, and gives to the files that it
        shows. The prefix is removed.
        """
        path = scope["path"]
        if self._prefix and path.startswith(f"{self._prefix}/"):
            path = path[len(self._prefix) :]
        found = {"path": path}
        if self._is_own(headers):
            scheme, _, address = headers["origin"].partition("://")
            others = [
                pair
                for pair in scope["headers"]
                if pair[0] != b"host" and not pair[0].startswith(b"x-forwarded")
            ]
            found["scheme"] = scheme
            found["headers"] = [*others, (b"host", address.encode())]
        return scope | found

    def _is_known(self, headers: Headers) -> bool:
        kind, _, code = headers.get("authorization", "").partition(" ")
        try:
            given = base64.b64decode(code).partition(b":")[2]
        except ValueError:
            return False
        wanted = self._password.encode()
        return kind.lower() == "basic" and hmac.compare_digest(given, wanted)


def _name_of(address: str) -> str:
    """Returns the host name of an address, without its port."""
    return re.sub(r":\d+$", "", address).strip("[]").lower()


def _describe_names(name: str) -> str:
    """Describes why a host name is refused; repeats only harmless ones."""
    if not _HOST_NAME.fullmatch(name):
        name = "HOST"
    return (
        "The studio is only available as localhost. If this is your proxy,"
        f" start it with --name={name}."
    )


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
    page: gradio.Blocks,
    root: str,
    look: dict,
    host: str,
    password: str | None,
    names: Sequence[str] = (),
    root_path: str = "",
):
    """Makes the web application, which serves the page and files of runs.

    Args:
        page: the page, served at `/`.
        root: the folder of runs, whose files are served.
        look: theme and styles of the page.
        host: address that the server listens on.
        password: password for HTTP basic authentication, or None.
        names: host names of proxies.
        root_path: path prefix of the proxy, without a final slash.
    """
    app = fastapi.FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    token = secrets.token_hex(8)

    @app.get(ALIVE)
    def tell_token() -> Response:
        return PlainTextResponse(token, headers={"cache-control": "no-store"})

    @app.get(f"/{PICTURE}")
    def send_picture(request: fastapi.Request, path: str) -> Response:
        known = request.headers.get("if-none-match")
        return answer_with_picture(root, path, known)

    app = gradio.mount_gradio_app(
        app,
        page,
        path="/",
        server_name=host,
        root_path=root_path or None,
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
    return Guard(app, host, password, names, root_path)


def answer_with_picture(root: str, path: str, known: str | None) -> Response:
    """Answers with a picture in the folder of runs.

    It is read at once, as a run may replace it at any time.

    Args:
        root: the folder of runs.
        path: path of the picture, absolute.
        known: entity tag of the picture in the browser's cache, or None.

    Returns:
        Status 404 unless it is a picture in the folder, without links that
        lead elsewhere.
    """
    try:
        folder = os.path.realpath(root)
        found = os.path.realpath(path, strict=True)
        kind = PICTURE_TYPES.get(os.path.splitext(found)[1].lower())
        is_inside = os.path.commonpath([folder, found]) == folder
        if kind is None or not is_inside or not os.path.isfile(found):
            raise FileNotFoundError(path)
        with open(found, "rb") as file:
            facts = os.fstat(file.fileno())
            tag = f'"{facts.st_mtime_ns:x}-{facts.st_size:x}"'
            headers = {"etag": tag, "cache-control": "private, no-cache"}
            if known == tag:
                return Response(status_code=304, headers=headers)
            return Response(file.read(), media_type=kind, headers=headers)
    except (OSError, ValueError):
        return PlainTextResponse("There is no such picture.", 404)


def listen(host: str, port: int | None) -> socket.socket:
    """Opens the listening socket of the server.

    Args:
        host: address to listen on.
        port: port; 0 picks a free one, None the first free one from PORT on.

    Raises:
        ServerError: if the address or port cannot be used.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    ports = list(range(PORT, PORT + NUM_PORTS)) if port is None else [port]
    while True:
        number = ports.pop(0)
        try:
            return socket.create_server(
                (host.strip("[]"), number), family=family
            )
        except OSError as error:
            if error.errno == errno.EADDRINUSE and ports:
                continue
            raise ServerError(
                f"The studio cannot listen on {host}:{number}"
                f" ({error.strerror}). Choose another --port, or leave it out."
            ) from error


class Server(uvicorn.Server):
    """A web server that closes all connections when it stops.

    Gradio's pages hold streams open for as long as they are shown. Uvicorn
    would cancel them after a while and print a traceback of each.

    Args:
        app: the ASGI application.
    """

    def __init__(self, app):
        # The loop must leave signals alone, see `StopSignals`.
        super().__init__(
            uvicorn.Config(
                app, log_level="error", lifespan="on", loop="asyncio"
            )
        )

    def stop(self) -> None:
        """Stops the server; may be called from any thread."""
        self.should_exit = True

    def capture_signals(self):
        """Leaves signals to `StopSignals`."""
        return contextlib.nullcontext()

    async def shutdown(self, sockets=None) -> None:
        """Closes all connections and waits for running event handlers."""
        closing = asyncio.create_task(self._close_connections())
        await super().shutdown(sockets)
        closing.cancel()

    async def _close_connections(self) -> None:
        """Closes all connections, and those that are accepted meanwhile."""
        while True:
            for connection in list(self.server_state.connections):
                connection.transport.abort()
            await asyncio.sleep(0.1)
