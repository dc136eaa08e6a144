"""Atomic writing: a file is replaced whole, or stays as it was.

Some mounts refuse what is only nice to have, a file's mode or its syncing: on
network shares, buckets and other file systems of programs. They do without.
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
"""What a disk says that has lost data, unlike one that knows no syncing."""


@contextlib.contextmanager
def replacing(path: str) -> Iterator[str]:
    """Yields a temporary name beside `path`, synced and renamed at the end.

    If the block raises, `path` stays as it was and the temporary file goes; a
    killed process leaves it to `remove_partial`. A symbolic link stays, and
    the file that it names is replaced. The mode stays, too.

    Raises:
        WriteError: if the folder cannot be written, or is full; names `path`.
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
    # Some file systems cannot sync a folder; the file is there all the same.
    with contextlib.suppress(OSError):
        _sync(folder)


@contextlib.contextmanager
def _temporary(folder: str, name: str) -> Iterator[tuple[str, int]]:
    """Yields the name of a new file and the mode that it gets when finished.

    Until then only its owner may read it. If the block raises, it goes.
    """
    name = f"{_prefix(name)}{secrets.token_hex(8)}{os.path.splitext(name)[1]}"
    temporary = os.path.join(folder, name)
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        mode = stat.S_IMODE(os.fstat(handle).st_mode)  # the umask is off
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
        folder: need not exist.
        name: of the file that was to be written; empty: of any.
    """
    prefix = _prefix(name) if name else PARTIAL
    with contextlib.suppress(FileNotFoundError):
        for entry in os.listdir(folder):
            if entry.startswith(prefix) and is_partial(entry):
                os.unlink(os.path.join(folder, entry))


def is_partial(name: str) -> bool:
    """Returns whether a file is named as partial ones are."""
    return _PARTIAL_NAME.match(name) is not None


def _prefix(name: str) -> str:
    """Returns how temporary files for a name begin; short, as names may be."""
    return f"{PARTIAL}{zlib.crc32(os.fsencode(name)):08x}-"


def write_text(path: str, text: str) -> None:
    """Writes UTF-8 text to `path`, whole or not at all."""
    with (
        replacing(path) as temporary,
        open(temporary, "w", encoding="utf-8") as file,
    ):
        file.write(text)


def sync_tree(folder: str) -> None:
    """Waits until all files and folders in a folder are on the disk."""
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
