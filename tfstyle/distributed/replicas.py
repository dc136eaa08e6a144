"""The devices and processes that share one picture, by `tf.distribute`.

Process 0 leads: it alone holds the optimizer, decides and writes. The others
follow its commands, so that no two can decide differently, and a checkpoint is
there once. Arrays are added up over the processes, where all but one may give
zeros: TensorFlow's one operation between processes that takes any array.
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
"""Commands of process 0, sent with a signal or a level."""
LOST = (
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.FailedPreconditionError,
    tf.errors.InternalError,
    tf.errors.UnavailableError,
)
"""What TensorFlow may raise when another process is gone."""
_OF_A_GPU = re.compile(r"cudnn|cublas|cuda|xla|ptxas|libdevice", re.IGNORECASE)
"""What a GPU's own libraries call themselves in their errors."""


class Replicas:
    """What shares the work on one picture.

    Args:
        strategy: of `tf.distribute`.
        cluster: the processes.
        timeout: seconds to wait for the other processes.
        sockets: connected to other processes, by their numbers.

    Attributes:
        strategy: the same.
        size: number of processes.
        index: of this one; 0 leads.
        find_signal: returns the number of the signal that this process got.
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
        """Devices of all processes."""
        return self.strategy.num_replicas_in_sync

    def scope(self) -> contextlib.AbstractContextManager:
        """Returns the context in which each device gets its own weights.

        Over processes every one makes its own outside of any.
        """
        is_alone = self.size == 1
        return self.strategy.scope() if is_alone else contextlib.nullcontext()

    def describe(self) -> str:
        """Returns a line about how many share the picture."""
        number = self.num_replicas
        text = f"{number} replica{'s' if number > 1 else ''}"
        return text + (f" in {self.size} processes" if self.size > 1 else "")

    @property
    def stop_number(self) -> int:
        """Number of the signal that another process got, or 0."""
        return next(iter(self._connections.signals), 0)

    def name_signal(self) -> str | None:
        """Returns the reason to end if another process got a signal."""
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
            ClusterError: if none comes.
        """
        command, value = self._connections.receive(self.find_signal)
        if command in (END, FAIL):
            self._connections.end()
        return command, value

    def add_up(self, values: Any) -> Any:
        """Adds arrays up over the processes.

        Args:
            values: nested float32 arrays, of the same shapes in all.

        Raises:
            ClusterError: if another process is gone.
        """
        if self.size == 1:
            return values
        values = tf.nest.map_structure(tf.convert_to_tensor, values)
        with self.waiting_for_others(is_bounded=True):
            return self._add_up(values)

    @tf.function(autograph=False)
    def _add_up(self, values):
        strategy = self.strategy
        num_local = strategy.num_replicas_in_sync // self.size

        def run(values):
            replica = tf.distribute.get_replica_context()
            number = replica.replica_id_in_sync_group % num_local
            is_first = tf.cast(tf.equal(number, 0), tf.float32)
            parts = tf.nest.map_structure(lambda v: v * is_first, values)
            return replica.all_reduce(tf.distribute.ReduceOp.SUM, parts)

        return self.first(strategy.run(run, args=(values,)))

    def first(self, values: Any) -> Any:
        """Returns a value that is the same in all replicas, from the first."""
        return tf.nest.map_structure(
            lambda v: self.strategy.experimental_local_results(v)[0], values
        )

    def gather_texts(self, text: str) -> list[str]:
        """Returns the text of every process, in their order."""
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
        """Turns TensorFlow's error over a lost process into one for people.

        Those of a GPU's libraries are left as they are.

        Args:
            is_bounded: whether the timeout holds for the block: it only waits.

        Raises:
            ClusterError: if another process is gone.
        """
        try:
            with self._connections.waiting(is_bounded):
                yield
        except LOST as error:
            if self.size == 1 or _OF_A_GPU.search(str(error)):
                raise
            raise ClusterError(self._describe_loss(str(error))) from error

    def _describe_loss(self, text: str) -> str:
        """Returns a message that names the lost process, from TensorFlow's."""
        tasks = re.findall(r"/job:worker/replica:0/task:(\d+)", text)
        lost = set(self._connections.lost) or {int(number) for number in tasks}
        if "CoordinationService/Heartbeat" in text:
            lost.add(0)  # which hears the heartbeats
        names = [f"Process {number}" for number in lost - {self.index}]
        what = "has ended"
        if "heartbeat" in text.lower():
            what = f"gave no sign for {self._timeout:g} s (`cluster_timeout`)"
        reason = text.partition("aborted by: ")[2] or text
        return (
            f"{' and '.join(sorted(names)) or 'Another process'} of"
            f" {self.size} {what}: {one_line(reason)} {REMEDY}"
        )
