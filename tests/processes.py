"""The program as a process, for the tests that watch one."""

import os
import site
import subprocess
import sys
import venv

from tests import ROOT

PATIENCE = 600  # seconds, for what takes far less


def start(
    *arguments,
    program=("-m", "tfstyle.main"),
    stderr=subprocess.PIPE,
    cwd=ROOT,
    **options,
):
    """Starts a run, or another program; its terminal is read from pipes.

    It heeds SIGINT, even where this process was started to ignore it, as a
    shell does with what it runs in the background.
    """
    return subprocess.Popen(
        [
            *("env", "--default-signal=INT"),
            *(sys.executable, *program, *map(str, arguments)),
        ],
        cwd=cwd,
        stdout=subprocess.PIPE,
        text=True,
        stderr=stderr,
        **options,
    )


def finish(process):
    """Returns exit status and stderr."""
    _, stderr = process.communicate(timeout=PATIENCE)
    return process.returncode, stderr


def run_tool(name, *arguments, timeout=PATIENCE, **options):
    """Runs a program of `tools` to its end; returns what it said, too."""
    return subprocess.run(
        [sys.executable, f"tools/{name}.py", *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=timeout,
        **options,
    )


def start_python(code, **options):
    """Starts Python on some code, with pipes for what it says.

    An alarm ends it, so that no test waits for a word that never comes.
    """
    alarm = f"import signal; signal.alarm({PATIENCE})\n"
    return start(program=("-c", alarm + code), **options)


def end_python(child):
    """Waits for a child and returns its status and what else it said."""
    try:
        out, err = child.communicate(timeout=PATIENCE)
    finally:
        child.kill()
        child.wait()
    return child.returncode, out, err


def make_environment(folder):
    """Makes a virtual environment; returns the variables that activate it.

    It sees the packages of this one, so that pip installs only the program.
    """
    venv.create(folder, with_pip=True)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    packages = folder / "lib" / version / "site-packages"
    others = "\n".join(site.getsitepackages())
    (packages / "dependencies.pth").write_text(f"{others}\n")
    path = os.pathsep.join([str(folder / "bin"), os.environ["PATH"]])
    return os.environ | {"PATH": path, "VIRTUAL_ENV": str(folder)}
