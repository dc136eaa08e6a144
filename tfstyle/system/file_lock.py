"""File locks, released when the process that holds them ends."""

import contextlib
import errno
import fcntl
import tempfile
from collections.abc import Iterator

import filelock
from absl import logging

from tfstyle.errors import TfstyleError
from tfstyle.errors import WriteError

_NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP)


class LockedError(TfstyleError):
    """Another process holds the lock."""


@contextlib.contextmanager
def locked(path: str, *, wait: bool = False) -> Iterator[None]:
    """Holds the lock of a file in the block; creates the file.

    Some file systems, e.g. of many clusters, do not support locks: a warning is
    logged instead. A lock that outlives its process would be worse.

    Args:
        path: path of the lock file.
        wait: True to wait until another process releases the lock.

    Raises:
        LockedError: if another process holds the lock.
        WriteError: if the file cannot be created.
    """
    lock = filelock.FileLock(path)
    try:
        with open(path, "a") as file:
            _find_out(file)
        # Longer than `is_locked` holds the lock.
        lock.acquire(timeout=-1 if wait else 0.1, poll_interval=0.02)
    except filelock.Timeout:
        raise LockedError(path) from None
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise WriteError(error.errno, error.strerror, path) from error
        logging.warning(
            "warning: %r cannot be locked, as its file system does not support"
            " locks; start no second process there",
            path,
        )
    try:
        yield
    finally:
        lock.release()


def is_locked(path: str) -> bool:
    """True if a process holds a file's lock.

    Raises:
        OSError: if the file cannot be opened, or its file system does not
            support locks.
    """
    with open(path, "rb") as file:
        _find_out(file)
    lock = filelock.FileLock(path)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        return True
    lock.release()
    return False


def can_lock(folder: str) -> bool:
    """True if the file system of a folder supports locks.

    Raises:
        OSError: if no file can be created in the folder.
    """
    with tempfile.TemporaryFile(dir=folder) as file:
        try:
            _find_out(file)
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
            return False
    return True


def _find_out(file) -> None:
    """Raises the system's error if the file system does not support locks.

    filelock would fall back to treating an existing file as a lock.
    """
    fcntl.flock(file, fcntl.LOCK_UN)
