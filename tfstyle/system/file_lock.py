"""Locks of files, which end with the process that holds them."""

import contextlib
import errno
import tempfile
from collections.abc import Iterator

import filelock
from absl import logging

from tfstyle.errors import TfstyleError

_NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP)


class LockedError(TfstyleError):
    """Another process holds the lock."""


@contextlib.contextmanager
def locked(path: str, *, wait: bool = False) -> Iterator[None]:
    """Holds a file's lock during a block; the file is made.

    Some disks, such as those of many clusters, know no locks: then a warning
    is logged. A lock that outlives its process would be worse.

    Args:
        path: of the file.
        wait: until another process gives the lock back.

    Raises:
        LockedError: if another process holds it.
        OSError: if the file cannot be made.
    """
    lock = filelock.FileLock(path)
    try:
        with open(path, "a") as file:
            _find_out(file)
        # Longer than `is_locked` holds it.
        lock.acquire(timeout=-1 if wait else 0.1, poll_interval=0.02)
    except filelock.Timeout:
        raise LockedError(path) from None
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        logging.warning(
            "warning: %r cannot be locked, as its disk knows no locks: let no"
            " second process work there",
            path,
        )
    try:
        yield
    finally:
        lock.release()


def is_locked(path: str) -> bool:
    """Returns whether a process holds a file's lock.

    Raises:
        OSError: if the file cannot be opened, or its disk knows no locks.
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
    """Returns whether the files of a folder can be locked.

    Raises:
        OSError: if none can be made there.
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
    """Raises the system's error where there are no locks.

    filelock would take a file that is there for a lock in place of them.
    """
    with contextlib.suppress(ImportError):  # the system has another kind
        import fcntl

        fcntl.flock(file, fcntl.LOCK_UN)
