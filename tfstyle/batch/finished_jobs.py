"""Finished pictures of a batch whose files are in a store, such as S3."""

import contextlib
import dataclasses
import hashlib
import itertools
import os
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence

from tfstyle.batch.manifest import Job
from tfstyle.config.run_config import RunConfig
from tfstyle.errors import ImageError
from tfstyle.errors import RemoteFileError
from tfstyle.errors import raising_write_errors
from tfstyle.experiment import run_directory
from tfstyle.image_files.paths import expand_names
from tfstyle.system import remote_files
from tfstyle.system.paths import is_address

_NOT_OF_PICTURES = ("manifest", "shard", "engine", "num_gpus", "workdir")
"""Options that may change without a picture being painted again."""
FOLDER = "finished"
"""Subfolder of a batch with an empty file for each finished picture."""


class FinishedJobs:
    """Tells which jobs with remote files are finished, without reading them.

    A finished job leaves an empty file, whose name is a hash of its options
    and of the versions of its input and output files. The store is asked once
    for each folder.

    Args:
        config: default options for all jobs.
        jobs: all jobs of the batch.
        folder: folder of the batch.
        expanded: files by input, from `expand_inputs`.

    Raises:
        RemoteFileError: if a store cannot be read.
    """

    def __init__(
        self,
        config: RunConfig,
        jobs: Sequence[Job],
        folder: str,
        expanded: Mapping[str, Sequence[str]],
    ):
        self._config = config
        self._folder = f"{folder}/{FOLDER}"
        self._expanded = expanded
        files = {path for job in jobs for path in self._find_files(job)}
        self._versions = _find_versions(files) if files else {}
        self._names = set(_list_names(self._folder)) if files else set()

    def __contains__(self, job: Job) -> bool:
        return self._name(job, self._versions) in self._names

    def add(self, job: Job) -> None:
        """Records that a job is finished.

        The versions of its inputs are those at the start of the batch: if one
        has changed since, the record fits no later batch.

        Raises:
            WriteError: if the record cannot be written.
        """
        if self._find_files(job):
            outputs = self._find_outputs(job)
            now = {path: _find_version(path) for path in outputs}
            name = self._name(job, self._versions | now)
            if name:
                _touch(self._folder, name)

    def _name(self, job: Job, versions: dict[str, str]) -> str:
        """Returns the name of a job's record; empty if a file is missing."""
        files = self._find_files(job)
        if not files or not all(versions.get(path) for path in files):
            return ""
        config = job.to_config(self._config, self._folder)
        options = [
            getattr(config, field.name)
            for field in dataclasses.fields(config)
            if field.name not in _NOT_OF_PICTURES
        ]
        facts = repr((options, [(path, versions[path]) for path in files]))
        return hashlib.sha256(facts.encode()).hexdigest()

    def _find_files(self, job: Job) -> list[str]:
        """Returns a job's inputs and outputs; empty if none is remote."""
        found, inputs = self._find_outputs(job), self._find_inputs(job)
        if not any(map(is_address, [*found, *inputs])):
            return []
        files = itertools.chain(*(self._expanded[path] for path in inputs))
        found += [f for f in files if is_address(f) or os.path.exists(f)]
        return found

    def _find_outputs(self, job: Job) -> list[str]:
        values = vars(self._config) | job.values
        names = run_directory.OUTPUTS
        return [values[name] for name in names if values[name]]

    def _find_inputs(self, job: Job) -> list[str]:
        values = vars(self._config) | job.values | {"manifest": None}
        return [path for _, path in run_directory.inputs_of(values)]


def expand_inputs(
    config: RunConfig, jobs: Sequence[Job]
) -> dict[str, list[str]]:
    """Expands the folders and patterns among the inputs of a manifest.

    Args:
        config: default options for all jobs.
        jobs: all jobs of the batch.

    Returns:
        Files by input. An input that cannot be expanded is its own file: the
        error is raised again by its job.
    """
    values = (vars(config), *(job.values for job in jobs))
    paths = {path for x in values for _, path in run_directory.inputs_of(x)}
    expanded = {path: [path] for path in paths}
    for path in paths:
        with contextlib.suppress(ImageError, RemoteFileError):
            expanded[path] = expand_names([path])
    return expanded


def _find_versions(paths: Iterable[str]) -> dict[str, str]:
    """Returns the versions of files by path; empty for missing ones."""
    local = [path for path in paths if not is_address(path)]
    found = remote_files.versions(filter(is_address, paths))
    return found | {path: _find_version(path) for path in local}


def _find_version(path: str) -> str:
    """Returns a text that changes with a file; empty if it is missing."""
    if is_address(path):
        return remote_files.version(path)
    if not os.path.exists(path):
        return ""
    status = os.stat(path)
    return f"{status.st_mtime_ns} {status.st_size}"


def _list_names(folder: str) -> list[str]:
    if is_address(folder):
        return remote_files.list_names(folder)
    return os.listdir(folder) if os.path.isdir(folder) else []


def _touch(folder: str, name: str) -> None:
    """Creates an empty file in a folder."""
    if is_address(folder):
        remote_files.touch(f"{folder}/{name}")
        return
    with raising_write_errors(f"The folder {folder!r}"):
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, name), "w"):
            pass
