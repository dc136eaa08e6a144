"""Replicas: devices and processes that share one picture by `tf.distribute`.

Process 0 leads: only it holds the optimizer, makes decisions and writes. The
workers follow its commands, so processes cannot diverge and there is a single
checkpoint. Arrays are summed over the processes, where all but one may
contribute zeros: all-reduce is TensorFlow's only operation between processes
that takes any array.
"""

import contextlib
import re
import signal
import socket
import types
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from tfstyle.distributed.connections import Connections
from tfstyle.distributed.deadlines import REMEDY
from tfstyle.distributed.environment import ALONE
from tfstyle.distributed.environment import Cluster
from tfstyle.errors import ClusterError
from tfstyle.errors import one_line

END, FAIL, LEVEL, EVALUATE = range(1, 5)
"""Commands of process 0, sent with a signal number or a level."""
LOST = (
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.FailedPreconditionError,
    tf.errors.InternalError,
    tf.errors.UnavailableError,
)
"""Errors that TensorFlow may raise if another process is lost."""
_OF_A_GPU = re.compile(r"cudnn|cublas|cuda|xla|ptxas|libdevice", re.IGNORECASE)
"""Names of GPU libraries in their error messages."""


class Replicas:
    """Devices and processes that share the work on one picture.

    Args:
        strategy: strategy of `tf.distribute`.
        cluster: processes of the cluster.
        timeout: seconds to wait for the other processes.
        sockets: connected sockets by the number of the remote process.

    Attributes:
        strategy: strategy of `tf.distribute`.
        size: number of processes.
        index: index of this process; process 0 leads.
        find_signal: function that returns the number of the signal that this
            process received, or None.
    """

    def __init__(
        self,
        strategy: tf.distribute.Strategy,
        cluster: Cluster = ALONE,
        timeout: float = 0,
        sockets: Mapping[int, socket.socket] = types.MappingProxyType({}),
    ):
        self.strategy = strategy
        self.size = cluster.size
        self.index = cluster.index
        self.find_signal: Callable[[], int | None] = lambda: None
        self._timeout = timeout
        self._connections = Connections(sockets, cluster.size, timeout)

    @property
    def num_replicas(self) -> int:
        """Number of devices of all processes."""
        return self.strategy.num_replicas_in_sync

    def scope(self) -> contextlib.AbstractContextManager:
        """Returns the context in which each device gets its own weights.

        With several processes it is empty: each makes its own weights.
        """
        is_alone = self.size == 1
        return self.strategy.scope() if is_alone else contextlib.nullcontext()

    def describe(self) -> str:
        """Returns the number of replicas and processes, as a line of text."""
        number = self.num_replicas
        text = f"{number} replica{'s' if number > 1 else ''}"
        return text + (f" in {self.size} processes" if self.size > 1 else "")

    @property
    def stop_number(self) -> int:
        """Number of the signal that another process received, or 0."""
        return next(iter(self._connections.signals), 0)

    def name_signal(self) -> str | None:
        """Returns the stop reason if another process received a signal."""
        if not self.stop_number:
            return None
        return f"{signal.Signals(self.stop_number).name} in another process"

    def lead(self, command: int, value: int = 0) -> None:
        """Sends a command to the other processes."""
        self._connections.send(command, value)
        if command in (END, FAIL):
            self._connections.end()

    def follow(self) -> tuple[int, int]:
        """Waits for a command of process 0 and returns it and its value.

        Raises:
            ClusterError: if no command arrives.
        """
        command, value = self._connections.receive(self.find_signal)
        if command in (END, FAIL):
            self._connections.end()
        return command, value

    def add_up(self, array: Any) -> Any:
        """Sums an array over the processes.

        Args:
            array: float32, of equal shape in all processes.

        Raises:
            ClusterError: if another process is lost.
        """
        if self.size == 1:
            return array
        with self.waiting_for_others(is_bounded=True):
            return self._add_up(tf.convert_to_tensor(array))

    @tf.function(autograph=False)
    def _add_up(self, array):
        num_local = self.num_replicas // self.size

        def run(array):
            replica = tf.distribute.get_replica_context()
            number = replica.replica_id_in_sync_group % num_local
            is_first = tf.cast(tf.equal(number, 0), tf.float32)
            return add_up_over_replicas(array * is_first)

        return self.first(self.strategy.run(run, args=(array,)))

    def first(self, values: Any) -> Any:
        """Returns the first replica's copy of a value that is equal in all."""
        return tf.nest.map_structure(
            lambda v: self.strategy.experimental_local_results(v)[0], values
        )

    def gather_texts(self, text: str) -> list[str]:
        """Returns the texts of all processes, in order."""
        data = np.frombuffer(text.encode(), np.uint8)
        lengths = np.zeros(self.size, np.float32)
        lengths[self.index] = len(data)
        lengths = np.asarray(self.add_up(lengths)).astype(int)
        rows = np.zeros((self.size, max(lengths)), np.float32)
        rows[self.index, : len(data)] = data
        rows = np.asarray(self.add_up(rows)).astype(np.uint8)
        return [
            bytes(row[:length]).decode()
            for row, length in zip(rows, lengths, strict=True)
        ]

    @contextlib.contextmanager
    def waiting_for_others(self, *, is_bounded: bool = False) -> Iterator[None]:
        """Converts TensorFlow's errors about a lost process to ClusterError.

        Errors of GPU libraries are passed on.

        Args:
            is_bounded: True to apply the timeout, for a block that only waits.

        Raises:
            ClusterError: if another process is lost.
        """
        try:
            with self._connections.waiting(is_bounded):
                yield
        except LOST as error:
            if self.size == 1 or _OF_A_GPU.search(str(error)):
                raise
            raise ClusterError(self._describe_loss(str(error))) from error

    def _describe_loss(self, text: str) -> str:
        """Returns an error message that names the lost process.

        Args:
            text: message of TensorFlow's error.
        """
        tasks = re.findall(r"/job:worker/replica:0/task:(\d+)", text)
        lost = set(self._connections.lost) or {int(number) for number in tasks}
        if "CoordinationService/Heartbeat" in text:
            lost.add(0)  # which receives the heartbeats
        names = [f"Process {number}" for number in lost - {self.index}]
        what = "has ended"
        if "heartbeat" in text.lower():
            what = f"was silent for {self._timeout:g} s (`cluster_timeout`)"
        reason = text.partition("aborted by: ")[2] or text
        return (
            f"{' and '.join(sorted(names)) or 'Another process'} of"
            f" {self.size} {what}: {one_line(reason)} {REMEDY}"
        )


def add_up_over_replicas(values: Any) -> Any:
    """Sums values over the replicas; call it in a replica context."""
    context = tf.distribute.get_replica_context()
    return context.all_reduce(tf.distribute.ReduceOp.SUM, values)
