"""Signals that end a run, in real child processes."""

import signal

import pytest

from tests.processes import end_python
from tests.processes import start_python

IMPORTS = """
import ctypes
import os
import signal
import threading
import time

from tfstyle.system.signals import StopSignals
"""
STOP = """
numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1)
before = [signal.getsignal(number) for number in numbers]
with StopSignals() as signals:
    print(signals(), signals.number, flush=True)
    while signals() is None:
        time.sleep(0.01)
    print(signals(), signals(), signals.number)
print([signal.getsignal(number) for number in numbers] == before)
print(signal.set_wakeup_fd(-1), threading.active_count())
"""


@pytest.mark.parametrize(
    "number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1]
)
def test_one_signal_ends_the_run_and_leaves_all_as_it_was(number):
    child = start_python(IMPORTS + STOP)
    first = child.stdout.readline()
    child.send_signal(number)
    status, out, err = end_python(child)
    assert (status, first) == (0, "None None\n")
    assert out.splitlines() == [
        f"{number.name} {number.name} {number.value}",
        "True",
        "-1 1",
    ]
    assert err == (
        "\nStopping after this step. Press Ctrl-C again to quit without"
        " saving.\n"
    )


def test_quiet_stop_says_nothing():
    child = start_python(IMPORTS + STOP.replace("Signals()", "Signals('')"))
    child.stdout.readline()
    child.send_signal(signal.SIGINT)
    status, out, err = end_python(child)
    assert (status, err) == (0, "")
    assert out.startswith("SIGINT SIGINT 2\n")


LEFT_ALONE = """
signal.signal(signal.SIGUSR2, lambda *_: print("handled"))
signal.signal(signal.SIGHUP, signal.SIG_IGN)
with StopSignals() as signals:
    for number in (signal.SIGUSR2, signal.SIGHUP, signal.SIGUSR2):
        os.kill(os.getpid(), number)
        time.sleep(0.1)
    print(signals())
print(signal.getsignal(signal.SIGHUP) is signal.SIG_IGN)
"""


def test_other_signals_and_those_that_nohup_ignores_are_left_alone():
    status, out, err = end_python(start_python(IMPORTS + LEFT_ALONE))
    assert (status, err) == (0, "")
    assert out == "handled\nhandled\nNone\nTrue\n"


# A mutex locked twice: a C call that signals do not end, as TensorFlow's,
# during which Python runs no handler.
STUCK = """
mutex = ctypes.create_string_buffer(256)
lock = ctypes.CDLL(None).pthread_mutex_lock
with StopSignals():
    lock(mutex)
    print("stuck", flush=True)
    lock(mutex)
"""


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (signal.SIGINT, signal.SIGINT, 130),
        (signal.SIGTERM, signal.SIGTERM, 143),
        (signal.SIGINT, signal.SIGTERM, 143),
    ],
)
def test_second_signal_exits_while_c_code_runs(first, second, expected):
    child = start_python(IMPORTS + STUCK)
    assert child.stdout.readline() == "stuck\n"
    child.send_signal(first)
    assert child.stderr.readline() == "\n"
    assert child.stderr.readline().startswith("Stopping after this step.")
    assert child.poll() is None
    child.send_signal(second)
    assert end_python(child) == (expected, "", "")


REPEATED = """
with StopSignals() as signals:
    for name in ("SIGHUP", "SIGHUP", "SIGUSR1", "SIGTERM"):
        os.kill(os.getpid(), getattr(signal, name))
        time.sleep(0.1)
    print(signals(), flush=True)
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(10)
"""


def test_notices_may_come_repeatedly_and_two_orders_quit():
    status, out, _ = end_python(start_python(IMPORTS + REPEATED))
    assert (status, out) == (130, "SIGHUP\n")
