"""Signals that end a run, in real child processes."""

import os
import signal

import pytest

from tests.processes import end_python
from tests.processes import start_python

STOP = """
import signal
import threading
import time

from tfstyle.system.signals import StopSignals

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
def test_stop_signals_ends_the_run_at_one_signal(number):
    child = start_python(STOP)
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


RESTORED = """
import os
import signal

from tfstyle.system.signals import StopSignals

signal.signal(signal.SIGINT, signal.default_int_handler)
with StopSignals() as signals:
    pass
try:
    os.kill(os.getpid(), signal.SIGINT)
except KeyboardInterrupt:
    print("KeyboardInterrupt", signals.number, flush=True)
os.kill(os.getpid(), signal.SIGTERM)
"""


def test_stop_signals_leaves_signals_as_they_were():
    status, out, err = end_python(start_python(RESTORED))
    assert status == -signal.SIGTERM
    assert out == "KeyboardInterrupt None\n"
    assert err == ""


OTHER = """
import os
import signal
import time

from tfstyle.system.signals import StopSignals

signal.signal(signal.SIGUSR2, lambda *_: print("handled"))
with StopSignals() as signals:
    for _ in range(3):
        os.kill(os.getpid(), signal.SIGUSR2)
        time.sleep(0.1)
    print(signals())
"""


def test_stop_signals_leaves_other_signals_alone():
    status, out, err = end_python(start_python(OTHER))
    assert (status, err) == (0, "")
    assert out == "handled\nhandled\nhandled\nNone\n"


# A mutex locked twice: a C call that signals do not end, as TensorFlow's,
# during which Python runs no handler.
STUCK = """
import ctypes

from tfstyle.system.signals import StopSignals

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
def test_stop_signals_exits_at_second_signal_when_c_code_runs(
    first, second, expected
):
    child = start_python(STUCK)
    assert child.stdout.readline() == "stuck\n"
    child.send_signal(first)
    assert child.stderr.readline() == "\n"
    assert child.stderr.readline().startswith("Stopping after this step.")
    assert child.poll() is None
    child.send_signal(second)
    assert end_python(child) == (expected, "", "")


BROKEN = """
import time

from tfstyle.system.signals import StopSignals

with StopSignals() as signals:
    print("ready", flush=True)
    while signals() is None:
        time.sleep(0.01)
    print("stopping", flush=True)
    time.sleep(2)
"""


def test_stop_signals_exits_at_second_signal_when_stderr_is_closed():
    # As in `tfstyle 2>&1 | tee log`, where Ctrl-C ends tee first.
    read_end, write_end = os.pipe()
    child = start_python(BROKEN, stderr=write_end)
    os.close(write_end)
    os.close(read_end)
    assert child.stdout.readline() == "ready\n"
    child.send_signal(signal.SIGINT)
    assert child.stdout.readline() == "stopping\n"
    child.send_signal(signal.SIGINT)
    status, _, _ = end_python(child)
    assert status == 130


REPEATED = """
import os
import signal
import time

from tfstyle.system.signals import StopSignals

with StopSignals() as signals:
    for name in ("SIGHUP", "SIGHUP", "SIGUSR1", "SIGTERM"):
        os.kill(os.getpid(), getattr(signal, name))
        time.sleep(0.1)
    print(signals(), flush=True)
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(10)
"""


def test_notices_may_come_repeatedly_and_two_orders_quit():
    status, out, _ = end_python(start_python(REPEATED))
    assert (status, out) == (130, "SIGHUP\n")


IGNORED = """
import os
import signal

from tfstyle.system.signals import StopSignals

signal.signal(signal.SIGHUP, signal.SIG_IGN)
with StopSignals() as signals:
    os.kill(os.getpid(), signal.SIGHUP)
    print(signals())
print(signal.getsignal(signal.SIGHUP) is signal.SIG_IGN)
"""


def test_sighup_stays_ignored_as_nohup_has_it():
    status, out, _ = end_python(start_python(IGNORED))
    assert (status, out) == (0, "None\nTrue\n")
