"""Starts a cluster of processes on this machine and waits for its end.

    python tools/launch_local.py -- tfstyle --preset=smoke

Every process gets its TF_CONFIG, with free ports on 127.0.0.1, and its share of
the cores. SIGINT and SIGTERM are passed on to all. If one ends with an error,
the others have a minute to find out, then they are ended. The status is that of
the first to end with one.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time

from absl import app
from absl import flags

PATIENCE = 60
"""Seconds for the others to end after one has failed."""

_WORKERS = flags.DEFINE_integer("workers", 2, "processes", lower_bound=1)


def main(argv: list[str]) -> int:
    """Starts the processes and returns the first error, or 0."""
    command = argv[1:]
    if not command:
        print("error: Give the command after --.", file=sys.stderr)
        return 2
    processes = []

    def pass_on(number, _):
        for process in processes:
            if process.poll() is None:
                process.send_signal(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, pass_on)
    addresses = find_addresses(_WORKERS.value)
    for index in range(_WORKERS.value):
        own = {"TF_CONFIG": make_tf_config(addresses, index)}
        processes.append(
            subprocess.Popen(
                command,
                env=os.environ | own,
                preexec_fn=lambda i=index: _take_cores(i, len(addresses)),
                start_new_session=True,
            )
        )
    return _wait(processes)


def find_addresses(number: int) -> list[str]:
    """Returns addresses on 127.0.0.1 whose ports are free now."""
    sockets = [socket.socket() for _ in range(number)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    addresses = [f"127.0.0.1:{each.getsockname()[1]}" for each in sockets]
    for each in sockets:
        each.close()
    return addresses


def make_tf_config(addresses: list[str], index: int) -> str:
    """Returns the TF_CONFIG of one process."""
    task = {"type": "worker", "index": index}
    return json.dumps({"cluster": {"worker": addresses}, "task": task})


def _take_cores(index: int, number: int) -> None:
    """Keeps this process to its share of the cores, if there are as many."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) >= number:
        os.sched_setaffinity(0, cores[index::number])


def _wait(processes: list[subprocess.Popen]) -> int:
    """Waits for all, ends those that outlive a failed one by PATIENCE."""
    status, deadline = 0, None
    while any(process.poll() is None for process in processes):
        failed = [p.returncode for p in processes if p.returncode]
        if failed and not status:
            status = failed[0]
            deadline = time.monotonic() + PATIENCE
        if deadline is not None and time.monotonic() > deadline:
            for process in processes:
                process.kill()
        time.sleep(0.05)
    failed = [p.returncode for p in processes if p.returncode]
    status = status or (failed[0] if failed else 0)
    return 128 - status if status < 0 else status


if __name__ == "__main__":
    app.run(main)
