#!/usr/bin/env bash
# Expected: fsspec tells a file that a web server does not have (404) from a server
# that is overloaded (503) or not there: the first is final, the others pass, so that
# a program that resumes its work must not take one for the other.
# What happens: `info` raises FileNotFoundError for all three, and `exists` is False;
# only the exception's `__cause__` tells which it was. s3fs, with the same interface,
# raises OSError for a server error.
# Why: HTTPFileSystem._info tries HEAD, then GET, and turns whatever is left into
# FileNotFoundError; _exists catches aiohttp.ClientError and returns False.
# Source: fsspec/implementations/http.py; seen with fsspec 2026.9.0, aiohttp 3.13.2.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet fsspec==2026.9.0 aiohttp==3.13.2
"$work/venv/bin/python" - <<'END'
import http.server
import threading

import fsspec


class Answers(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(404 if "none" in self.path else 503)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_HEAD = do_GET

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
threading.Thread(target=server.serve_forever, daemon=True).start()
address = f"http://127.0.0.1:{server.server_port}"
store = fsspec.filesystem("http")
cases = {
    "404": f"{address}/none.png",
    "503": f"{address}/busy.png",
    "nobody listens": "http://127.0.0.1:9/a.png",
}
for name, file in cases.items():
    try:
        store.info(file)
        raise SystemExit(f"{name}: no error")
    except FileNotFoundError as error:
        cause = type(error.__cause__).__name__
        status = getattr(error.__cause__, "status", None)
        exists = store.exists(file)
        print(f"{name}: FileNotFoundError from {cause} {status}, {exists=}")
        assert not exists
server.shutdown()
END
