"""The workdir of a run: creation, locking, and protection of other files."""

import contextlib
import os
import time
from collections.abc import Iterator
from collections.abc import Mapping

from absl import logging

from tfstyle.config.run_config import RunConfig
from tfstyle.errors import ConfigError
from tfstyle.errors import ImageError
from tfstyle.errors import WriteError
from tfstyle.errors import raising_write_errors
from tfstyle.experiment import workdir_files
from tfstyle.experiment.identity import RunIdentity
from tfstyle.image_files import sidecar
from tfstyle.image_files.writing import DEEP_ENDINGS
from tfstyle.image_files.writing import WRITE_ENDINGS
from tfstyle.reports import charts
from tfstyle.reports import film
from tfstyle.system import atomic_file
from tfstyle.system import file_lock
from tfstyle.system import paths

INPUTS = (
    *("content_image", "style_images", "content_masks", "style_masks"),
    *("init", "weights", "manifest"),
)
"""Options that name input files."""


class WorkdirError(WriteError):
    """The workdir cannot be used, or a file must not be overwritten."""


class BusyError(WorkdirError):
    """Another process is using the workdir."""


def check_output(config: RunConfig) -> None:
    """Checks that all output files can be written, before the run starts.

    Raises:
        ConfigError: if the ending of output or film is not supported, the
            format does not support `output_bits`, or both are the same file.
        FilmError: if this machine cannot write the film.
        SetupError: if this machine cannot write the report.
        WorkdirError: if a folder is not writable, an output is an input or
            exists and was not written by a run in this workdir, or the sidecar
            or a file of the workdir would replace a file that was not written
            by any run.
    """
    path = config.output_image
    if path is not None:
        _check_target("output_image", path, WRITE_ENDINGS)
        ending = os.path.splitext(path)[1].lower()
        if config.output_bits == 16 and ending not in DEEP_ENDINGS:
            raise ConfigError(
                f"`output_bits` is 16, but a {ending} holds 8. Received:"
                f" output_image={path!r}. Name a .png or .tif, or leave out"
                " `output_bits`."
            )
    elif config.workdir is not None:
        path = os.path.join(config.workdir, workdir_files.OUTPUT)
    if config.film is not None:
        _check_target("film", config.film, film.ENDINGS)
        if path and os.path.realpath(path) == os.path.realpath(config.film):
            raise ConfigError(
                "`film` and `output_image` must be two files. Received:"
                f" {path!r} for both."
            )
        film.check_encoder(config.film)
    if config.report:
        charts.check_library()
    if path and config.metadata == "none" and sidecar.is_place_taken(path):
        raise WorkdirError(
            f"{path + sidecar.ENDING!r} would tell how {path!r} was made, but"
            " another file is there. Choose another --output_image."
        )
    _check_writable(_nearest_folder(config.workdir or "runs"))
    targets = {"output_image": path, "film": config.film}
    targets["its record"] = path and path + sidecar.ENDING
    targets = {name: target for name, target in targets.items() if target}
    _check_inputs_stay(config, targets)
    if config.workdir is not None and config.resume != "restart":
        foreign = workdir_files.find_foreign(config.workdir)
        if foreign is not None:
            raise WorkdirError(
                f"{foreign!r} was not made by a run, and would be replaced."
                " Name another --workdir, or move it away."
            )
    checks = {path: _is_output_of, config.film: _is_film_of}
    for target, is_ours in checks.items():
        if target is None:
            continue
        if os.path.isdir(target):
            raise WorkdirError(
                f"The output {target!r} is a folder. Name a file."
            )
        if not os.path.exists(target) or config.overwrite:
            continue
        if not config.workdir or not is_ours(target, config.workdir):
            flag = "film" if target == config.film else "output_image"
            raise WorkdirError(
                f"{target!r} already exists and was not created by this run."
                f" Choose another --{flag} or add --overwrite."
            )


def _check_target(flag: str, path: str, endings: tuple[str, ...]) -> None:
    """Checks that a file has a supported ending and a writable folder."""
    if os.path.splitext(path)[1].lower() not in endings:
        raise ConfigError(
            f"`{flag}` must end in one of {', '.join(endings)}."
            f" Received: {path!r}."
        )
    target = os.path.realpath(path) if os.path.islink(path) else path
    _check_writable(_nearest_folder(os.path.dirname(target) or "."))


def _check_inputs_stay(config: RunConfig, targets: Mapping[str, str]) -> None:
    """Checks that no output replaces an input, also through links.

    Args:
        config: options of the run.
        targets: paths of the output files, by name for error messages.

    Raises:
        WorkdirError: if an output would replace an input.
    """
    workdir = config.workdir
    for field, path in _inputs_of(config):
        for name, target in targets.items():
            if paths.is_same_file(path, target):
                raise WorkdirError(
                    f"{path!r} is read as `{field}`, and {name} would replace"
                    " it. Name another."
                )
        is_there = workdir and os.path.exists(path)
        if is_there and workdir_files.is_replaced(workdir, path):
            raise WorkdirError(
                f"{path!r} is read as `{field}`, and the run would replace it."
                " Name another --workdir, or copy it elsewhere."
            )


