"""Files that are there whole or not at all."""

import contextlib
import os
import tempfile
from collections.abc import Iterator


@contextlib.contextmanager
def replacing(path: str) -> Iterator[str]:
    """Yields a temporary name beside `path`, synced and renamed at the end.

    If the block raises, `path` stays as it was and the temporary file goes.

    Raises:
        OSError: if the folder cannot be written, or is full.
    """
    folder, name = os.path.split(os.path.abspath(path))
    ending = os.path.splitext(name)[1]
    handle, temporary = tempfile.mkstemp(dir=folder, prefix=".", suffix=ending)
    os.close(handle)
    try:
        yield temporary
        _sync(temporary)
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
    # Some file systems cannot sync a folder; the file is there all the same.
    with contextlib.suppress(OSError):
        _sync(folder)


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
    finally:
        os.close(handle)


def _umask() -> int:
    """Returns the process's umask, which can only be read by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
