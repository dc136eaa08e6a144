"""Chooses the `tf.distribute` strategy and forms the cluster."""

import os
import signal
from collections.abc import Sequence
from typing import Any

import tensorflow as tf
from absl import logging

from tfstyle.config.config import Config
from tfstyle.distributed import rendezvous
from tfstyle.distributed import slurm
from tfstyle.distributed.deadlines import deadline_of_start
from tfstyle.distributed.environment import Cluster
from tfstyle.distributed.replicas import Replicas
from tfstyle.errors import ClusterError
from tfstyle.errors import one_line
from tfstyle.system import private_tensorflow

LEAST_SHARED = 1024
"""Minimum long edge of a picture that is shared by several GPUs, pixels.

Notes: with one process and with two, of one thread each, on an Intel Xeon with
direct convolutions, seconds per evaluation were 0.74 and 0.77 at 256 px, 2.5
and 1.8 at 512, 6.0 and 3.8 at 768, 10.8 and 7.4 at 1024. A GPU computes faster
but communicates no faster, so the limit is a size with a clear gain; no GPU was
measured.
"""
_NO_PROXY = "no_grpc_proxy"


def choose_strategy(config: Config, cluster: Cluster) -> str:
    """Chooses the strategy for the config, the GPUs and the cluster.

    Raises:
        ClusterError: if the config requires a cluster and there is none.
    """
    if config.strategy == "multi_worker" and cluster.size == 1:
        raise ClusterError(
            "`strategy` multi_worker needs other processes, but neither"
            " TF_CONFIG nor srun's variables name any. Start with srun or"
            " tools/launch_local.py, or set TF_CONFIG."
        )
    if config.strategy != "auto":
        return config.strategy
    # A default must not contradict an explicit option.
    can_share = config.precision != "mixed_float16" and (
        config.image_size >= LEAST_SHARED or config.image_size == 0
    )
    if cluster.size > 1:
        return "multi_worker"
    if can_share and len(tf.config.list_physical_devices("GPU")) > 1:
        return "mirrored"
    return "one_device"


def make_replicas(
    strategy: str, config: Any, cluster: Cluster
) -> Replicas | None:
    """Makes the replicas of a strategy; None for one device.

    Call it before TensorFlow first uses a device.

    Args:
        strategy: `one_device`, `mirrored` or `multi_worker`.
        config: options; a RunConfig if there are several processes.
        cluster: processes of the cluster.

    Raises:
        ClusterError: if other processes cannot be reached.
    """
    if strategy == "multi_worker":
        return connect(cluster, config.cluster_timeout)
    return mirror() if strategy == "mirrored" else None


def connect(cluster: Cluster, timeout: float) -> Replicas:
    """Connects to the other processes and forms TensorFlow's cluster.

    Raises:
        ClusterError: if other processes cannot be reached.
    """
    logging.info(
        "Process %d of %d: waiting for the other processes (not with"
        " --strategy=one_device)",
        cluster.index,
        cluster.size,
    )
    addresses = list(cluster.addresses) or slurm.find_addresses()
    sockets = rendezvous.meet(addresses, cluster.index, timeout)
    _pass_proxies(addresses)
    resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
        tf.train.ClusterSpec({"worker": addresses}),
        task_type="worker",
        task_id=cluster.index,
        num_accelerators={"GPU": len(tf.config.list_physical_devices("GPU"))},
        rpc_layer="grpc",
    )
    with deadline_of_start(timeout):
        try:
            private_tensorflow.set_heartbeat(cluster.size, timeout)
            strategy = tf.distribute.MultiWorkerMirroredStrategy(resolver)
        except (tf.errors.OpError, RuntimeError, ValueError) as error:
            raise ClusterError(
                f"The cluster cannot be formed: {one_line(str(error))}."
            ) from error
    # Reinstalls our handler: TensorFlow replaces that of SIGTERM.
    signal.signal(signal.SIGTERM, signal.getsignal(signal.SIGTERM))
    return Replicas(strategy, cluster, timeout, sockets)


def mirror(devices: Sequence[str] | None = None) -> Replicas:
    """Makes replicas on devices of this process; by default all GPUs."""
    return Replicas(private_tensorflow.make_mirrored_strategy(devices))


def _pass_proxies(addresses: Sequence[str]) -> None:
    """Makes TensorFlow connect to the processes without a proxy.

    Only gRPC reads this variable, so downloads keep their proxy.
    """
    hosts = {address.rpartition(":")[0].strip("[]") for address in addresses}
    others = os.environ.get(_NO_PROXY) or os.environ.get("no_proxy")
    names = [*sorted(hosts), *filter(None, [others])]
    os.environ[_NO_PROXY] = ",".join(names)
