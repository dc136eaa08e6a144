"""The devices and processes that share one picture, by `tf.distribute`.

Process 0 leads: it alone holds the optimizer, decides and writes. The others
follow its commands, so that no two can decide differently, and a checkpoint is
there once. What is sent is added up over the processes, where all but one may
give zeros: TensorFlow's one operation between processes that takes any array.
"""

import contextlib
import dataclasses
import faulthandler
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from absl import logging

# TensorFlow has no public name for how long a silent process is waited for.
from tensorflow.compiler.xla.tsl.protobuf import coordination_config_pb2
from tensorflow.python.eager import context as tf_context

from tfstyle.cluster import Cluster
from tfstyle.cluster import ClusterError
from tfstyle.one_line import one_line

END, FAIL, LEVEL, EVALUATE = range(4)
"""Commands of process 0; what goes with them is a signal or a level."""
LOST = (
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.FailedPreconditionError,
    tf.errors.InternalError,
    tf.errors.UnavailableError,
)
"""What TensorFlow may raise when another process is gone."""
REMEDY = "Start all again with the same command: it goes on from a checkpoint."


class Replicas:
    """What shares the work on one picture.

    Args:
        strategy: of `tf.distribute`.
        cluster: the processes.
        timeout: seconds to wait for the other processes.

    Attributes:
        strategy: the same.
        size: number of processes.
        index: of this one; 0 leads.
        find_signal: returns the number of the signal that this process got.
        stop_number: of a signal that any process got, or 0.
    """

    def __init__(
        self, strategy: tf.distribute.Strategy, cluster: Cluster, timeout: float
    ):
        self.strategy = strategy
        self.size = cluster.size
        self.index = cluster.index
        self.find_signal: Callable[[], int | None] = lambda: None
        self.stop_number = 0
        self._timeout = timeout

    @property
    def num_replicas(self) -> int:
        """Devices of all processes."""
        return self.strategy.num_replicas_in_sync

    def describe(self) -> str:
        """Returns a line about how many share the picture."""
        text = f"{self.num_replicas} replicas"
        return text + (f" in {self.size} processes" if self.size > 1 else "")

    def name_signal(self) -> str | None:
        """Returns the reason to end if another process got a signal."""
        if not self.stop_number:
            return None
        return f"{signal.Signals(self.stop_number).name} in another process"

    def lead(self, command: int, value: int = 0) -> None:
        """Tells the other processes what to do next."""
        self._exchange(command, value)

    def follow(self) -> tuple[int, int]:
        """Waits for a command of process 0 and returns it and its value."""
        return self._exchange(0, 0)

    def _exchange(self, command: int, value: int) -> tuple[int, int]:
        numbers = np.zeros(2 + self.size, np.float32)
        if self.index == 0:
            numbers[:2] = command, value
        numbers[2 + self.index] = self.find_signal() or 0
        numbers = np.asarray(self.add_up(numbers)).astype(int).tolist()
        command, value, *signals = numbers
        self.stop_number = next((s for s in signals if s), self.stop_number)
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
        with self.naming_lost(), Patience(self._timeout):
            return self._add_up(values)

    @tf.function
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
        """Returns what is the same in all replicas, as the first has it."""
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
    def naming_lost(self) -> Iterator[None]:
        """Turns TensorFlow's error over a lost process into one for people.

        Raises:
            ClusterError: if another process is gone.
        """
        try:
            yield
        except LOST as error:
            if self.size == 1:
                raise
            raise ClusterError(self._describe_loss(str(error))) from error

    def _describe_loss(self, text: str) -> str:
        """Tells people what TensorFlow says of a lost process."""
        resolver = self.strategy.cluster_resolver
        has_chief = "chief" in resolver.cluster_spec().jobs
        tasks = re.findall(r"/job:(\w+)/replica:0/task:(\d+)", text)
        lost = {int(n) + (has_chief and job != "chief") for job, n in tasks}
        if "CoordinationService/Heartbeat" in text:
            lost.add(0)  # which hears the heartbeats
        names = [f"process {number}" for number in lost - {self.index}]
        what = "has ended"
        if "heartbeat" in text.lower():
            what = f"gave no sign for {self._timeout:g} s (`cluster_timeout`)"
        return (
            f"{' and '.join(sorted(names)) or 'another process'} of"
            f" {self.size} {what}: {one_line(text)} {REMEDY}"
        ).capitalize()


class Patience:
    """Ends the process, with a line, if a block takes too long.

    TensorFlow waits for absent processes without end, and while it does, no
    exception can be raised.

    Args:
        seconds: until then.
    """

    def __init__(self, seconds: float):
        self._timer = threading.Timer(seconds, self._end, [seconds])
        self._timer.daemon = True

    def __enter__(self) -> None:
        self._timer.start()

    def __exit__(self, *_) -> None:
        self._timer.cancel()

    @staticmethod
    def _end(seconds: float) -> None:
        with contextlib.suppress(OSError):  # nobody reads it any more
            os.write(2, _describe_absence(seconds).encode())
        os._exit(1)


_TELL = """
import os, select, sys
if not select.select([0], [], [], float(sys.argv[1]))[0]:
    os.write(2, sys.argv[2].encode())
"""


