"""Stops and starts of the studio, with pages open."""

import re
import signal
import socket
import time

import pytest

from tests.processes import finish
from tests.processes import start
from tests.studio.visitor import Visitor
from tfstyle.studio import server
from tools.studio_browser import running_studio

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
STOPPING = "\nStopping. Press Ctrl-C again to quit at once.\n"


def start_studio(root, *arguments):
    """Starts a studio; returns its process and address."""
    process = start(
        *(f"--runs={root}", "--port=0", *arguments),
        program=("-m", "tfstyle.studio"),
    )
    return process, re.search(r"http://\S+", process.stdout.readline())[0]


def test_open_page_comes_back_when_the_studio_is_started_again(
    browser, tmp_path
):
    page = browser.new_page()
    with running_studio(tmp_path) as (address, _):
        Visitor(page, address)
        page.evaluate("window.isOld = true")
        page.wait_for_timeout(3000)
        assert page.locator("#stopped").is_hidden()
    bar = page.locator("#stopped")
    bar.wait_for()
    assert "python -m tfstyle.studio" in bar.inner_text()
    port = int(address.rpartition(":")[2])
    with running_studio(tmp_path, port) as (again, _):
        assert again == address
        page.wait_for_function("() => !window.isOld")
        page.locator("#paint").wait_for()
        page.locator("#stopped").wait_for(state="hidden")
        page.close()


@pytest.mark.parametrize("is_painting", [False, True])
def test_ctrl_c_ends_the_studio_in_one_line(browser, tmp_path, is_painting):
    process, address = start_studio(tmp_path)
    page = browser.new_page()
    visitor = Visitor(page, address)
    if is_painting:
        visitor.choose()
        name = visitor.paint()
    process.send_signal(signal.SIGINT)
    assert finish(process) == (130, STOPPING)
    if is_painting:
        assert (tmp_path / name / "output.png").exists()
    page.close()


@pytest.mark.parametrize("pause", [0.05, 0.3, 1])
def test_second_ctrl_c_prints_nothing(browser, tmp_path, pause):
    process, address = start_studio(tmp_path)
    page = browser.new_page()
    Visitor(page, address)
    process.send_signal(signal.SIGINT)
    time.sleep(pause)
    process.send_signal(signal.SIGINT)
    assert finish(process) == (130, STOPPING)
    page.close()


def test_upload_that_is_interrupted_prints_nothing(tmp_path):
    process, address = start_studio(tmp_path)
    host, port = address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as connection:
        head = (
            f"POST /gradio_api/upload HTTP/1.1\r\nHost: {host}:{port}\r\n"
            "Content-Type: multipart/form-data; boundary=x\r\n"
            "Content-Length: 1000000\r\n\r\n"
            '--x\r\nContent-Disposition: form-data; name="files";'
            ' filename="a.png"\r\n\r\n'
        )
        connection.sendall(head.encode() + b"0" * 1000)
        time.sleep(1)
        process.send_signal(signal.SIGINT)
        assert finish(process) == (130, STOPPING)


def test_terminated_studio_ends_cleanly(tmp_path):
    process, _ = start_studio(tmp_path)
    process.send_signal(signal.SIGTERM)
    assert finish(process) == (143, STOPPING)


def test_taken_port_is_told(tmp_path):
    program = ("-m", "tfstyle.studio")
    flag = f"--runs={tmp_path}"
    with server.listen("127.0.0.1", None) as taken:
        port = taken.getsockname()[1]
        process = start(flag, f"--port={port}", program=program)
        status, error = finish(process)
    assert status == 2
    (line,) = error.splitlines()
    assert f"127.0.0.1:{port}" in line
