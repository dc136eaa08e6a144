"""Whose jobs of a batch may be taken by a process that is done with its own.

Job i is that of process i mod W. Others' are taken only where both see one
folder, and where it knows locks: by the lock of its workdir a job is claimed.
"""

import os
from collections.abc import Sequence

from absl import logging

from tfstyle.distributed import environment
from tfstyle.distributed.environment import Cluster
from tfstyle.errors import raising_write_errors
from tfstyle.experiment.manifest import Job
from tfstyle.system import file_lock

WORKERS = "workers"
"""Folder of a batch: an empty file of every process that has begun."""


def announce(folder: str, own: Cluster) -> None:
    """Tells the others that this process works in a batch's folder.

    Raises:
        WriteError: if it cannot be written.
    """
    if _is_alone(own):
        return
    path = _path(folder, own.index, own.size)
    with raising_write_errors(path):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "a"):
            pass


def jobs_of_others(jobs: Sequence[Job], own: Cluster, folder: str) -> list[Job]:
    """Returns the jobs that this process may take once its own are done.

    Those come first that their own process comes to last, and the next
    process' before those of others, so that few meet at one job. There are
    none of processes that did not begin in this folder: they may have another
    disk, as parts that were chosen by `--shard` may.

    Args:
        jobs: of the whole batch.
        own: the place of this process.
        folder: of the batch.
    """
    if _is_alone(own):
        return []
    if not file_lock.can_lock(folder):
        logging.warning(
            "warning: %r knows no locks: others' pictures are left to them",
            folder,
        )
        return []
    present = {
        index
        for index in range(own.size)
        if os.path.exists(_path(folder, index, own.size))
    }
    places = [n for n in range(len(jobs)) if n % own.size in present]
    places = [n for n in places if n % own.size != own.index]
    places.sort(key=lambda n: (-(n // own.size), (n - own.index) % own.size))
    return [jobs[n] for n in places]


def _is_alone(own: Cluster) -> bool:
    return own.size == 1 or own.source == environment.SHARD_FLAG


def _path(folder: str, index: int, size: int) -> str:
    return os.path.join(folder, WORKERS, f"{index + 1}-of-{size}")
