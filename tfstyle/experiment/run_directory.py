"""The workdir of a run: creation, locking and renaming."""

import contextlib
import os
import shutil
import time
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

from absl import logging

from tfstyle.config.run_config import RunConfig
from tfstyle.errors import WriteError
from tfstyle.errors import raising_write_errors
from tfstyle.experiment import workdir_files
from tfstyle.system import atomic_file
from tfstyle.system import file_lock

INPUTS = (
    *("content_image", "style_images", "content_masks", "style_masks"),
    *("content_video", "init", "weights", "manifest"),
)
"""Options that name input files."""
OUTPUTS = ("output_image", "output_video", "film")
"""Options that name an output file."""


class WorkdirError(WriteError):
    """The workdir cannot be used, or a file must not be overwritten."""


class BusyError(WorkdirError):
    """Another process is using the workdir."""


@contextlib.contextmanager
def open_workdir(
    config: RunConfig, *, is_shared: bool = False
) -> Iterator[str]:
    """Creates and locks the workdir of a run; yields its path.

    With `resume` restart, an existing workdir is renamed to `NAME.1` or the
    next free number. A new folder that stays empty is removed at the end.

    Args:
        config: options of the run.
        is_shared: True to let several processes work in it, which lock their
            parts themselves.

    Raises:
        BusyError: if another run is using the workdir.
        WorkdirError: if it would be renamed but contains files that were not
            written by any run.
        WriteError: if it cannot be written.
    """
    named = config.workdir and os.path.normpath(config.workdir)
    if config.resume == "restart" and named and os.path.isdir(named):
        with _locked(named), raising_write_errors(f"The workdir {named!r}"):
            if set(os.listdir(named)) - {workdir_files.LOCK}:
                _check_may_be_renamed(config, named)
                _rename(named)
    is_new = named is None or not os.path.isdir(named)
    folder = make_workdir(config)
    try:
        if is_shared:
            yield folder
            return
        with _locked(folder):
            with raising_write_errors(f"The workdir {folder!r}"):
                _remove_partial_files(config, folder)
            yield folder
    finally:
        left = os.listdir(folder) if os.path.isdir(folder) else []
        if is_new and set(left) <= {workdir_files.LOCK}:
            shutil.rmtree(folder, ignore_errors=True)  # perhaps removed


@contextlib.contextmanager
def _locked(folder: str) -> Iterator[None]:
    """Locks a workdir; the lock is released even if the process is killed."""
    try:
        with file_lock.locked(os.path.join(folder, workdir_files.LOCK)):
            yield
    except file_lock.LockedError:
        raise BusyError(
            f"Another run is using {folder!r}. Wait until it ends, or choose"
            " another `workdir`."
        ) from None


def _remove_partial_files(config: RunConfig, folder: str) -> None:
    """Removes partial files that a killed run left behind."""
    for name in (".", *workdir_files.FOLDERS):
        atomic_file.remove_partial(os.path.join(folder, name))
    for path in (getattr(config, name) for name in OUTPUTS):
        if path:
            atomic_file.remove_partial(*os.path.split(os.path.realpath(path)))


def folders_of_runs(workdir: str) -> Iterator[str]:
    """Yields a workdir and the renamed folders of its earlier runs."""
    number, folder = 0, os.path.normpath(workdir)
    while os.path.isdir(folder):
        yield folder
        number += 1
        folder = f"{os.path.normpath(workdir)}.{number}"


def _check_may_be_renamed(config: RunConfig, folder: str) -> None:
    """Checks that a workdir can be renamed safely.

    Raises:
        WorkdirError: if it is a link or the current folder, or contains an
            input of this run or a file that was not written by any run.
    """
    if os.path.islink(folder) or _is_in(folder, os.getcwd()):
        raise WorkdirError(
            f"--resume=restart would rename {folder!r}, which is a link or"
            " contains the current folder. Choose another --workdir."
        )
    foreign = workdir_files.find_anything_foreign(folder)
    if foreign is not None:
        raise WorkdirError(
            f"--resume=restart would rename {folder!r}, but {foreign!r} was not"
            " written by a run. Choose another --workdir, or move the file."
        )
    for field, path in inputs_of(vars(config)):
        if os.path.exists(path) and _is_in(folder, path):
            raise WorkdirError(
                f"--resume=restart would rename {folder!r}, but {path!r} in it"
                f" is read as `{field}`. Copy the file elsewhere."
            )


def _is_in(folder: str, path: str) -> bool:
    folder, path = os.path.realpath(folder), os.path.realpath(path)
    return os.path.commonpath([folder, path]) == folder


def inputs_of(options: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yields the option and the path of every possible input file."""
    for field in INPUTS:
        value = options.get(field) or ()
        for path in [value] if isinstance(value, str) else value:
            yield field, path


def _rename(folder: str) -> None:
    number = 1
    while os.path.lexists(f"{folder}.{number}"):
        number += 1
    os.rename(folder, f"{folder}.{number}")
    logging.info("Renamed the old workdir to %s", f"{folder}.{number}")


def make_workdir(config: RunConfig) -> str:
    """Creates the workdir of a run and returns its path.

    Raises:
        WriteError: if it cannot be created.
    """
    with raising_write_errors("`workdir`"):
        if config.workdir is None:
            return make_new_folder("runs")
        os.makedirs(config.workdir, exist_ok=True)
    return config.workdir


def make_new_folder(root: str) -> str:
    """Creates a folder named by the current time and returns its path.

    Raises:
        OSError: if it cannot be created.
    """
    os.makedirs(root, exist_ok=True)
    name = os.path.join(root, time.strftime("%Y-%m-%d-%H%M%S"))
    number, path = 1, name
    while True:
        try:
            os.mkdir(path)
            return path
        except FileExistsError:
            number += 1
            path = f"{name}-{number}"
