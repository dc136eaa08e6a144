"""Rendezvous of the processes of a cluster, before TensorFlow's own.

TensorFlow waits forever, cannot be interrupted meanwhile, and does not name the
missing processes. So all processes first connect to process 0, on the port that
TensorFlow's server uses afterwards, and are released together. The connections
stay open.
"""

import contextlib
import socket
import time

from tfstyle.errors import ClusterError

PAUSE = 0.2
"""Seconds between attempts."""
LONGEST_WORD = 16
GO = b"go"


def meet(
    addresses: list[str], index: int, timeout: float
) -> dict[int, socket.socket]:
    """Waits until all processes are connected.

    Args:
        addresses: HOST:PORT of every process, in order.
        index: index of this process.
        timeout: maximum time to wait, seconds.

    Returns:
        Connected sockets by the index of the remote process: to all workers in
        process 0, to process 0 in a worker.

    Raises:
        ClusterError: if processes do not connect; the message names them.
    """
    host, _, port = addresses[0].rpartition(":")
    host = host.strip("[]")  # of an IPv6 address
    deadline = time.monotonic() + timeout
    if index:
        found, wanted = _connect(host, int(port), index, deadline), [0]
    else:
        found = _accept(int(port), len(addresses), deadline)
        wanted = range(1, len(addresses))
    if absent := [number for number in wanted if number not in found]:
        names = ", ".join(
            f"{number} ({addresses[number]})" for number in absent
        )
        raise ClusterError(
            f"Process {names} of the cluster did not connect within"
            f" {timeout:g} s. Check that it is running, raise"
            " --cluster_timeout, or use a single process with"
            " --strategy=one_device."
        )
    return found


def _connect(
    host: str, port: int, index: int, deadline: float
) -> dict[int, socket.socket]:
    """Connects a worker to process 0 and waits until it is released."""
    while (left := deadline - time.monotonic()) > 0:
        with (
            contextlib.suppress(OSError),  # it may not have started
            contextlib.ExitStack() as stack,
        ):
            connection = stack.enter_context(
                socket.create_connection((host, port), left)
            )
            connection.sendall(f"{index}\n".encode())
            connection.settimeout(max(PAUSE, deadline - time.monotonic()))
            if connection.recv(len(GO)) == GO:
                stack.pop_all()
                return {0: connection}
        time.sleep(min(PAUSE, max(0, left)))
    return {}


def _accept(
    port: int, number: int, deadline: float
) -> dict[int, socket.socket]:
    """Accepts all workers in process 0, then releases them together.

    Like TensorFlow's server afterwards, it listens on all interfaces.
    """
    is_dual = socket.has_dualstack_ipv6()
    waiting: dict[int, socket.socket] = {}
    try:
        server = socket.create_server(
            ("", port),
            family=socket.AF_INET6 if is_dual else socket.AF_INET,
            backlog=number,
            dualstack_ipv6=is_dual,
        )
    except OSError as error:
        raise ClusterError(
            f"Port {port} of process 0 cannot be used ({error.strerror})."
            " Choose another in TF_CONFIG; with Slurm, submit the job again."
        ) from error
    with server, contextlib.ExitStack() as stack:
        server.settimeout(PAUSE)
        while len(waiting) < number - 1 and time.monotonic() < deadline:
            with contextlib.suppress(TimeoutError):
                connection, _ = server.accept()
                connection.settimeout(PAUSE)
                who = _read_index(connection)
                if who not in range(1, number):
                    connection.close()
                    continue
                if who in waiting:  # it was restarted
                    waiting[who].close()
                waiting[who] = stack.enter_context(connection)
        if len(waiting) == number - 1:
            stack.pop_all()
            for connection in waiting.values():
                with contextlib.suppress(OSError):  # found by `Connections`
                    connection.sendall(GO)
    return waiting


def _read_index(connection: socket.socket) -> int | None:
    """Reads the index of a connected process, or None if it is invalid."""
    try:
        word = connection.recv(LONGEST_WORD).strip()
    except OSError:
        return None
    return int(word) if word.isdigit() else None
