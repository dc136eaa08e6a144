"""Sockets between process 0 and its workers: commands, signals, lost processes.

Process 0 sends commands to the workers and they forward signals to it, without
TensorFlow operations. A connection closes as soon as its process ends, while
TensorFlow may wait forever for a dead process to fetch its results.
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
"""Interval between checks of deadlines and signals, seconds."""
GRACE = 5.0
"""Extra seconds in which TensorFlow can report an error first.

The error of its heartbeat, which has the same timeout, names the silent
process; our own timeout cannot.
"""
MOMENT = 1.0
"""Seconds to process the last messages of a process that has ended."""


class Connections:
    """Connections of process 0 to all workers, or of a worker to process 0.

    A thread watches them; TensorFlow must already have formed its cluster.

    Args:
        sockets: connected sockets by the number of the remote process.
        size: number of processes.
        timeout: seconds to wait for another process.

    Attributes:
        lost: numbers of the processes that ended before `end` was called.
        signals: numbers of the signals that other processes received.
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
        self._has_sent_signal = False
        for connection in sockets.values():
            connection.setblocking(True)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if sockets:
            threading.Thread(target=self._watch, daemon=True).start()

    def send(self, command: int, value: int) -> None:
        """Sends a command from process 0 to the workers.

        The watching thread detects lost workers.
        """
        for connection in self._sockets.values():
            with contextlib.suppress(OSError):
                connection.sendall(_WORD.pack(command, value))

    def receive(self, find_signal: Callable[[], int | None]) -> tuple[int, int]:
        """Waits in a worker for the next command of process 0.

        Args:
            find_signal: function that returns the number of a signal that this
                process received; it is forwarded to process 0.

        Raises:
            ClusterError: if no command arrives.
        """
        deadline = time.monotonic() + self._timeout
        while time.monotonic() < deadline:
            number = find_signal()
            if number and not self._has_sent_signal:
                self._has_sent_signal = True
                self.send(0, number)
            with contextlib.suppress(queue.Empty):
                return self._commands.get(timeout=PAUSE)
            if self.lost:
                raise ClusterError(self._describe_end(0))
        raise ClusterError(
            f"Process 0 of {self._size} was silent for {self._timeout:g} s"
            f" (`cluster_timeout`). {REMEDY}"
        )

    def end(self) -> None:
        """Closes the sending side; from now on processes may end."""
        self._has_ended = True
        for connection in self._sockets.values():
            with contextlib.suppress(OSError):  # it may have ended
                connection.shutdown(socket.SHUT_WR)

    @contextlib.contextmanager
    def waiting(self, is_bounded: bool = True) -> Iterator[None]:
        """Guards a block in which TensorFlow waits for other processes.

        No exception can be raised meanwhile: if a process is lost, TensorFlow
        is made to abort; if that fails, or the timeout passes, this process
        ends with a one-line error.

        Args:
            is_bounded: True to apply the timeout; False if the block computes.
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
            f"Process {number} of {self._size} has ended: its connection was"
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
        """Reads a message; returns False at the end of the connection."""
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
        """Makes TensorFlow abort, and ends this process if that fails."""
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
        with contextlib.suppress(OSError):  # stderr may be closed
            os.write(2, message.encode())
        os._exit(1)
