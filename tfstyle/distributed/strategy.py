"""Which devices and processes share a picture, and how processes meet."""

import dataclasses
import os
import signal
from collections.abc import Sequence

import tensorflow as tf
from absl import logging

from tfstyle.distributed import rendezvous
from tfstyle.distributed.deadlines import deadline_of_start
from tfstyle.distributed.environment import ALONE
from tfstyle.distributed.environment import Cluster
from tfstyle.distributed.environment import ClusterError
from tfstyle.distributed.replicas import Replicas
from tfstyle.errors import one_line
from tfstyle.system import private_tensorflow

FIRST_PORT, NUM_PORTS = 20000, 10000
"""Of a Slurm job: the first one for its first task on each node."""


def choose_strategy(config, cluster: Cluster):
    """Returns a `Config` whose `strategy` is resolved.

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
    # A default must not contradict what is asked for.
    is_whole = config.precision == "mixed_float16"
    choice = "mirrored" if has_gpus and not is_whole else "one_device"
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
    resolver = _make_resolver(cluster)
    spec = resolver.cluster_spec()
    jobs = spec.as_dict()
    addresses = [*jobs.get("chief", []), *jobs.get("worker", [])]
    rendezvous.wait_for_workers(addresses, cluster.index, timeout)
    with deadline_of_start(timeout):
        try:
            private_tensorflow.set_heartbeat(jobs, timeout)
            strategy = tf.distribute.MultiWorkerMirroredStrategy(resolver)
        except (tf.errors.OpError, RuntimeError, ValueError) as error:
            raise ClusterError(
                f"The cluster cannot be formed: {one_line(str(error))}."
            ) from error
    # TensorFlow took SIGTERM for itself, and nothing would follow from it.
    signal.signal(signal.SIGTERM, signal.getsignal(signal.SIGTERM))
    return Replicas(strategy, cluster, timeout)


def mirror(devices: Sequence[str] | None = None) -> Replicas:
    """Makes replicas of the devices of this process; by default all GPUs."""
    return Replicas(tf.distribute.MirroredStrategy(devices), ALONE, 0)


class RankedSlurmResolver(tf.distribute.cluster_resolver.SlurmClusterResolver):
    """Slurm's job step as a cluster, in the order of its ranks.

    TensorFlow's own sorts hosts by name, where node10 comes before node2, and
    asks nvidia-smi for GPUs; here they are those that Slurm lets the task see.
    """

    def __init__(self):
        # Two jobs may share a node.
        job = int(os.environ.get("SLURM_JOB_ID", "0"))
        super().__init__(
            port_base=FIRST_PORT + job % NUM_PORTS,
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
