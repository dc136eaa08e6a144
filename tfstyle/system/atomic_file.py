"""Atomic file writing: a file is replaced completely or not at all.

Network shares, buckets and other user space file systems may not support file
modes or syncing, which are therefore optional.
"""

import contextlib
import errno
import os
import re
import secrets
import stat
import zlib
from collections.abc import Iterator

from tfstyle.errors import WriteError

PARTIAL = ".partial-"
_PARTIAL_NAME = re.compile(r"\.partial-[0-9a-f]{8}-[0-9a-f]{16}(\.|$)")
_LOSSES = (errno.EIO, errno.ENOSPC, errno.EDQUOT)
"""Errors of a failed sync that mean lost data, not lack of support."""


@contextlib.contextmanager
def replacing(path: str) -> Iterator[str]:
    """Yields a temporary path beside `path`, synced and renamed at the end.

    If the block raises, `path` is unchanged and the temporary file is removed;
    after a killed process, `remove_partial` removes it. A symbolic link is
    kept, and its target replaced. The mode is kept, too.

    Raises:
        WriteError: if the folder is not writable, or is full; names `path`.
    """
    target = os.path.realpath(path)
    folder, name = os.path.split(target)
    try:
        with _temporary(folder, name) as (temporary, mode):
            yield temporary
            _sync(temporary)
            with contextlib.suppress(FileNotFoundError):
                mode = stat.S_IMODE(os.stat(target).st_mode)
            with contextlib.suppress(OSError):
                os.chmod(temporary, mode)
            os.replace(temporary, target)
    except OSError as error:
        about = error.filename
        is_ours = about is None or PARTIAL in os.path.basename(str(about))
        if error.errno is None or not is_ours:
            raise
        raise WriteError(error.errno, error.strerror, path) from error
    # Some file systems cannot sync a folder; the file exists nevertheless.
    with contextlib.suppress(OSError):
        _sync(folder)


@contextlib.contextmanager
def _temporary(folder: str, name: str) -> Iterator[tuple[str, int]]:
    """Yields the path of a new temporary file and its final mode.

    Until it is renamed, only its owner may read it. It is removed if the block
    raises.
    """
    name = f"{_prefix(name)}{secrets.token_hex(8)}{os.path.splitext(name)[1]}"
    temporary = os.path.join(folder, name)
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        mode = stat.S_IMODE(os.fstat(handle).st_mode)  # with the umask applied
        with contextlib.suppress(AttributeError, OSError):  # not on Windows
            os.fchmod(handle, 0o600)
    finally:
        os.close(handle)
    try:
        yield temporary, mode
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise


def remove_partial(folder: str, name: str = "") -> None:
    """Removes partial files that killed processes left behind.

    Args:
        folder: path of the folder, which need not exist.
        name: name of the file that was to be written; empty: any.
    """
    prefix = _prefix(name) if name else PARTIAL
    with contextlib.suppress(FileNotFoundError):
        for entry in os.listdir(folder):
            if entry.startswith(prefix) and is_partial(entry):
                os.unlink(os.path.join(folder, entry))


def is_partial(name: str) -> bool:
    """True if a name is that of a partial file."""
    return _PARTIAL_NAME.match(name) is not None


def _prefix(name: str) -> str:
    """Returns the prefix of temporary files for a name; short for any name."""
    return f"{PARTIAL}{zlib.crc32(os.fsencode(name)):08x}-"


def write_text(path: str, text: str) -> None:
    """Writes UTF-8 text to `path`, atomically."""
    with (
        replacing(path) as temporary,
        open(temporary, "w", encoding="utf-8") as file,
    ):
        file.write(text)


def sync_tree(folder: str) -> None:
    """Syncs all files and folders in a folder to the disk."""
    for path, _, names in os.walk(folder, topdown=False):
        for name in names:
            _sync(os.path.join(path, name))
        with contextlib.suppress(OSError):
            _sync(path)


def _sync(path: str) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno in _LOSSES:
            raise
    finally:
        os.close(handle)