@contextlib.contextmanager
def open_workdir(config: RunConfig) -> Iterator[str]:
    """Creates and locks the workdir of a run; yields its path.

    With `resume` restart, an existing workdir is renamed to `NAME.1` or the
    next free number. A new folder that stays empty is removed at the end.

    Raises:
        BusyError: if another run is using the workdir.
        WorkdirError: if it cannot be created, or would be renamed but contains
            files that were not written by any run.
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
        with _locked(folder):
            with raising_write_errors(f"The workdir {folder!r}"):
                for path in (
                    ".",
                    workdir_files.IMAGES,
                    workdir_files.CHECKPOINTS,
                ):
                    atomic_file.remove_partial(os.path.join(folder, path))
                for path in filter(None, (config.output_image, config.film)):
                    path = os.path.realpath(path)
                    atomic_file.remove_partial(*os.path.split(path))
            yield folder
    finally:
        if is_new and os.path.isdir(folder):
            if os.listdir(folder) == [workdir_files.LOCK]:
                os.unlink(os.path.join(folder, workdir_files.LOCK))
            if not os.listdir(folder):
                os.rmdir(folder)


@contextlib.contextmanager
def _locked(folder: str) -> Iterator[None]:
    """Locks a workdir; the lock is released even if the process is killed."""
    with contextlib.ExitStack() as stack:
        try:
            lock = file_lock.locked(os.path.join(folder, workdir_files.LOCK))
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


def _folders_of_runs(workdir: str) -> Iterator[str]:
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
    if os.path.islink(folder):
        raise WorkdirError(
            f"--resume=restart would rename {folder!r}, which is a link. Name"
            " its target, or another --workdir."
        )
    foreign = workdir_files.find_anything_foreign(folder)
    if foreign is not None:
        raise WorkdirError(
            f"--resume=restart would rename {folder!r}, and {foreign!r} was not"
            " made by a run. Name another --workdir, or move it away."
        )
    if _is_in(folder, os.getcwd()):
        raise WorkdirError(
            f"--resume=restart would rename {folder!r}, which is the current"
            " folder or holds it. Name another --workdir."
        )
    for field, path in _inputs_of(config):
        if os.path.exists(path) and _is_in(folder, path):
            raise WorkdirError(
                f"--resume=restart would rename {folder!r}, and {path!r} in it"
                f" is read as `{field}`. Copy it elsewhere."
            )


def _is_in(folder: str, path: str) -> bool:
    folder, path = os.path.realpath(folder), os.path.realpath(path)
    return os.path.commonpath([folder, path]) == folder


def _inputs_of(config: RunConfig) -> Iterator[tuple[str, str]]:
    """Yields the option and the path of every possible input file."""
    for field in INPUTS:
        value = getattr(config, field) or ()
        for path in [value] if isinstance(value, str) else value:
            yield field, path


def _rename(folder: str) -> None:
    number = 1
    while os.path.lexists(f"{folder}.{number}"):
        number += 1
    os.rename(folder, f"{folder}.{number}")
    logging.info("Kept the old workdir as %s", f"{folder}.{number}")


def make_workdir(config: RunConfig) -> str:
    """Creates the workdir of a run and returns its path.

    Raises:
        WorkdirError: if it cannot be created.
    """
    try:
        if config.workdir is not None:
            os.makedirs(config.workdir, exist_ok=True)
            return config.workdir
        return make_new_folder("runs")
    except OSError as error:
        raise WorkdirError(
            f"The workdir cannot be made ({error}). Name another by `workdir`."
        ) from error


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


def _is_workdir(folder: str, workdir: str | None) -> bool:
    same = os.path.realpath(folder) == os.path.realpath(workdir or "")
    return workdir is not None and same


def _nearest_folder(path: str) -> str:
    """Returns a path, or its deepest parent that exists."""
    while not os.path.exists(path):
        path = os.path.dirname(path) or "."
    return path


def _check_writable(folder: str) -> None:
    if not os.path.isdir(folder):
        raise WorkdirError(f"{folder!r} is not a folder. Name another.")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise WorkdirError(f"The folder {folder!r} is not writable.")


def _is_output_of(path: str, workdir: str) -> bool:
    """True if a picture was made by a run in this workdir."""
    try:
        made_by = RunIdentity.from_text(sidecar.read_text(path))
    except ImageError:
        return False
    if made_by is None:
        return False
    for folder in _folders_of_runs(workdir):
        flags = os.path.join(folder, workdir_files.FLAGS)
        if not os.path.isfile(flags):
            continue
        if _is_workdir(os.path.dirname(path), workdir):
            return True
        with open(flags, encoding="utf-8", errors="replace") as file:
            run = RunIdentity.from_text(file.read())
        if run is None or run.weights != made_by.weights:
            continue
        if not run.differences(made_by):
            return True
    return False


def _is_film_of(path: str, workdir: str) -> bool:
    """True if a film was made by a run in this workdir."""
    folders = _folders_of_runs(workdir)
    return any(film.was_written_by(folder, path) for folder in folders)
