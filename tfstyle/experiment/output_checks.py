"""Checks, before a run starts, that its outputs may be written."""

import os
from collections.abc import Callable

from tfstyle.config.run_config import RunConfig
from tfstyle.errors import ConfigError
from tfstyle.errors import ImageError
from tfstyle.experiment import workdir_files
from tfstyle.experiment.identity import RunIdentity
from tfstyle.experiment.run_directory import WorkdirError
from tfstyle.experiment.run_directory import folders_of_runs
from tfstyle.experiment.run_directory import inputs_of
from tfstyle.image_files import sidecar
from tfstyle.image_files.writing import DEEP_ENDINGS
from tfstyle.image_files.writing import WRITE_ENDINGS
from tfstyle.reports import charts
from tfstyle.reports import film
from tfstyle.system import paths
from tfstyle.system import remote_files


def check_output(config: RunConfig) -> None:
    """Checks that all output files can be written, before the run starts.

    Raises:
        ConfigError: if the ending of output or film is not supported, the
            format does not support `output_bits`, or both are the same file.
        SetupError: if this machine cannot write the film or the report.
        WorkdirError: if a folder is not writable, an output is an input or
            exists and was not written by a run in this workdir, or the sidecar
            or a file of the workdir would replace a file that was not written
            by any run.
    """
    path = config.output_image
    if path is None and config.workdir is not None:
        path = os.path.join(config.workdir, workdir_files.OUTPUT)
    if path is not None:
        _check_target("output_image", path, WRITE_ENDINGS)
        if config.output_bits == 16:
            _check_target("output_image", path, DEEP_ENDINGS, " for 16 bits")
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
            f"The flags of {path!r} cannot be written to"
            f" {path + sidecar.ENDING!r}, which is another file. Choose another"
            " --output_image."
        )
    _check_folders(config, path)
    _check_may_be_replaced(config, "output_image", path, _is_output_of)
    _check_may_be_replaced(config, "film", config.film, _is_film_of)


def _check_folders(config: RunConfig, path: str | None) -> None:
    """Checks the workdir, and that the output replaces no input.

    Args:
        config: options of the run.
        path: path of the output, or None.

    Raises:
        WorkdirError: if the workdir is not writable or would lose a file.
    """
    _check_writable(config.workdir or "runs")
    _check_inputs_stay(config, path)
    if config.workdir is not None and config.resume != "restart":
        foreign = workdir_files.find_foreign(config.workdir)
        if foreign is not None:
            raise WorkdirError(
                f"{foreign!r} was not written by a run, which would replace it."
                " Choose another --workdir, or move the file."
            )


def check_film_output(config: RunConfig, endings: tuple[str, ...]) -> None:
    """Checks that a painted film can be written, before the run starts.

    Args:
        config: options of the run.
        endings: supported endings of files.

    Raises:
        ConfigError: if the ending is not supported.
        WorkdirError: as `check_output`.
    """
    path = config.output_video
    if path is not None and os.path.splitext(path)[1]:
        _check_target("output_video", path, endings)
        _check_may_be_replaced(config, "output_video", path, _is_film_of)
    _check_folders(config, path)


def _check_target(
    flag: str, path: str, endings: tuple[str, ...], purpose: str = ""
) -> None:
    """Checks that a file has a supported ending and a writable folder."""
    if os.path.splitext(path)[1].lower() not in endings:
        raise ConfigError(
            f"`{flag}` must end in one of {', '.join(endings)}{purpose}."
            f" Received: {path!r}."
        )
    target = os.path.realpath(path) if os.path.islink(path) else path
    _check_writable(os.path.dirname(target) or ".")


def _check_writable(folder: str) -> None:
    """Checks that a folder, or the deepest existing one above, is writable."""
    while not os.path.exists(folder):
        folder = os.path.dirname(folder) or "."
    if not os.path.isdir(folder):
        raise WorkdirError(f"{folder!r} is not a folder. Choose another.")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise WorkdirError(f"The folder {folder!r} is not writable.")


def _check_inputs_stay(config: RunConfig, output: str | None) -> None:
    """Checks that no output replaces an input, also through links.

    Raises:
        WorkdirError: if an output would replace an input.
    """
    targets = [config.film] if config.film else []
    if output:
        targets += [output, output + sidecar.ENDING]
    for field, path in inputs_of(vars(config)):
        is_output = any(
            paths.is_same_file(path, target)
            or path == remote_files.name_addresses(target)
            for target in targets
        )
        if is_output or (
            config.workdir is not None
            and os.path.exists(path)
            and workdir_files.is_replaced(config.workdir, path)
        ):
            raise WorkdirError(
                f"{path!r} is read as `{field}`, and the run would replace it."
                " Choose another output or --workdir, or copy the file."
            )


def _check_may_be_replaced(
    config: RunConfig,
    flag: str,
    path: str | None,
    is_ours: Callable[[str, str], bool],
) -> None:
    """Checks that an output is new, ours, or that `overwrite` is given.

    Args:
        config: options of the run.
        flag: option that names the output.
        path: path of the output, or None.
        is_ours: tells whether runs in a workdir wrote a file.

    Raises:
        WorkdirError: if it must not be replaced.
    """
    if path is None or not os.path.exists(path):
        return
    if os.path.isdir(path):
        raise WorkdirError(f"The output {path!r} is a folder. Choose a file.")
    is_known = config.workdir is not None and is_ours(path, config.workdir)
    if not (config.overwrite or is_known):
        raise WorkdirError(
            f"{path!r} already exists and was not created by this run."
            f" Choose another --{flag} or add --overwrite."
        )


def _is_output_of(path: str, workdir: str) -> bool:
    """True if a picture was made by a run in this workdir."""
    try:
        made_by = RunIdentity.from_text(sidecar.read_text(path))
    except ImageError:
        return False
    if made_by is None:
        return False
    for folder in folders_of_runs(workdir):
        flags = os.path.join(folder, workdir_files.FLAGS)
        if not os.path.isfile(flags):
            continue
        if paths.is_same_file(os.path.dirname(path) or ".", workdir):
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
    folders = folders_of_runs(workdir)
    return any(film.was_written_by(folder, path) for folder in folders)
