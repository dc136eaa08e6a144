"""The workdir of a run: its lock, and which files may be overwritten."""

import contextlib
import os
import time
from collections.abc import Iterator

from absl import logging

from tfstyle.config.run_config import RunConfig
from tfstyle.config.validation import ConfigError
from tfstyle.errors import WriteError
from tfstyle.errors import raising_write_errors
from tfstyle.experiment.identity import RunIdentity
from tfstyle.images import files as image_files
from tfstyle.images.saving import DEEP_ENDINGS
from tfstyle.images.saving import WRITE_ENDINGS
from tfstyle.system import atomic_file
from tfstyle.system import file_lock

LOCK = ".lock"


class WorkdirError(WriteError):
    """A folder cannot be used, or an output must not be replaced."""


class BusyError(WorkdirError):
    """Another process is at work in a folder."""


def check_output(config: RunConfig) -> None:
    """Finds out before the work whether its result can be written.

    Raises:
        ConfigError: if the output's ending is none that can be written, or of
            a format that cannot hold `output_bits`.
        WorkdirError: if its folder cannot be written, or if it exists and was
            not made by the run of this workdir.
    """
    path = config.output_image
    if path is not None:
        ending = os.path.splitext(path)[1].lower()
        if ending not in WRITE_ENDINGS:
            raise ConfigError(
                "`output_image` must end in one of"
                f" {', '.join(WRITE_ENDINGS)}. Received: {path!r}."
            )
        if config.output_bits == 16 and ending not in DEEP_ENDINGS:
            raise ConfigError(
                f"`output_bits` is 16, but a {ending} holds 8. Received:"
                f" output_image={path!r}. Name a .png or .tif, or leave out"
                " `output_bits`."
            )
        target = os.path.realpath(path) if os.path.islink(path) else path
        _check_writable(_nearest_folder(os.path.dirname(target) or "."))
    elif config.workdir is not None:
        path = os.path.join(config.workdir, "output.png")
    _check_writable(_nearest_folder(config.workdir or "runs"))
    if path is not None and os.path.isdir(path):
        raise WorkdirError(f"The output {path!r} is a folder. Name a file.")
    if path is not None and os.path.exists(path) and not config.overwrite:
        _check_replaceable(path, config.workdir)


@contextlib.contextmanager
def open_workdir(config: RunConfig) -> Iterator[str]:
    """Makes the run's folder, keeps others out of it, and yields its path.

    With `resume` restart, one that is there is renamed to `NAME.1` or the next
    free number. A folder that this made and that stays empty is removed again.

    Raises:
        BusyError: if another run is at work there.
        WorkdirError: if it cannot be made.
    """
    named = config.workdir and os.path.normpath(config.workdir)
    if config.resume == "restart" and named and os.path.isdir(named):
        with _locked(named), raising_write_errors(f"The workdir {named!r}"):
            if set(os.listdir(named)) - {LOCK}:
                _rename(named)
    is_new = named is None or not os.path.isdir(named)
    folder = make_workdir(config)
    try:
        with _locked(folder):
            with raising_write_errors(f"The workdir {folder!r}"):
                for path in (".", "images", "checkpoints"):
                    atomic_file.remove_partial(os.path.join(folder, path))
                if config.output_image:
                    output = os.path.realpath(config.output_image)
                    atomic_file.remove_partial(*os.path.split(output))
            yield folder
    finally:
        if is_new and os.path.isdir(folder):
            if os.listdir(folder) == [LOCK]:
                os.unlink(os.path.join(folder, LOCK))
            if not os.listdir(folder):
                os.rmdir(folder)


@contextlib.contextmanager
def _locked(folder: str) -> Iterator[None]:
    """Holds a lock that ends with the process, however it ends."""
    with contextlib.ExitStack() as stack:
        try:
            lock = file_lock.locked(os.path.join(folder, LOCK))
            stack.enter_context(lock)
        except file_lock.LockedError:
            raise BusyError(
                f"Another run is at work in {folder!r}. Wait for its end, or"
                " name another by `workdir`."
            ) from None
        except OSError as error:
            raise WorkdirError(
                f"The workdir cannot be written ({error}). Name another by"
                " `workdir`."
            ) from error
        yield


def _flags_of_runs(workdir: str) -> Iterator[str]:
    """Yields the flagfiles of a workdir's present and former runs."""
    number, folder = 0, os.path.normpath(workdir)
    while os.path.isdir(folder):
        path = os.path.join(folder, "flags.cfg")
        if os.path.isfile(path):
            yield path
        number += 1
        folder = f"{os.path.normpath(workdir)}.{number}"


def _rename(folder: str) -> None:
    number = 1
    while os.path.lexists(f"{folder}.{number}"):
        number += 1
    os.rename(folder, f"{folder}.{number}")
    logging.info("Kept the old workdir as %s", f"{folder}.{number}")


def make_workdir(config: RunConfig) -> str:
    """Makes the run's folder and returns its path.

    Raises:
        WorkdirError: if it cannot be made.
    """
    try:
        if config.workdir is not None:
            os.makedirs(config.workdir, exist_ok=True)
            return config.workdir
        os.makedirs("runs", exist_ok=True)
        name = os.path.join("runs", time.strftime("%Y-%m-%d-%H%M%S"))
        number, path = 1, name
        while True:
            try:
                os.mkdir(path)
                return path
            except FileExistsError:
                number += 1
                path = f"{name}-{number}"
    except OSError as error:
        raise WorkdirError(
            f"The workdir cannot be made ({error}). Name another by `workdir`."
        ) from error


def _is_workdir(folder: str, workdir: str | None) -> bool:
    same = os.path.realpath(folder) == os.path.realpath(workdir or "")
    return workdir is not None and same


def _nearest_folder(path: str) -> str:
    """Returns a path, or the deepest of its parents that exists."""
    while not os.path.exists(path):
        path = os.path.dirname(path) or "."
    return path


def _check_writable(folder: str) -> None:
    if not os.path.isdir(folder):
        raise WorkdirError(f"{folder!r} is not a folder. Name another.")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise WorkdirError(f"The folder {folder!r} is not writable.")


def _check_replaceable(path: str, workdir: str | None) -> None:
    """Lets only a picture be replaced that the same workdir's run made."""
    try:
        made_by = RunIdentity.from_text(image_files.read_text(path))
    except image_files.ImageError:
        made_by = None
    if workdir is not None and made_by is not None:
        for flags in _flags_of_runs(workdir):
            if _is_workdir(os.path.dirname(path), workdir):
                return
            with open(flags, encoding="utf-8", errors="replace") as file:
                run = RunIdentity.from_text(file.read())
            if run is None or run.weights != made_by.weights:
                continue
            if not run.differences(made_by):
                return
    raise WorkdirError(
        f"{path!r} already exists and was not created by this run. Choose"
        " another --output_image or add --overwrite."
    )
