"""Job sharing: distributes the jobs of a batch among W processes.

Job i belongs to process i mod W. A process that has finished its own jobs takes
over others, if both use the same folder. A job is claimed by locking its
workdir; if the disk does not support locks, or the folder is in a store, every
process paints only its own jobs.
"""

import contextlib
import os
import re
from collections.abc import Sequence

from tfstyle.batch.manifest import Job
from tfstyle.distributed import environment
from tfstyle.distributed.environment import Cluster
from tfstyle.distributed.job_arrays import SHARED_DISK_ARRAYS
from tfstyle.errors import raising_write_errors
from tfstyle.experiment.run_directory import WorkdirError
from tfstyle.system import atomic_file
from tfstyle.system import file_lock
from tfstyle.system.file_hash import hash_file
from tfstyle.system.paths import is_address

WORKERS = "workers"
"""Subfolder of a batch: one file per started process, with the hash of its
manifest."""


class JobSharing:
    """Registers a process in a batch and finds jobs of other processes.

    Args:
        folder: folder of the batch, in which this process registers.
        own: place of this process in the cluster.
        manifest: path of the manifest; only processes with an equal manifest
            share jobs.

    Raises:
        WriteError: if the folder is not writable, or a file there was not
            written by a run.
    """

    def __init__(self, folder: str, own: Cluster, manifest: str):
        self._folder = folder
        self._own = own
        self._is_alone = (
            own.size == 1
            or own.source == environment.SHARD_FLAG
            or is_address(folder)
        )
        if self._is_alone:
            return
        path = self._path(own.index)
        if os.path.lexists(path) and not _read_hash(path):
            raise WorkdirError(
                f"{path!r} was not created by a run and would be replaced."
                " Choose another --workdir."
            )
        with raising_write_errors(path):
            os.makedirs(os.path.dirname(path), exist_ok=True)
            self._hash = hash_file(manifest)
            atomic_file.write_text(path, self._hash)
            self._is_alone = not file_lock.can_lock(folder)

    def jobs_of_others(
        self, jobs: Sequence[Job]
    ) -> tuple[list[Job], list[Job]]:
        """Returns the jobs to take over once this process' own are finished.

        The order is the reverse of that of the owning process, starting with
        the next process, so that two processes rarely reach the same job.
        Processes that have not started in this folder may work on another
        disk, such as parts chosen by `--shard` or containers, so their jobs are
        left to them. Tasks of an array on a cluster may start at any time, or
        have a list of their own; their jobs are taken over.

        Args:
            jobs: all jobs of the batch.

        Returns:
            Jobs of processes that have started in this folder, and jobs of
            processes that have not.
        """
        if self._is_alone:
            return [], []
        own, size = self._own.index, self._own.size
        present = {n for n in range(size) if n != own and self._is_present(n)}
        places = [n for n in range(len(jobs)) if n % size in present]
        places.sort(key=lambda n: (-(n // size), (n - own) % size))
        absent = []
        if any(name in self._own.source for name in SHARED_DISK_ARRAYS):
            others = present | {own}
            absent = [n for n in range(len(jobs)) if n % size not in others]
        return [jobs[n] for n in places], [jobs[n] for n in absent]

    def _is_present(self, index: int) -> bool:
        """True if a process has started here with an equal manifest."""
        return _read_hash(self._path(index)) == self._hash

    def _path(self, index: int) -> str:
        name = f"{index + 1}-of-{self._own.size}"
        return os.path.join(self._folder, WORKERS, name)


def _read_hash(path: str) -> str:
    """Returns the SHA-256 that a started process wrote, or ""."""
    with (
        contextlib.suppress(OSError, ValueError),
        open(path, encoding="utf-8") as file,
    ):
        found = re.fullmatch("[0-9a-f]{64}", file.read(65))
        return found[0] if found else ""
    return ""
