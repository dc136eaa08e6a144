"""Cluster size and process index, read from the environment.

Uses only `TF_CONFIG` or Slurm's variables of a job step, before TensorFlow is
loaded.
"""

import dataclasses
import json
import os
from collections.abc import Mapping

from tfstyle.errors import ClusterError

TASK_TYPES = ("chief", "master", "worker")
"""Jobs of TF_CONFIG that share a picture, in the order of their processes."""
SLURM_TASKS = ("SLURM_STEP_NUM_TASKS", "SLURM_PROCID")
"""Variables for the size of a job step and the rank within it."""
SHARD_FLAG = "--shard"
SLURM_ARRAY = "SLURM_ARRAY_TASK_ID"


@dataclasses.dataclass(frozen=True)
class Cluster:
    """Size of a cluster of processes and index of this process.

    Attributes:
        size: number of processes.
        index: index of this process; process 0 writes the results.
        source: `TF_CONFIG`, `Slurm` or empty for a single process.
        addresses: HOST:PORT of every process, if TF_CONFIG names them.
    """

    size: int = 1
    index: int = 0
    source: str = ""
    addresses: tuple[str, ...] = dataclasses.field(default=(), compare=False)


ALONE = Cluster()


def find_cluster(
    strategy: str = "auto", environment: Mapping[str, str] = os.environ
) -> Cluster:
    """Reads the cluster of this process from the environment.

    `TF_CONFIG` takes precedence over Slurm's variables. A single process is not
    a cluster.

    Args:
        strategy: option `strategy`; the environment is used only for `auto`
            and `multi_worker`.
        environment: environment variables.

    Raises:
        ClusterError: if the variables contradict each other, or mpirun started
            several processes, which cannot share a picture.
    """
    if strategy not in ("auto", "multi_worker"):
        return ALONE
    cluster = _find_sharing(environment)
    ranks = _read_ranks(environment)
    if not cluster.source and ranks.size > 1:
        raise ClusterError(
            f"mpirun started {ranks.size} processes, which would all paint the"
            " same picture. Start a single process, use srun or TF_CONFIG to"
            " share the picture, or add --strategy=one_device."
        )
    return cluster


def _find_sharing(environment: Mapping[str, str]) -> Cluster:
    """Returns the cluster of processes that can share a picture."""
    if environment.get("TF_CONFIG"):
        cluster = _read_tf_config(environment["TF_CONFIG"])
    elif "SLURM_STEP_NUM_TASKS" in environment:
        ranks = _read_ranks(environment)
        # Within a job step mpirun's processes inherit mpirun's Slurm variables;
        # srun itself sets equal ones.
        numbers = _read_numbers(environment, *SLURM_TASKS)
        if ranks.source and [ranks.size, ranks.index] != numbers:
            return ALONE
        cluster = _read_slurm(environment)
    else:
        return ALONE
    return cluster if cluster.size > 1 else ALONE


def _read_tf_config(text: str) -> Cluster:
    try:
        found = json.loads(text)
        jobs = found.get("cluster", {})
        addresses = [list(jobs.get(job, [])) for job in TASK_TYPES]
        everyone = tuple(str(each) for job in addresses for each in job)
        if len(everyone) < 2:
            return ALONE
        task_type, index = found["task"]["type"], int(found["task"]["index"])
        own = addresses[TASK_TYPES.index(task_type)]
        if not 0 <= index < len(own) or len(addresses[0] + addresses[1]) > 1:
            raise ValueError
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ClusterError(
            'TF_CONFIG must read as {"cluster": {"worker": ["HOST:PORT", ...]},'
            ' "task": {"type": "worker", "index": 0}}, with the type'
            f" {', '.join(TASK_TYPES[:-1])} or {TASK_TYPES[-1]}, and an index"
            f" below their number. Received: {text!r:.400}. Unset it, or add"
            " --strategy=one_device."
        ) from error
    before = sum(map(len, addresses[: TASK_TYPES.index(task_type)]))
    return Cluster(len(everyone), before + index, "TF_CONFIG", everyone)


def _read_slurm(environment: Mapping[str, str]) -> Cluster:
    numbers = _read_numbers(environment, *SLURM_TASKS)
    if numbers is None or numbers[1] >= numbers[0]:
        found = [environment.get(name, "") for name in SLURM_TASKS]
        raise ClusterError(
            f"{SLURM_TASKS[1]} must be a number below {SLURM_TASKS[0]}, as srun"
            f" sets them. Received: {found[1]!r} and {found[0]!r}. Unset both"
            " outside a job step."
        )
    return Cluster(*numbers, "Slurm")


def find_shard(
    shard: str = "auto",
    strategy: str = "auto",
    environment: Mapping[str, str] = os.environ,
) -> Cluster:
    """Returns the shard of a manifest's lines that this process handles.

    Args:
        shard: option `shard`, such as `3/10`, or `auto`: from the cluster, MPI
            ranks and Slurm's job array, whose tasks may be clusters.
        strategy: option `strategy`; one_device needs no cluster.
        environment: environment variables.

    Raises:
        ClusterError: if the variables contradict each other.
    """
    if shard != "auto":
        number, _, size = shard.partition("/")
        return Cluster(int(size), int(number) - 1, SHARD_FLAG)
    try:
        cluster = _find_sharing(environment)
    except ClusterError:
        if strategy in ("auto", "multi_worker"):
            raise
        cluster = ALONE
    cluster = cluster if cluster.source else _read_ranks(environment)
    if cluster.size == 1:
        cluster = ALONE
    array = _read_array(environment)
    sources = [each.source for each in (array, cluster) if each.source]
    return Cluster(
        array.size * cluster.size,
        array.index * cluster.size + cluster.index,
        " and ".join(sources),
    )


def _read_ranks(environment: Mapping[str, str]) -> Cluster:
    """Reads the ranks that mpirun sets, even for a single process."""
    for rank, size in (
        ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"),
        ("PMI_RANK", "PMI_SIZE"),
        ("MV2_COMM_WORLD_RANK", "MV2_COMM_WORLD_SIZE"),
        ("FLUX_TASK_RANK", "FLUX_JOB_SIZE"),
    ):
        found = _read_numbers(environment, rank, size)
        if found and found[0] < found[1]:
            return Cluster(found[1], found[0], rank)
    return ALONE


def _read_array(environment: Mapping[str, str]) -> Cluster:
    """Reads the index of a task in Slurm's job array.

    For an array with gaps, such as `--array=1,5,7`, the index is unknown. Then
    every task goes through all lines and skips those in progress elsewhere.
    """
    parts = ("ID", "MIN", "MAX", "COUNT", "STEP")
    names = [f"SLURM_ARRAY_TASK_{part}" for part in parts]
    found = _read_numbers(environment, *names)
    if not found or not found[-1]:
        return ALONE
    number, least, most, count, step = found
    is_regular = least + step * (count - 1) == most
    if not is_regular or (number - least) % step:
        return ALONE
    return Cluster(count, (number - least) // step, SLURM_ARRAY)


def _read_numbers(
    environment: Mapping[str, str], *names: str
) -> list[int] | None:
    """Returns the values of variables, or None if one is not a number."""
    texts = [environment.get(name, "") for name in names]
    return (
        [int(t) for t in texts] if all(t.isdecimal() for t in texts) else None
    )
