"""The folder of a run, and what may be overwritten."""

import os
import time

from tfstyle import image_io
from tfstyle import provenance
from tfstyle.config import Config
from tfstyle.config_checks import ConfigError


class WorkdirError(OSError):
    """A folder cannot be used, or an output must not be replaced."""


def check_output(config: Config) -> None:
    """Finds out before the work whether its result can be written.

    Raises:
        ConfigError: if the output's ending is none that can be written.
        WorkdirError: if its folder cannot be written, or if it exists and was
            not made by the run of this workdir.
    """
    path = config.output_image
    if path is not None:
        ending = os.path.splitext(path)[1].lower()
        if ending not in image_io.WRITE_ENDINGS:
            raise ConfigError(
                "`output_image` must end in one of"
                f" {', '.join(image_io.WRITE_ENDINGS)}. Received: {path!r}."
            )
        folder = os.path.dirname(path) or "."
        if _is_workdir(folder, config.workdir):
            folder = _nearest_folder(folder)  # it will be made
        if not os.path.isdir(folder):
            raise WorkdirError(
                f"The folder of `output_image` does not exist: {folder!r}."
                " Make it first."
            )
        _check_writable(folder)
    elif config.workdir is not None:
        path = os.path.join(config.workdir, "output.png")
    _check_writable(_nearest_folder(config.workdir or "runs"))
    if path is not None and os.path.isdir(path):
        raise WorkdirError(f"The output {path!r} is a folder. Name a file.")
    if path is not None and os.path.lexists(path) and not config.overwrite:
        _check_replaceable(path, config.workdir)


def make_workdir(config: Config) -> str:
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
        made_by = image_io.read_text(path) or ""
    except image_io.ImageError:
        made_by = ""
    flags = os.path.join(workdir or "", "flags.cfg")
    if (
        workdir is not None
        and made_by.startswith(provenance.FIRST_LINE)
        and os.path.isfile(flags)
    ):
        if _is_workdir(os.path.dirname(path), workdir):
            return
        with open(flags, encoding="utf-8", errors="replace") as file:
            if file.read() == made_by:
                return
    raise WorkdirError(
        f"The output {path!r} exists, and another run made it. Name another, or"
        " give --overwrite."
    )
