"""Waiting for the processes of a cluster, before TensorFlow does.

TensorFlow waits without end, cannot be interrupted while it does, and does not
say for whom. So the processes first meet here, on the port that TensorFlow's
server takes afterwards: they come to process 0, which lets all go at once.
"""

import contextlib
import socket
import time

from tfstyle.distributed.environment import ClusterError

PAUSE = 0.2
"""Seconds between tries."""
LONGEST_WORD = 16
GO = b"go"


def wait_for_workers(addresses: list[str], index: int, timeout: float) -> None:
    """Waits until all processes are there.

    Args:
        addresses: HOST:PORT of every process, in their order.
        index: of this one.
        timeout: seconds.

    Raises:
        ClusterError: names the processes that did not connect.
    """
    host, _, port = addresses[0].rpartition(":")
    host = host.strip("[]")  # of an address of IPv6
    deadline = time.monotonic() + timeout
    if index:
        absent = [] if _come(host, int(port), index, deadline) else [0]
    else:
        absent = _receive(host, int(port), len(addresses), deadline)
    if absent:
        names = ", ".join(
            f"{number} ({addresses[number]})" for number in absent
        )
        raise ClusterError(
            f"Process {names} of the cluster did not come within {timeout:g} s."
            " Check that it is running, or wait longer with --cluster_timeout."
        )


def _come(host: str, port: int, index: int, deadline: float) -> bool:
    """Tells process 0 that this one is there; returns whether it let go."""
    while (left := deadline - time.monotonic()) > 0:
        with (
            contextlib.suppress(OSError),  # it may not be there yet
            socket.create_connection((host, port), left) as connection,
        ):
            connection.sendall(f"{index}\n".encode())
            connection.settimeout(max(PAUSE, deadline - time.monotonic()))
            if connection.recv(LONGEST_WORD) == GO:
                return True
        time.sleep(min(PAUSE, max(0, left)))
    return False


def _receive(host: str, port: int, number: int, deadline: float) -> list[int]:
    """Waits for the other processes; returns those that did not connect."""
    is_local = host.startswith("127.") or host in ("::1", "localhost")
    is_dual = not is_local and socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if is_dual or ":" in host else socket.AF_INET
    waiting = {}
    with contextlib.ExitStack() as stack:
        try:
            server = socket.create_server(
                (host if is_local else "", port),
                family=family,
                backlog=number,
                dualstack_ipv6=is_dual,
            )
        except OSError as error:
            raise ClusterError(
                f"The port {port} of process 0 cannot be used"
                f" ({error.strerror}). Name another in TF_CONFIG; with Slurm,"
                " submit the job again."
            ) from error
        stack.enter_context(server)
        server.settimeout(PAUSE)
        while len(waiting) < number - 1 and time.monotonic() < deadline:
            with contextlib.suppress(TimeoutError):
                connection = stack.enter_context(server.accept()[0])
                connection.settimeout(PAUSE)
                who = _read_index(connection)
                if who in range(1, number):
                    waiting[who] = connection
        absent = sorted(set(range(1, number)) - set(waiting))
        for connection in waiting.values() if not absent else ():
            with contextlib.suppress(OSError):  # its loss shows soon enough
                connection.sendall(GO)
                # They hang up first, so that the port is free at once.
                connection.recv(1)
    return absent


def _read_index(connection: socket.socket) -> int | None:
    """Reads who has come; None if it is none of ours."""
    try:
        word = connection.recv(LONGEST_WORD).strip()
    except OSError:
        return None
    return int(word) if word.isdigit() else None
