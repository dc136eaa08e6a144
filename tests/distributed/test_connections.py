"""Commands, signals and losses between process 0 and another."""

import socket
import threading
import time

import pytest

from tests import processes
from tfstyle.distributed import connections
from tfstyle.distributed.connections import Connections
from tfstyle.errors import ClusterError
from tfstyle.system import private_tensorflow

PATIENCE = 20  # seconds, for what takes far less


@pytest.fixture
def aborted(monkeypatch):
    """Collects the reasons for which TensorFlow is told to give up."""
    reasons = []
    monkeypatch.setattr(private_tensorflow, "abort_collectives", reasons.append)
    monkeypatch.setattr(connections, "MOMENT", 0.1)
    return reasons


@pytest.fixture
def both(aborted):
    """The two ends, and the sockets beneath."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        there = socket.create_connection(server.getsockname())
        here, _ = server.accept()
    ends = [
        Connections({1 - number: connection}, 2, PATIENCE)
        for number, connection in enumerate((here, there))
    ]
    yield *ends, here, there
    for end in ends:
        end.end()
    here.close()
    there.close()


def wait_for(condition):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def no_signal():
    return None


def test_commands_arrive_in_their_order(both):
    first, second, *_ = both
    sent = [(4, 0), (3, 2), (1, 15)]
    for command, value in sent:
        first.send(command, value)
    assert [second.receive(no_signal) for _ in sent] == sent


def test_signal_is_told_once(both):
    first, second, *_ = both
    threading.Timer(3 * connections.PAUSE, first.send, [1, 2]).start()
    assert second.receive(lambda: 15) == (1, 2)
    wait_for(lambda: first.signals)
    assert first.signals == [15]


def test_lost_process_makes_tensorflow_give_up(both, aborted):
    first, _, _, there = both
    there.shutdown(socket.SHUT_RDWR)
    wait_for(lambda: "Process 1 has ended." in aborted)
    assert first.lost == {1}


def test_last_command_counts_although_process_0_has_ended(both, aborted):
    first, second, here, _ = both
    first.send(2, 0)
    here.shutdown(socket.SHUT_RDWR)
    wait_for(lambda: second.lost)
    assert second.receive(no_signal) == (2, 0)
    with pytest.raises(ClusterError, match="Process 0 of 2 has ended"):
        second.receive(no_signal)


def test_command_that_never_comes_is_told(both, monkeypatch):
    _, second, *_ = both
    monkeypatch.setattr(second, "_timeout", 0.3)
    with pytest.raises(ClusterError, match=r"was silent for 0.3 s"):
        second.receive(no_signal)


def test_those_let_go_are_not_lost(both, aborted):
    first, second, *_ = both
    first.send(1, 0)
    first.end()
    assert second.receive(no_signal) == (1, 0)
    second.end()
    time.sleep(connections.MOMENT + 2 * connections.PAUSE)
    assert not first.lost
    assert not aborted


STUCK = """
import socket, time
from tfstyle.distributed import connections, deadlines
connections.GRACE = 0.5
there = socket.create_connection(("127.0.0.1", {port}))
found = connections.Connections({{0: there}}, 2, {timeout})
with {guard}:
    print(flush=True)
    time.sleep(100)
"""


@pytest.mark.parametrize(
    ("guard", "timeout", "is_lost", "line"),
    [
        ("found.waiting()", 50, True, "error: Process 0 of 2 has ended: its"),
        ("found.waiting()", 0.5, False, "error: Other processes of the"),
        (
            *("deadlines.deadline_of_start(0.5)", 50, False),
            "error: Other processes of the cluster were absent or silent for",
        ),
    ],
)
def test_process_that_waits_in_vain_ends_with_a_line(
    guard, timeout, is_lost, line
):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        child = processes.start_python(
            STUCK.format(port=port, timeout=timeout, guard=guard)
        )
        connection, _ = server.accept()
        with connection:
            assert child.stdout.readline() == "\n"
            if is_lost:
                connection.shutdown(socket.SHUT_RDWR)
            status, _, said = processes.end_python(child)
    assert status == 1
    assert said.splitlines()[-1].startswith(line), said
