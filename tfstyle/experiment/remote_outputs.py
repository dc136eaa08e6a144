"""Remote outputs of a run: local copies that are uploaded at its end.

Checkpoints stay on this machine: they change every few seconds and only matter
to the next run.
"""

import contextlib
import dataclasses
import os
import shutil
from collections.abc import Callable
from collections.abc import Iterator

from absl import logging

from tfstyle.config.run_config import RunConfig
from tfstyle.errors import ConfigError
from tfstyle.errors import TfstyleError
from tfstyle.experiment import run_directory
from tfstyle.experiment import workdir_files
from tfstyle.image_files import sidecar
from tfstyle.reports.metric_writers import PREVIEW
from tfstyle.system import atomic_file
from tfstyle.system import remote_files
from tfstyle.system.paths import is_address

_KEPT_HERE = (
    *(workdir_files.CHECKPOINTS, workdir_files.FRAMES),
    *(workdir_files.OVERLAPS, workdir_files.CLAIMS),
)
"""Folders of a workdir that are not uploaded."""
_UNCHANGED = (0, 0)
"""Access and modification times of a local copy that the store has."""
_NOT_RECORDS = (
    *(workdir_files.LOCK, PREVIEW, workdir_files.JOB),
    workdir_files.ASKED,
)


@contextlib.contextmanager
def staged(config: RunConfig) -> Iterator[RunConfig]:
    """Yields a config with local copies of its remote outputs and workdir.

    Files that exist in the store are copied first, so that the rules for
    replacing local files apply to them. New and changed files are uploaded at
    the end of the block, also if it raises an error.

    Args:
        config: options of the run.

    Raises:
        ConfigError: if `output_video` is a remote folder.
        RemoteFileError: if the store cannot be read or written; files that
            could not be uploaded are kept for the next run.
    """
    local = {}
    with contextlib.ExitStack() as stack:
        for name in run_directory.OUTPUTS:
            address = getattr(config, name)
            if address and is_address(address):
                _check_is_file(name, address)
                local[name] = stack.enter_context(staged_file(address))
        workdir = (config.workdir or "").rstrip("/")
        if is_address(workdir):
            local["workdir"] = stack.enter_context(_staged_workdir(workdir))
        yield dataclasses.replace(config, **local) if local else config


def _check_is_file(name: str, address: str) -> None:
    if not os.path.splitext(address)[1]:
        raise ConfigError(
            f"`{name}` must have an ending, such as .png or .mp4, as folders of"
            f" frames are written to local paths only. Received: {address!r}."
        )


@contextlib.contextmanager
def _then(work: Callable[[], None]) -> Iterator[None]:
    """Calls a function after the block, also after an expected error."""
    try:
        yield
    except run_directory.BusyError:
        raise  # the other process uploads
    except TfstyleError:
        work()
        raise
    work()


@contextlib.contextmanager
def staged_file(address: str) -> Iterator[str]:
    """Yields the local copy of a remote output; uploads it and its sidecar.

    Args:
        address: address of the output; a local path is yielded as it is.

    Raises:
        RemoteFileError: if the store cannot be read or written.
    """
    if not is_address(address):
        yield address
        return
    copy = remote_files.mirror(address, remote_files.version(address))
    for name in ("", sidecar.ENDING):
        # A copy that exists could not be uploaded by an earlier run.
        if not os.path.exists(copy + name):
            _download(address + name, copy + name)
    with _then(lambda: _upload(copy, address)):
        yield copy


def _upload(copy: str, address: str) -> None:
    """Uploads an output and its sidecar, if changed; removes the copies."""
    for name in (sidecar.ENDING, ""):
        if os.path.exists(copy + name):
            _upload_changed(copy + name, address + name)
            os.unlink(copy + name)
    _remove_empty(os.path.dirname(copy))


def _download(address: str, path: str) -> None:
    """Copies a file, if it exists, and marks the copy as unchanged."""
    if remote_files.download(address, path):
        os.utime(path, _UNCHANGED)


def _upload_changed(path: str, address: str) -> None:
    """Uploads a file unless the store has it; marks it as unchanged."""
    if os.stat(path).st_mtime != _UNCHANGED[1]:
        remote_files.upload(path, address)
        os.utime(path, _UNCHANGED)


def _remove_empty(folder: str) -> None:
    with contextlib.suppress(OSError):  # it may not exist
        os.rmdir(folder)


@contextlib.contextmanager
def _staged_workdir(address: str) -> Iterator[str]:
    """Yields the local copy of a workdir; uploads its records at the end."""
    copy = remote_files.mirror(address)
    if not os.path.isdir(copy):
        for name in remote_files.list_names(address):
            if workdir_files.is_record(name) or name.startswith("output."):
                _download(f"{address}/{name}", os.path.join(copy, name))
    logging.log_first_n(
        logging.INFO,
        "Checkpoints are kept on this machine, in %s",
        1,
        os.path.dirname(os.path.dirname(copy)).replace(
            os.path.expanduser("~"), "~", 1
        ),
    )
    with _then(lambda: _upload_workdir(copy, address)):
        yield copy


def _upload_workdir(copy: str, address: str) -> None:
    """Uploads the records of a run, and of runs that it renamed.

    The copies are removed unless a later run continues from them.
    """
    for folder in reversed([*run_directory.folders_of_runs(copy)]):
        target, upload = address, _upload_changed
        if folder != copy:
            target, upload = _find_free(address), remote_files.upload
        for path in _find_records(folder):
            name = os.path.relpath(path, folder)
            upload(path, f"{target}/{name}")
        is_needed = any(
            os.path.isdir(os.path.join(folder, name)) for name in _KEPT_HERE
        )
        if not is_needed or folder != copy:
            shutil.rmtree(folder)
    _remove_empty(os.path.dirname(copy))


def _find_free(address: str) -> str:
    """Returns the address of a renamed workdir that is not taken."""
    parent, _, name = address.rpartition("/")
    taken, number = set(remote_files.list_names(parent)), 1
    while f"{name}.{number}" in taken:
        number += 1
    return f"{parent}/{name}.{number}"


def _find_records(folder: str) -> Iterator[str]:
    """Yields the paths of the files of a workdir that are uploaded."""
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name not in _KEPT_HERE]
        for name in names:
            if name not in _NOT_RECORDS and not atomic_file.is_partial(name):
                yield os.path.join(parent, name)
