"""Processes of a cluster meet, whoever comes first."""

import socket
import threading
import time

import pytest

from tfstyle.distributed.rendezvous import meet
from tfstyle.errors import ClusterError
from tools.launch_local import find_addresses

TIMEOUT = 20


def meet_all(addresses, delays, timeout=TIMEOUT, found=None):
    """Lets every process meet after its delay; returns their errors."""
    errors = {}
    found = {} if found is None else found

    def run(index):
        time.sleep(delays[index])
        try:
            found[index] = meet(addresses, index, timeout)
        except ClusterError as error:
            errors[index] = str(error)

    threads = [threading.Thread(target=run, args=[index]) for index in delays]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return errors


@pytest.mark.parametrize(
    "delays",
    [{0: 0, 1: 0.5, 2: 0}, {0: 0.5, 1: 0, 2: 0}, {0: 0, 1: 0, 2: 0}],
)
def test_processes_meet_in_any_order(delays):
    addresses = find_addresses(3)
    found = {}
    assert meet_all(addresses, delays, found=found) == {}
    with socket.create_server(("127.0.0.1", int(addresses[0].split(":")[1]))):
        pass  # the port is free for TensorFlow
    for index in (1, 2):
        found[index][0].sendall(bytes([index]))
        assert found[0][index].recv(9) == bytes([index])
    for connection in (*found[0].values(), found[1][0], found[2][0]):
        connection.close()


def test_absent_processes_are_named():
    addresses = find_addresses(4)
    errors = meet_all(addresses, {0: 0, 2: 0}, timeout=1)
    assert errors[0].startswith(
        f"Process 1 ({addresses[1]}), 3 ({addresses[3]}) of the cluster did"
        " not come within 1 s."
    )
    assert errors[2].startswith(f"Process 0 ({addresses[0]}) of the cluster")


def test_strangers_are_not_counted():
    addresses = find_addresses(2)
    port = int(addresses[0].split(":")[1])
    words = (b"", b"0\n", b"2\n", b"-1\n", b"GET / HTTP/1.1\r\n\r\n" * 1000)

    def call():
        for word in words:
            time.sleep(0.1)
            with socket.create_connection(("127.0.0.1", port)) as connection:
                connection.sendall(word)

    stranger = threading.Timer(0.3, call)
    stranger.start()
    errors = meet_all(addresses, {0: 0}, timeout=2)
    stranger.join()
    assert f"Process 1 ({addresses[1]})" in errors[0]


def test_process_that_comes_again_is_one():
    """One that died while it waited, and was started anew."""
    addresses = find_addresses(3)
    port = int(addresses[0].split(":")[1])

    def come_and_go():
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(b"1\n")

    first = threading.Timer(0.3, come_and_go)
    first.start()
    found = {}
    assert meet_all(addresses, {0: 0, 1: 1, 2: 1.5}, found=found) == {}
    first.join()
    found[1][0].sendall(b"1")
    assert found[0][1].recv(9) == b"1"
    for connection in (*found[0].values(), found[1][0], found[2][0]):
        connection.close()


def test_port_in_use_is_told():
    (address,) = find_addresses(1)
    port = int(address.split(":")[1])
    with (
        socket.create_server(("127.0.0.1", port)),
        pytest.raises(ClusterError, match=f"The port {port} of process 0"),
    ):
        meet([address, "127.0.0.1:1"], 0, 1)
