"""Processes of a cluster meet, whoever comes first."""

import socket
import threading
import time

import pytest

from tfstyle.distributed.rendezvous import meet
from tfstyle.errors import ClusterError
from tools.launch_local import find_addresses

TIMEOUT = 20


def port_of(address):
    return int(address.split(":")[1])


def meet_all(addresses, delays, timeout=TIMEOUT):
    """Lets every process meet after its delay; returns sockets and errors."""
    found, errors = {}, {}

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
    return found, errors


def check_connections(found):
    """Checks that all workers are connected to process 0; closes them."""
    for index in found.keys() - {0}:
        found[index][0].sendall(bytes([index]))
        assert found[0][index].recv(9) == bytes([index])
        found[0][index].close()
        found[index][0].close()


def say(port, *words):
    """Connects to process 0 once a word."""
    for word in words:
        time.sleep(0.1)
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(word)


@pytest.mark.parametrize("delays", [{0: 0, 1: 0.5, 2: 0}, {0: 0.5, 1: 0, 2: 0}])
def test_processes_meet_in_any_order(delays):
    addresses = find_addresses(3)
    found, errors = meet_all(addresses, delays)
    assert not errors
    with socket.create_server(("127.0.0.1", port_of(addresses[0]))):
        pass  # the port is free for TensorFlow
    check_connections(found)


def test_absent_processes_are_named():
    addresses = find_addresses(4)
    _, errors = meet_all(addresses, {0: 0, 2: 0}, timeout=1)
    assert errors[0].startswith(
        f"Process 1 ({addresses[1]}), 3 ({addresses[3]}) of the cluster did"
        " not connect within 1 s."
    )
    assert errors[2].startswith(f"Process 0 ({addresses[0]}) of the cluster")


def test_strangers_are_not_counted():
    addresses = find_addresses(2)
    words = (b"", b"0\n", b"2\n", b"-1\n", b"GET / HTTP/1.1\r\n\r\n" * 1000)
    stranger = threading.Timer(0.3, say, [port_of(addresses[0]), *words])
    stranger.start()
    _, errors = meet_all(addresses, {0: 0}, timeout=2)
    stranger.join()
    assert f"Process 1 ({addresses[1]})" in errors[0]


def test_process_that_comes_again_is_one():
    """One that died while it waited, and was started anew."""
    addresses = find_addresses(3)
    first = threading.Timer(0.3, say, [port_of(addresses[0]), b"1\n"])
    first.start()
    found, errors = meet_all(addresses, {0: 0, 1: 1, 2: 1.5})
    first.join()
    assert not errors
    check_connections(found)


def test_port_in_use_is_told():
    (address,) = find_addresses(1)
    with (
        socket.create_server(("127.0.0.1", port_of(address))),
        pytest.raises(ClusterError, match=f"Port {port_of(address)} of"),
    ):
        meet([address, "127.0.0.1:1"], 0, 1)
