"""Remote files: copies from and to stores such as S3, through fsspec.

Remote inputs are read from temporary copies. Remote outputs are written to
local copies, which are uploaded once they are whole; each of these stores
replaces an object by a single atomic operation.
"""

import contextlib
import errno
import glob
import hashlib
import logging as standard_logging
import os
import re
import tempfile
import time
import weakref
from collections.abc import Callable
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from absl import logging

from tfstyle.errors import RemoteFileError
from tfstyle.errors import SetupError
from tfstyle.errors import one_line
from tfstyle.system import atomic_file
from tfstyle.system.lru_cache import LRUCache
from tfstyle.system.paths import cache_folder
from tfstyle.system.paths import is_address

PACKAGES = {
    "s3": "s3fs",
    "gs": "gcsfs",
    "az": "adlfs",
    "https": "'fsspec[http]'",
    "http": "'fsspec[http]'",
    "memory": "fsspec",
}
"""Packages to install for each kind of address."""
READ_ONLY = ("https", "http")
MAX_SIZE = 1 << 32
"""Default limit of the size of a file that is read, bytes."""
MAX_COPIES = 64
"""Maximum number of temporary copies that are kept for the next reader."""
PAUSES = (1, 2, 4, 8, 16)
"""Pauses between attempts, seconds."""
MAX_REQUESTS = 16
"""Maximum number of requests at the same time."""
_BLOCK = 1 << 22
_VERSIONS = (
    *("ETag", "etag", "md5Hash", "generation"),
    *("Last-Modified", "created"),
)
"""Entries of fsspec's descriptions that change with a file's contents."""
_FINAL = (
    *(FileNotFoundError, PermissionError, IsADirectoryError, ImportError),
    *(NotADirectoryError, NotImplementedError, TypeError, ValueError),
)
"""Errors that another attempt would meet again."""
_NONE = "unknown"
"""Version of a file whose store tells none."""
_CHATTY = ("aiobotocore", "azure", "botocore", "google")
"""Loggers of packages that tell every request or login."""
_MIRROR = "remote"
"""Folder within the cache for local copies of outputs."""

_copies = LRUCache(MAX_COPIES)
_mirrored: dict[str, str] = {}
"""Addresses of remote folders by the name of their local copy."""


def scheme_of(address: str) -> str:
    """Returns the scheme of an address, such as `s3`."""
    return address.partition("://")[0]


def fetch(path: str | os.PathLike[str], most: int = MAX_SIZE) -> str:
    """Returns the path of a temporary copy of a remote file.

    A copy is used again while the remote file stays the same.

    Args:
        path: address of the file; a local path is returned as it is.
        most: maximum size of the file, bytes.

    Raises:
        RemoteFileError: if it cannot be read, or is larger.
        SetupError: if a package is missing.
    """
    path = os.fspath(path)
    if not is_address(path):
        return path
    description = _try(path, "read", lambda fs, name: fs.info(name))
    key = path, most, _version_of(description) or object()
    return _copies.get(key, lambda: _Copy(path, most)).path


class _Copy:
    """A temporary copy of a remote file, removed with this object."""

    def __init__(self, address: str, most: int):
        ending = os.path.splitext(re.split("[?#]", address)[0])[1]
        handle, self.path = tempfile.mkstemp(ending, "tfstyle-")
        os.close(handle)
        weakref.finalize(self, _remove, self.path)
        _download(address, self.path, most)


