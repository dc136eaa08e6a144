"""Cluster size and process index, read from the environment.

A picture is shared by the processes of `TF_CONFIG` or of Slurm's job step. The
lines of a manifest are also divided among MPI ranks and tasks of job arrays.
TensorFlow need not be loaded.
"""

import dataclasses
import json
import math
import os
from collections.abc import Mapping

from tfstyle.distributed.job_arrays import JobArray
from tfstyle.distributed.job_arrays import find_arrays
from tfstyle.distributed.job_arrays import read_numbers
from tfstyle.errors import ClusterError

TASK_TYPES = ("chief", "master", "worker")
"""Jobs of TF_CONFIG that share a picture, in the order of their processes."""
SLURM_TASKS = ("SLURM_STEP_NUM_TASKS", "SLURM_PROCID")
"""Variables for the size of a job step and the rank within it."""
SHARD_FLAG = "--shard"


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
        numbers = read_numbers(environment, *SLURM_TASKS)
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
        if task_type in jobs and task_type not in TASK_TYPES:
            raise ClusterError(
                f"TF_CONFIG makes this process a {task_type}, which takes no"
                f" part. Start only tasks of type {', '.join(TASK_TYPES)}, or"
                " add --strategy=one_device."
            )
        own = addresses[TASK_TYPES.index(task_type)]
        if not 0 <= index < len(own) or len(addresses[0] + addresses[1]) > 1:
            raise ValueError
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ClusterError(
            'TF_CONFIG must read as {"cluster": {"worker": ["HOST:PORT", ...]},'
            ' "task": {"type": "worker", "index": 0}}, with an index below the'
            f" number of workers. Received: {text!r:.400}. Unset it, or add"
            " --strategy=one_device."
        ) from error
    before = sum(map(len, addresses[: TASK_TYPES.index(task_type)]))
    return Cluster(len(everyone), before + index, "TF_CONFIG", everyone)


def _read_slurm(environment: Mapping[str, str]) -> Cluster:
    numbers = read_numbers(environment, *SLURM_TASKS)
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
        shard: option `shard`: `3/10`; `auto`, from the cluster, MPI ranks and
            job arrays, whose tasks may be clusters; or `auto/10`, likewise, for
            an array of 10 tasks.
        strategy: option `strategy`; one_device needs no cluster.
        environment: environment variables.

    Raises:
        ClusterError: if the variables contradict each other or `shard`.
    """
    number, _, count = shard.partition("/")
    if number != "auto":
        return Cluster(int(count), int(number) - 1, SHARD_FLAG)
    cluster, arrays = _find_parts(strategy, environment)
    if count:
        arrays = _count_tasks(int(count), cluster, arrays)
    size, index, sources = 1, 0, []
    for part in (*arrays, cluster):
        if part.size is not None and part.size > 1:
            size, index = size * part.size, index * part.size + part.index
            sources.append(part.source)
    return Cluster(size, index, " and ".join(sources))


def find_uncounted_array(
    strategy: str = "auto", environment: Mapping[str, str] = os.environ
) -> str | None:
    """Returns the variable of a job array that `shard` auto cannot divide.

    Its scheduler does not tell the number of tasks, or the indices have gaps,
    such as in Slurm's `--array=1,5,7`. Then every task goes through all lines
    and skips those in progress elsewhere.

    Args:
        strategy: option `strategy`; one_device needs no cluster.
        environment: environment variables.
    """
    _, arrays = _find_parts(strategy, environment)
    return next((each.source for each in arrays if each.size is None), None)


def _find_parts(
    strategy: str, environment: Mapping[str, str]
) -> tuple[Cluster, list[JobArray]]:
    """Returns the cluster of this process and the arrays that it is within."""
    try:
        cluster = _find_sharing(environment)
    except ClusterError:
        if strategy in ("auto", "multi_worker"):
            raise
        cluster = ALONE
    cluster = cluster if cluster.source else _read_ranks(environment)
    arrays = find_arrays(environment)
    if cluster.size == 1:
        return ALONE, arrays
    return cluster, [each for each in arrays if not each.variables.is_rank]


def _count_tasks(
    count: int, cluster: Cluster, arrays: list[JobArray]
) -> list[JobArray]:
    """Returns the arrays, with the number of tasks that `shard` gives.

    Without an array it is the number of the cluster's processes.
    """
    parts = [each for each in arrays if each.size != 1] or arrays or [cluster]
    source = " and ".join(each.source for each in parts)
    sizes = [each.size for each in parts]
    if not source:
        need = "the variables of a job array or a cluster"
    elif None not in sizes:
        if math.prod(sizes) == count:
            return arrays
        need = f"the number of tasks, which is {math.prod(sizes)} by {source}"
    elif len(parts) > 1 or parts[0].index is None:
        need = "one job array, whose indices have equal steps"
    else:
        if 0 <= parts[0].index < count:
            return [dataclasses.replace(parts[0], size=count)]
        first = parts[0].variables.first
        need = f"an array with the indices {first} to {first + count - 1}"
    received = [f"shard='auto/{count}'"]
    received += [f"{each.source}={each.number}" for each in arrays]
    raise ClusterError(
        f"`shard` auto/{count} needs {need}. Received: {', '.join(received)}."
        f" Change how it is submitted, or give --shard=NUMBER/{count}."
    )


def _read_ranks(environment: Mapping[str, str]) -> Cluster:
    """Reads the ranks that mpirun sets, even for a single process."""
    for rank, size in (
        ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"),
        ("PMI_RANK", "PMI_SIZE"),
        ("MV2_COMM_WORLD_RANK", "MV2_COMM_WORLD_SIZE"),
        ("FLUX_TASK_RANK", "FLUX_JOB_SIZE"),
    ):
        found = read_numbers(environment, rank, size)
        if found and found[0] < found[1]:
            return Cluster(found[1], found[0], rank)
    return ALONE
