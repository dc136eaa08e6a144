"""The studio behind a real reverse proxy, nginx, in a browser."""

import contextlib
import shutil
import socket
import subprocess
import time

import pytest

from tests.processes import PATIENCE
from tools.studio_browser import running_studio

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
NAME = "hub.localhost"  # which Chromium looks for on this machine
PREFIX = "/user/me/studio"
PROXIES = {
    "strips the prefix": """
        location {prefix}/ {{
            proxy_pass {studio}/;
            proxy_set_header Host $http_host;
        }}""",
    "keeps the prefix": """
        location {prefix} {{
            proxy_pass {studio};
            proxy_set_header Host $http_host;
        }}""",
    "has its own Host": """
        location {prefix}/ {{
            proxy_pass {studio}/;
            proxy_set_header X-Forwarded-Host $http_host;
        }}""",
}
CONFIGURATION = """
daemon off;
master_process off;
pid {folder}/pid;
error_log {folder}/error.log;
events {{}}
http {{
    access_log off;
    client_max_body_size 0;
    client_body_temp_path {folder}/bodies;
    proxy_temp_path {folder}/proxied;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    {servers}
}}
"""


def find_free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


@contextlib.contextmanager
def running_nginx(folder, servers):
    """Runs nginx during a block, by ports and contents of its servers."""
    program = shutil.which("nginx")
    if program is None:
        raise FileNotFoundError("nginx is missing: apt-get install nginx-light")
    text = "\n".join(
        f"server {{ listen 127.0.0.1:{port}; {server} }}"
        for port, server in servers.items()
    )
    path = folder / "nginx.conf"
    path.write_text(CONFIGURATION.format(folder=folder, servers=text))
    log = folder / "error.log"
    process = subprocess.Popen([program, "-e", log, "-p", folder, "-c", path])
    try:
        for port in servers:
            wait_for_port(process, port)
        yield
    finally:
        process.terminate()
        process.wait(PATIENCE)


def wait_for_port(process, port):
    while True:
        with contextlib.suppress(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port)).close()
            return
        assert process.poll() is None
        time.sleep(0.1)


@pytest.fixture(scope="module")
def proxied(tmp_path_factory):
    """Returns the addresses of a studio by kinds of proxies."""
    root, folder = map(tmp_path_factory.mktemp, ("runs", "nginx"))
    ports = {find_free_port(): kind for kind in PROXIES}
    flags = (f"--name={NAME}", f"--root_path={PREFIX}")
    with running_studio(root, 0, *flags) as (studio, _):
        servers = {
            port: PROXIES[kind].format(studio=studio, prefix=PREFIX)
            for port, kind in ports.items()
        }
        with running_nginx(folder, servers):
            yield {
                kind: f"http://{NAME}:{port}{PREFIX}/"
                for port, kind in ports.items()
            }


@pytest.mark.parametrize("kind", list(PROXIES))
def test_picture_is_painted_under_the_prefix(new_page, proxied, kind):
    # No request of the page may leave the prefix, see `new_page`.
    visitor = new_page(proxied[kind])
    visitor.choose()
    name = visitor.paint()
    shown = "() => document.querySelector('#viewer .result')?.naturalWidth > 0"
    visitor.page.wait_for_function(shown)
    visitor.page.reload()  # pictures of the form now come from the studio
    visitor.wait_for_run(name)
    for place in ("#content", "#style-1"):
        visitor.page.wait_for_function(
            "x => document.querySelector(`${x} img`)?.naturalWidth > 0",
            arg=place,
        )
    visitor.stop()


def test_prefix_without_a_slash_is_completed(new_page, proxied):
    address = proxied["keeps the prefix"]
    visitor = new_page(address.rstrip("/"))
    assert visitor.page.url == address