@contextlib.contextmanager
def _deadline(seconds: float) -> Iterator[None]:
    """Ends the process, with a line, if a block takes too long.

    Other than `Patience` it works while TensorFlow holds Python's lock, as it
    does when it waits for a cluster: a child tells, faulthandler's thread
    ends, and signals have their plain effect.
    """
    numbers = (signal.SIGINT, signal.SIGTERM)
    handlers = {n: signal.signal(n, signal.SIG_DFL) for n in numbers}
    words = [str(seconds), _describe_absence(seconds)]
    child = subprocess.Popen(
        [sys.executable, "-S", "-c", _TELL, *words], stdin=subprocess.PIPE
    )
    with open(os.devnull, "w") as nowhere:
        later = seconds + 1  # the child needs a moment
        faulthandler.dump_traceback_later(later, exit=True, file=nowhere)
        try:
            yield
        finally:
            faulthandler.cancel_dump_traceback_later()
            child.communicate()
            for number, handler in handlers.items():
                signal.signal(number, handler)


def _describe_absence(seconds: float) -> str:
    return (
        f"error: Other processes of the cluster were absent or silent for"
        f" {seconds:g} s. See what became of them, or wait longer by"
        f" --cluster_timeout. {REMEDY}\n"
    )


def choose_strategy(config, cluster: Cluster):
    """Returns a `Config` whose `strategy` is settled.

    Raises:
        ClusterError: if there is no cluster where one is asked for.
        ConfigError: if another flag does not go with several replicas.
    """
    if config.strategy == "multi_worker" and cluster.size == 1:
        raise ClusterError(
            "`strategy` is multi_worker, but neither TF_CONFIG nor srun's"
            " variables name other processes. Start with srun or"
            " tools/launch_local.py, or set TF_CONFIG."
        )
    if config.strategy != "auto":
        return config
    has_gpus = len(tf.config.list_physical_devices("GPU")) > 1
    choice = "mirrored" if has_gpus else "one_device"
    if cluster.size > 1:
        choice = "multi_worker"
    return dataclasses.replace(config, strategy=choice)


def make_replicas(config, cluster: Cluster) -> Replicas | None:
    """Makes the replicas of a `Config`; None for one device.

    Must come before TensorFlow's first use of a device.

    Raises:
        ClusterError: if other processes cannot be reached.
    """
    if config.strategy == "multi_worker":
        return connect(cluster, config.cluster_timeout)
    return mirror() if config.strategy == "mirrored" else None


def connect(cluster: Cluster, timeout: float) -> Replicas:
    """Waits for the other processes of the cluster.

    Raises:
        ClusterError: if they cannot be reached.
    """
    logging.info(
        "Process %d of %d, waiting for the others", cluster.index, cluster.size
    )
    with _deadline(timeout):
        try:
            resolver = _make_resolver(cluster)
            spec = resolver.cluster_spec()
            _set_silence(spec.as_dict(), timeout)
            strategy = tf.distribute.MultiWorkerMirroredStrategy(resolver)
        except (tf.errors.OpError, RuntimeError, ValueError) as error:
            raise ClusterError(
                f"The cluster cannot be formed: {one_line(str(error))}."
            ) from error
    return Replicas(strategy, cluster, timeout)


def mirror(devices: Sequence[str] | None = None) -> Replicas:
    """Makes replicas of the devices of this process; by default all GPUs."""
    return Replicas(tf.distribute.MirroredStrategy(devices), Cluster(), 0)


class RankedSlurmResolver(tf.distribute.cluster_resolver.SlurmClusterResolver):
    """Slurm's job step as a cluster, in the order of its ranks.

    TensorFlow's own sorts hosts by name, where node10 comes before node2, and
    asks nvidia-smi for GPUs; here they are those that Slurm lets the task see.
    """

    def __init__(self):
        super().__init__(
            gpus_per_node=int(os.environ["SLURM_STEP_NUM_TASKS"]),
            gpus_per_task=1,
            auto_set_gpu=False,
        )

    def cluster_spec(self) -> tf.train.ClusterSpec:
        """Returns the addresses, by rank."""
        jobs = super().cluster_spec().as_dict()
        hosts = list(self._task_configuration)
        jobs["worker"].sort(
            key=lambda address: (
                hosts.index(address.rpartition(":")[0]),
                int(address.rpartition(":")[2]),
            )
        )
        return tf.train.ClusterSpec(jobs)

    def num_accelerators(self, *_, **__) -> dict[str, int]:
        """Returns how many GPUs this task has."""
        return {"GPU": len(tf.config.list_physical_devices("GPU"))}


def _make_resolver(cluster: Cluster):
    if cluster.source == "Slurm":
        return RankedSlurmResolver()
    return tf.distribute.cluster_resolver.TFConfigClusterResolver()


def _set_silence(jobs: dict[str, list[str]], timeout: float) -> None:
    """Sets after how many seconds without a heartbeat a process is lost."""
    leader = "chief" if "chief" in jobs else "worker"
    tf_context.context().configure_coordination_service(
        service_type="standalone",
        service_leader=f"/job:{leader}/replica:0/task:0",
        coordinated_jobs=[
            coordination_config_pb2.CoordinatedJob(
                name=job, num_tasks=len(addresses)
            )
            for job, addresses in jobs.items()
        ],
        cluster_register_timeout_in_ms=round(1000 * timeout),
        heartbeat_timeout_in_ms=round(1000 * timeout),
    )