def _remove(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


def _download(address: str, path: str, most: int) -> None:
    def download(fs, name):
        with fs.open(name, "rb") as source, open(path, "wb") as target:
            expected = getattr(source, "size", None)
            if (expected or 0) > most:
                raise _too_large(address, most)
            while block := source.read(_BLOCK):
                target.write(block)
                if target.tell() > most:
                    raise _too_large(address, most)
            if expected is not None and target.tell() != expected:
                raise OSError("the connection ended early")

    _try(address, "read", download)


def _too_large(address: str, most: int) -> RemoteFileError:
    return RemoteFileError(
        f"{address!r} may have at most {most} bytes. Copy it here if it is the"
        " right file."
    )


def download(address: str, path: str) -> bool:
    """Copies a remote file, if it exists, to a local path, atomically.

    Returns:
        True if it exists.

    Raises:
        RemoteFileError: if the store cannot be read.
    """
    if not version(address):
        return False
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with atomic_file.replacing(path) as temporary:
        _download(address, temporary, MAX_SIZE)
    return True


def upload(path: str, address: str) -> None:
    """Copies a local file to an address; it is replaced whole or not at all.

    Raises:
        RemoteFileError: if it cannot be written.
    """
    try:
        _try(address, "written", lambda fs, name: fs.put_file(path, name))
    except RemoteFileError as error:
        error.hint = (
            "A copy is kept on this machine. The same command tries again."
        )
        raise


def touch(address: str) -> None:
    """Writes an empty file.

    Raises:
        RemoteFileError: if it cannot be written.
    """
    _try(address, "written", lambda fs, name: fs.pipe_file(name, b""))


def version(address: str) -> str:
    """Returns a text that changes with a remote file; empty if it is missing.

    Raises:
        RemoteFileError: if the store cannot be read.
    """
    found = _look(address, lambda fs, name: fs.info(name))
    return "" if found is None else _version_of(found) or _NONE


def versions(addresses: Iterable[str]) -> dict[str, str]:
    """Returns the versions of remote files by address, all at once.

    A store is asked once for each folder, a web server for each file.

    Args:
        addresses: addresses of files. Those that are missing or forbidden, or
            whose store does not tell versions, are left out of the result.

    Raises:
        RemoteFileError: if a store is down.
    """
    addresses = set(addresses)
    places = {a if _is_alone(a) else a.rpartition("/")[0] for a in addresses}
    found = {}
    with ThreadPoolExecutor(MAX_REQUESTS) as pool:
        for listing in pool.map(_find_versions, places):
            found |= listing
    return {
        a: found[a] for a in addresses if found.get(a, _NONE) not in ("", _NONE)
    }


def _is_alone(address: str) -> bool:
    """True if a folder's listing lacks a file, as if its name is empty."""
    is_of_web = scheme_of(address) in READ_ONLY
    return is_of_web or "//" in address.partition("://")[2]


def _find_versions(address: str) -> dict[str, str]:
    """Returns the versions of a file, or of those in a folder, by address."""
    try:
        if _is_alone(address):
            return {address: version(address)}
        return _list(address)
    except RemoteFileError as error:
        # Fails with its line of a batch, unlike all lines of a store.
        if scheme_of(address) in READ_ONLY or _is_final(error.__cause__):
            return {}
        raise


def list_names(folder: str) -> list[str]:
    """Returns the names of the files and folders in a remote folder."""
    return [address.rpartition("/")[2] for address in _list(folder)]


def _list(folder: str) -> dict[str, str]:
    """Returns the versions of the files in a remote folder, by address."""
    entries = _look(folder, lambda fs, name: fs.ls(name, True)) or []
    names = [entry["name"].rstrip("/").rpartition("/")[2] for entry in entries]
    return {
        f"{folder}/{name}": _version_of(entry)
        for name, entry in zip(names, entries, strict=True)
    }


def expand(address: str, endings: tuple[str, ...]) -> list[str] | None:
    """Expands a remote folder or pattern to the addresses of its files.

    Args:
        address: an address.
        endings: endings of the files that count in a folder.

    Returns:
        Addresses, or None if the address is that of a file.
    """
    scheme = scheme_of(address)
    is_pattern = glob.has_magic(address)
    looks_like_file = address.lower().endswith(endings)
    if scheme in READ_ONLY or (looks_like_file and not is_pattern):
        return None

    def find(fs, name):
        if is_pattern:
            exists = fs.exists(name)
            return None if exists else fs.glob(name, detail=True).values()
        return fs.ls(name, True) if fs.isdir(name) else None

    found = _try(address, "read", find)
    if found is None:
        return None
    names = [e["name"] for e in found if e["type"] == "file"]
    return [
        f"{scheme}://{name.lstrip('/')}"
        for name in names
        if is_pattern or name.lower().endswith(endings)
    ]


def mirror(address: str, version: str = "") -> str:
    """Returns the path of the local copy of an output, which need not exist.

    Each address and version has a folder of its own: a copy that an earlier
    run left never replaces a file that came to the store after it.

    Args:
        address: address of the output.
        version: version of the file that may be replaced.

    Raises:
        RemoteFileError: if the address names no file.
        SetupError: if there is no cache.
    """
    folder, _, name = address.rpartition("/")
    if name in ("", ".", "..") or folder.endswith(":/"):
        raise RemoteFileError(
            f"{address!r} must name a file or folder, such as s3://bucket/name."
        )
    key = f"{address}\0{version}".encode()
    place = hashlib.sha256(key).hexdigest()[:16]
    _mirrored[place] = folder
    return os.path.join(_mirrors(), place, name)


def _mirrors() -> str:
    return os.path.realpath(os.path.join(cache_folder(), _MIRROR))


def name_addresses(text: str) -> str:
    """Replaces paths of local copies in a text by the outputs' addresses."""
    if not _mirrored:
        return text
    return re.sub(
        rf"{re.escape(_mirrors())}/([0-9a-f]{{16}})(?=/)",
        lambda found: _mirrored.get(found[1], found[0]),
        text,
    )


def _open_store(address: str) -> tuple[Any, str]:
    """Returns fsspec's file system of an address, and the name within it."""
    for name in _CHATTY:
        logger = standard_logging.getLogger(name)
        if logger.level == standard_logging.NOTSET:
            logger.setLevel(standard_logging.WARNING)
    try:
        import fsspec

        return fsspec.url_to_fs(
            address, use_listings_cache=False, skip_instance_cache=False
        )
    except ImportError as error:
        package = PACKAGES[scheme_of(address)]
        raise SetupError(
            f"{address!r} needs a package that is not installed:"
            f" pip install {package}"
        ) from error


def _try(address: str, action: str, work: Callable[[Any, str], Any]) -> Any:
    """Calls a function with a file system and a name, again if it fails.

    Args:
        address: address of the file or folder.
        action: what is done, such as "read", for messages.
        work: the function.

    Raises:
        RemoteFileError: if it fails at last; its cause is the store's error.
        SetupError: if a package is missing.
    """
    for pause in (*PAUSES, None):
        try:
            return work(*_open_store(address))
        except (RemoteFileError, SetupError):
            raise
        # Each store's package raises errors of its own.
        except Exception as caught:
            error = _find_error(caught)
            reason = _describe(error)
            if pause is None or _is_final(error):
                raise RemoteFileError(
                    f"{address!r} cannot be {action} ({reason}). Check the"
                    " address, the credentials and the connection."
                ) from error
            logging.warning(
                "%r cannot be %s (%s); next attempt in %d s",
                *(address, action, reason, pause),
            )
            time.sleep(pause)


def _look(address: str, work: Callable[[Any, str], Any]) -> Any:
    """Calls a function that reads, as `_try` does; None if it is missing."""
    try:
        return _try(address, "read", work)
    except RemoteFileError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            return None
        raise


def _find_error(error: Exception) -> Exception:
    """Returns what is wrong: fsspec says that files of a dead server miss."""
    cause = error.__cause__
    is_missing = getattr(cause, "status", None) == 404
    is_of_web = type(cause).__module__.startswith("aiohttp")
    return cause if is_of_web and not is_missing else error


def _is_final(error: Exception) -> bool:
    """True if another attempt would fail in the same way."""
    names = "status", "status_code", "code"  # of HTTP
    statuses = [getattr(error, name, None) for name in names]
    return (
        isinstance(error, _FINAL)
        or "Credential" in type(error).__name__
        or getattr(error, "errno", None) in (errno.EINVAL, errno.ENOSPC)
        or any(x in range(400, 500) and x not in (408, 429) for x in statuses)
    )


def _describe(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "it does not exist"
    return one_line(str(error) or repr(error), 300)


def _version_of(description: dict[str, Any]) -> str:
    """Returns the version and size in fsspec's description of a file."""
    for name in _VERSIONS:
        if description.get(name):
            return f"{description[name]} {description.get('size')}"
    return ""
