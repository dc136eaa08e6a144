"""Command line of the studio: `python -m tfstyle.studio --open`."""

import os
import signal
import sys
import webbrowser

from absl import app
from absl import flags

from tfstyle.errors import ConfigError
from tfstyle.errors import SetupError
from tfstyle.errors import one_line
from tfstyle.studio import inputs
from tfstyle.system import paths
from tfstyle.system.exit_status import status_of
from tfstyle.system.signals import StopSignals

STOPPING = "Stopping. Press Ctrl-C again to quit at once."
_PORT = flags.DEFINE_integer(
    "port",
    None,
    "port; 0 picks a free one; by default 7865, or the next free one",
    0,
    65535,
)
_HOST = flags.DEFINE_string(
    "host", "127.0.0.1", "address to listen on; a public one needs --password"
)
_PASSWORD = flags.DEFINE_string(
    "password",
    None,
    "password for the browser, with any user name; the environment variable"
    " TFSTYLE_PASSWORD is safer, as other users cannot see it",
)
_NAME = flags.DEFINE_list(
    "name",
    [],
    "host names under which a proxy shows the studio, such as hub.example.org",
)
_ROOT_PATH = flags.DEFINE_string(
    "root_path",
    "",
    "path under which a proxy shows the studio, such as /user/me/studio",
)
_RUNS = flags.DEFINE_string("runs", "runs", "folder for all runs")
_OPEN = flags.DEFINE_bool("open", False, "open the page in the browser")


def main(argv: list[str]) -> int:
    """Serves the page until it is interrupted; returns the exit status."""
    return status_of(lambda: _serve(argv[1:]))


def _serve(others: list[str]) -> int:
    if others:
        raise ConfigError(f"Flags begin with --. Received: {others}.")
    root = paths.expand_path(_RUNS.value)
    if paths.is_address(root):
        raise ConfigError(f"`runs` must be a local path. Received: {root!r}.")
    root = os.path.abspath(root)
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    # Gradio's default is shared by all users of a machine.
    os.environ["GRADIO_TEMP_DIR"] = os.path.join(root, inputs.UPLOADS)
    try:
        import gradio  # noqa: F401
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise SetupError(
            f"The studio needs Gradio and Matplotlib ({error}). Run pip"
            " install -e '.[studio]'."
        ) from error

    from tfstyle.studio import page
    from tfstyle.studio import server
    from tfstyle.studio.jobs import Jobs

    host = _HOST.value
    password = _PASSWORD.value or os.environ.get("TFSTYLE_PASSWORD")
    server.check_address(host, password)
    server.check_names(_NAME.value)
    root_path = server.check_root_path(_ROOT_PATH.value)
    with server.listen(host, _PORT.value) as listener:
        jobs = Jobs(root)
        made, look = page.make_page(jobs, root)
        guarded = server.make_app(
            made, root, look, host, password, _NAME.value, root_path
        )
        running = server.Server(guarded)

        def stop():
            jobs.interrupt()
            running.stop()

        with StopSignals(STOPPING, stop) as signals:
            _announce(host, listener.getsockname()[1], server.PORT)
            try:
                running.run(sockets=[listener])
            finally:
                jobs.close()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Python itself is ending
    return 128 + signals.number if signals.number else 0


def _announce(host: str, port: int, usual: int) -> None:
    """Prints the address of the studio, and opens it if that was asked for."""
    shown = f"[{host}]" if ":" in host else host
    address = f"http://{shown}:{port}"
    print(f"The studio is open at {address}  (Ctrl-C stops it)", flush=True)
    if _PORT.value is None and port != usual:
        print(f"Port {usual} is taken by another program.", flush=True)
    if _OPEN.value:
        webbrowser.open(address)


def run() -> None:
    """Runs the studio with the command line of this process."""
    app.run(main, flags_parser=_parse)


def _parse(argv: list[str]) -> list[str]:
    """Parses the flags; prints an invalid one as one line and exits."""
    try:
        return flags.FLAGS(argv)
    except flags.Error as error:
        print(f"error: {one_line(str(error), 1000)}", file=sys.stderr)
        raise SystemExit(2) from error


if __name__ == "__main__":
    sys.exit(run())
