"""Which jobs of a batch a process does, its own and what others left.

Job i is that of process i mod W. Others' are taken once these are done, where
both see one folder. A job is claimed by the lock of its workdir, or by the name
of a folder where the disk knows no locks.
"""

import contextlib
import errno
import os
import re
from collections.abc import Iterator
from collections.abc import Sequence

from tfstyle.batch.manifest import Job
from tfstyle.distributed import environment
from tfstyle.distributed.environment import Cluster
from tfstyle.errors import raising_write_errors
from tfstyle.experiment.run_directory import BusyError
from tfstyle.experiment.run_directory import WorkdirError
from tfstyle.system import atomic_file
from tfstyle.system import file_lock
from tfstyle.system.file_hash import hash_file

WORKERS = "workers"
"""Folder of a batch: a file of every process that has begun, with the hash of
its manifest."""
CLAIMS = "claims"
"""Folder of a batch: a folder of every job that is worked at, without locks."""
_IS_CLAIMED = (errno.ENOTEMPTY, errno.EEXIST)


class JobSharing:
    """The place of a process among those that share a batch.

    Args:
        folder: of the batch. The other processes are told that this one works
            there.
        own: the place.
        manifest: the path of the file; processes of another are no others.

    Raises:
        WriteError: if it cannot be written, or would replace another's file.
    """

    def __init__(self, folder: str, own: Cluster, manifest: str):
        self._folder = folder
        self._own = own
        self._is_alone = own.size == 1 or own.source == environment.SHARD_FLAG
        self._has_locks = True
        if self._is_alone:
            return
        path = self._path(own.index)
        if os.path.lexists(path) and not _is_hash(path):
            raise WorkdirError(
                f"{path!r} was not made by a run, and would be replaced. Name"
                " another --workdir."
            )
        with raising_write_errors(path):
            os.makedirs(os.path.dirname(path), exist_ok=True)
            self._hash = hash_file(manifest)
            atomic_file.write_text(path, self._hash)
            self._has_locks = file_lock.can_lock(folder)
            if not self._has_locks:
                self._remove_own_claims()

    def jobs_of_others(
        self, jobs: Sequence[Job]
    ) -> tuple[list[Job], list[Job]]:
        """Returns the jobs that may be taken once one's own are done.

        Of processes that began in this folder, and of those that did not.

        Those come first that their own process comes to last, and the next
        process' before those of others, so that few meet at one job. Processes
        that did not begin in this folder may have another disk, as parts that
        were chosen by `--shard` may, and do theirs there. But an array's tasks
        begin when they like, and may have a list each: theirs are taken.

        Args:
            jobs: of the whole batch.
        """
        if self._is_alone:
            return [], []
        own, size = self._own.index, self._own.size
        is_array = environment.SLURM_ARRAY in self._own.source
        present = set(filter(self._is_present, range(size)))
        places = [n for n in range(len(jobs)) if n % size != own]
        places.sort(key=lambda n: (-(n // size), (n - own) % size))
        absent = [n for n in places if n % size not in present]
        return (
            [jobs[n] for n in places if n % size in present],
            [jobs[n] for n in sorted(absent) if is_array],
        )

    @contextlib.contextmanager
    def claimed(self, name: str) -> Iterator[None]:
        """Claims a job during a block, where its workdir's lock does not.

        Of folders that are renamed to its name the first one comes to stay, as
        no other replaces it: it is not empty. What a process leaves that was
        killed, it finds when it is started again.

        Args:
            name: of the job, as a file may be called.

        Raises:
            BusyError: if another process is at it.
            WriteError: if it cannot be claimed.
        """
        if self._has_locks:
            yield
            return
        claim = os.path.join(self._folder, CLAIMS, name)
        number = str(self._own.index + 1)
        candidate = f"{claim}.{number}"
        with raising_write_errors(claim):
            os.makedirs(os.path.join(candidate, number), exist_ok=True)
            try:
                os.rename(candidate, claim)
            except OSError as error:
                self._remove_claim(candidate)
                if error.errno not in _IS_CLAIMED:
                    raise
                raise BusyError(f"Another process is at {name!r}.") from None
        try:
            yield
        finally:
            self._remove_claim(claim)

    def _remove_own_claims(self) -> None:
        folder = os.path.join(self._folder, CLAIMS)
        os.makedirs(folder, exist_ok=True)
        for name in os.listdir(folder):
            self._remove_claim(os.path.join(folder, name))

    def _remove_claim(self, claim: str) -> None:
        """Removes a claim of this process: empty folders, nothing else."""
        with contextlib.suppress(OSError):
            os.rmdir(os.path.join(claim, str(self._own.index + 1)))
            os.rmdir(claim)

    def _is_present(self, index: int) -> bool:
        """Returns whether a process has begun with the same manifest here."""
        with (
            contextlib.suppress(OSError),
            open(self._path(index), encoding="utf-8") as file,
        ):
            return file.read() == self._hash
        return False

    def _path(self, index: int) -> str:
        name = f"{index + 1}-of-{self._own.size}"
        return os.path.join(self._folder, WORKERS, name)


def _is_hash(path: str) -> bool:
    """Returns whether a file is what a process writes when it begins."""
    try:
        with open(path, encoding="utf-8") as file:
            return re.fullmatch("[0-9a-f]{64}", file.read(65)) is not None
    except (OSError, ValueError):
        return False
