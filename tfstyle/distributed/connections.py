"""Connections between process 0 and the others: commands, signals, losses.

Process 0 tells the others what to compute, and they tell it which signals they
got, without an operation of TensorFlow. A connection also closes at once with
its process, while TensorFlow may wait for a dead one without end: for it to
fetch what was computed for it.
"""

import contextlib
import math
import os
import queue
import selectors
import socket
import struct
import threading
import time
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping

from tfstyle.distributed.deadlines import REMEDY
from tfstyle.distributed.deadlines import describe_absence
from tfstyle.errors import ClusterError
from tfstyle.system import private_tensorflow

_WORD = struct.Struct("!ii")
PAUSE = 0.2
"""Seconds between looks at deadlines and signals."""
GRACE = 5.0
"""Seconds for TensorFlow to speak first.

Its heartbeat, of the same timeout, can tell which process is silent; that we
waited in vain does not.
"""
MOMENT = 1.0
"""Seconds in which what a process sent before its end is made use of."""


class Connections:
    """What process 0 holds to every other process, and each of them to it.

    A thread watches them; TensorFlow must have formed its cluster before.

    Args:
        sockets: connected, by the number of the process at the other end.
        size: number of processes.
        timeout: seconds to wait for another process.

    Attributes:
        lost: numbers of the processes that ended, but for those let go.
        signals: numbers of the signals that other processes got.
    """

    def __init__(
        self, sockets: Mapping[int, socket.socket], size: int, timeout: float
    ):
        self.lost: set[int] = set()
        self.signals: list[int] = []
        self._sockets = sockets
        self._size = size
        self._timeout = timeout
        self._commands: queue.SimpleQueue[tuple[int, int]] = queue.SimpleQueue()
        self._deadline = math.inf
        self._is_waiting = False
        self._has_ended = False
        self._told_signal = False
        for connection in sockets.values():
            connection.setblocking(True)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if sockets:
            threading.Thread(target=self._watch, daemon=True).start()

    def send(self, command: int, value: int) -> None:
        """Sends a command to the others; process 0 does.

        One that is gone is found by the thread that watches.
        """
        for connection in self._sockets.values():
            with contextlib.suppress(OSError):
                connection.sendall(_WORD.pack(command, value))

    def receive(self, find_signal: Callable[[], int | None]) -> tuple[int, int]:
        """Waits for the next command of process 0; the others do.

        Args:
            find_signal: returns the number of a signal that this process got,
                which process 0 is told.

        Raises:
            ClusterError: if none comes.
        """
        deadline = time.monotonic() + self._timeout
        while time.monotonic() < deadline:
            number = find_signal()
            if number and not self._told_signal:
                self._told_signal = True
                self.send(0, number)
            with contextlib.suppress(queue.Empty):
                return self._commands.get(timeout=PAUSE)
            if self.lost:
                raise ClusterError(self._describe_end(0))
        raise ClusterError(
            f"Process 0 of {self._size} gave no sign for {self._timeout:g} s"
            f" (`cluster_timeout`). {REMEDY}"
        )

    def end(self) -> None:
        """Lets the others go: that they end is no loss any more."""
        self._has_ended = True
        for connection in self._sockets.values():
            with contextlib.suppress(OSError):  # it may be gone already
                connection.shutdown(socket.SHUT_WR)

    @contextlib.contextmanager
    def waiting(self, is_bounded: bool = True) -> Iterator[None]:
        """Watches over a block in which TensorFlow waits for the others.

        While it does no exception can be raised: it is made to give up if one
        is lost, and if it does not, or the timeout passes, the process ends
        with a line.

        Args:
            is_bounded: by the timeout. What is computed meanwhile is not.
        """
        seconds = self._timeout + GRACE if is_bounded else math.inf
        self._deadline = time.monotonic() + seconds
        self._is_waiting = True
        try:
            yield
        finally:
            self._is_waiting = False

    def _describe_end(self, number: int) -> str:
        return (
            f"Process {number} of {self._size} has ended: its connection"
            f" closed. {REMEDY}"
        )

    def _watch(self) -> None:
        with selectors.DefaultSelector() as selector:
            for number, connection in self._sockets.items():
                selector.register(connection, selectors.EVENT_READ, number)
            while selector.get_map():
                for key, _ in selector.select(PAUSE):
                    if not self._read(key.fileobj, key.data):
                        selector.unregister(key.fileobj)
                        self._lose(key.data)
                if self._is_waiting and time.monotonic() > self._deadline:
                    self._end_process(describe_absence(self._timeout))

    def _read(self, connection: socket.socket, number: int) -> bool:
        """Reads a word; returns False at the end of the connection."""
        try:
            word = connection.recv(_WORD.size, socket.MSG_WAITALL)
        except OSError:
            return False
        if len(word) < _WORD.size:
            return False
        command, value = _WORD.unpack(word)
        if number == 0:
            self._commands.put((command, value))
        else:
            self.signals.append(value)
        return True

    def _lose(self, number: int) -> None:
        """Makes TensorFlow give up, and ends the process if it does not."""
        if self._has_ended:
            return
        self.lost.add(number)
        time.sleep(MOMENT)
        if self._has_ended:
            return
        private_tensorflow.abort_collectives(f"Process {number} has ended.")
        deadline = time.monotonic() + GRACE
        while self._is_waiting and time.monotonic() < deadline:
            time.sleep(PAUSE)
        if self._is_waiting:
            self._end_process(f"error: {self._describe_end(number)}\n")

    @staticmethod
    def _end_process(message: str) -> None:
        with contextlib.suppress(OSError):  # nobody reads it any more
            os.write(2, message.encode())
        os._exit(1)
