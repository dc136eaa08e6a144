"""A manifest of runs to repaint in a larger size."""

import contextlib
import json
import os
import shlex
import threading

from tfstyle.batch.manifest import read_manifest
from tfstyle.config.config import to_text
from tfstyle.config.run_config import RunConfig
from tfstyle.errors import ConfigError
from tfstyle.errors import raising_write_errors
from tfstyle.flags.command_line import read_config
from tfstyle.flags.values import FIELDS
from tfstyle.studio.runs import FLAGS
from tfstyle.studio.runs import Run
from tfstyle.system import atomic_file

MANIFEST = "manifest.jsonl"
"""File in the folder of runs with all jobs that were added."""
_MANIFEST_LOCK = threading.Lock()
_FOR_WATCHING = ("preview_every_seconds", "log_every_steps")


def add_to_manifest(root: str, run: Run, size: str) -> str:
    """Adds a line that repaints a run in another size to the manifest.

    Args:
        root: the folder of runs.
        run: the run.
        size: long edge of the output, pixels.

    Returns:
        The command that paints the whole manifest.

    Raises:
        ConfigError: if a flag of the run or the size is invalid, or the
            existing file is not a manifest.
        WriteError: if the manifest cannot be written.
    """
    config = read_config(arguments_for_size(run, size))
    output = os.path.join(root, f"{run.name}-{config.image_size}.png")
    values = _values_of(config, of_batch=False) | {"output_image": output}
    path = os.path.join(root, MANIFEST)
    with _MANIFEST_LOCK, raising_write_errors(path):
        text = _read_text(path) if os.path.exists(path) else ""
        line = json.dumps(values)
        if line not in text.splitlines():
            end = "\n" if text and not text.endswith("\n") else ""
            atomic_file.write_text(path, f"{text}{end}{line}\n")
    of_batch = _values_of(config, of_batch=True)
    manifest = os.path.relpath(path)
    workdir = os.path.join(os.path.dirname(manifest), "large")
    return shlex.join(
        [
            *("python", "-m", "tfstyle.main"),
            f"--manifest={manifest}",
            f"--workdir={workdir}",
            *(f"--{n}={to_text(v)}" for n, v in of_batch.items()),
        ]
    )


def _read_text(path: str) -> str:
    """Reads a manifest in JSON Lines, to which a line can be added.

    Raises:
        ConfigError: if the file is not a manifest, or not UTF-8 with one
            object per line.
    """
    read_manifest(path)
    with contextlib.suppress(ValueError), open(path, encoding="utf-8") as file:
        text = file.read()
        starts = {line.lstrip()[:1] for line in text.splitlines()}
        if starts <= {"{", "#", ""}:
            return text
    raise ConfigError(
        f"{path!r} is not a manifest of the studio: its lines must be JSON"
        " objects. Move it to another folder."
    )


def arguments_for_size(run: Run, size: str) -> list[str]:
    """Returns the command line that paints a run again in another size.

    It begins as the first run did, not with the picture that a moved dial left.
    Levels that the program chose are chosen anew.

    Args:
        run: the run.
        size: long edge of the output, pixels.
    """
    flags = dict(x[2:].split("=", 1) for x in run.chosen_arguments)
    flags["image_size"] = size
    is_of_program = (
        run.flagfile is not None and os.path.basename(run.flagfile) == FLAGS
    )
    if is_of_program:
        flags.pop("num_levels", None)
        steps = flags.pop("num_steps", "").rpartition(",")[2]
        if steps != "0":  # the run was stopped before its last level
            flags["num_steps"] = steps
    return [f"--{name}={value}" for name, value in flags.items()]


def _values_of(config: RunConfig, *, of_batch: bool) -> dict:
    """Returns options that differ from their defaults.

    Args:
        config: the options.
        of_batch: True for options of the whole batch, False for options of one
            picture.
    """
    return {
        name: getattr(config, name)
        for name, field in FIELDS.items()
        if field.metadata["of_batch"] == of_batch
        and name not in _FOR_WATCHING
        and getattr(config, name) != field.default
    }
