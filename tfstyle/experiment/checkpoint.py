"""Checkpoints: the state of a run between two steps, in one file.

The file is an uncompressed zip of NumPy arrays and a JSON header, so that
`numpy.load` opens it. Unlike TensorFlow's checkpoints it is a single file,
written atomically, one array at a time. Reading an untrusted checkpoint runs
no code and needs no more memory than the size of the file.
"""

import contextlib
import dataclasses
import json
import math
import os
import re
import reprlib
import zipfile
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

import numpy as np
from absl import logging

from tfstyle.errors import CheckpointError
from tfstyle.errors import one_line
from tfstyle.errors import raising_write_errors
from tfstyle.system import atomic_file
from tfstyle.training.state import State

FORMAT = 1
HEADER = "checkpoint.json"
MAX_HEADER_BYTES = 10_000_000
MAX_ARRAY_HEADER = 256
KEPT = 2
_DTYPES = ("<f4", "<i4", "<i8")
_NAME = re.compile(r"step_\d{6,}_evaluation_(\d{7,})\.npz", re.ASCII)


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """A checkpoint read from a file.

    Attributes:
        path: path of the file.
        job: identity of the run, as JSON.
        state: state of the run; its arrays are read on access.
    """

    path: str
    job: dict[str, Any]
    state: State


class Checkpoints:
    """Writes checkpoints of one run and keeps the last two.

    Args:
        folder: folder of the checkpoints; created if missing.
        job: identity of the run, as JSON.
        path: path of the checkpoint that the run resumes from, or None.
            Checkpoints of later steps in the folder are damaged; the first
            write deletes them.

    Attributes:
        path: path of the newest intact checkpoint, or None.
    """

    def __init__(
        self, folder: str, job: dict[str, Any], path: str | None = None
    ):
        with raising_write_errors(f"The folder {folder!r}"):
            os.makedirs(folder, exist_ok=True)
        self._folder = folder
        self._job = job
        self.path = path

    def __call__(self, state: State) -> None:
        """Writes a checkpoint atomically, unless it exists already."""
        step = sum(state.numbers["steps"])
        evaluations = state.numbers["evaluations"]
        name = f"step_{step:06}_evaluation_{evaluations:07}.npz"
        path = os.path.join(self._folder, name)
        if path == self.path:
            return
        header = {"format": FORMAT, "job": self._job, "state": state.numbers}
        with (
            atomic_file.replacing(path) as temporary,
            zipfile.ZipFile(temporary, "w") as file,
        ):
            file.writestr(HEADER, json.dumps(header))
            for name, array in state.arrays.items():
                with file.open(f"{name}.npy", "w", force_zip64=True) as member:
                    np.lib.format.write_array(
                        member, np.asarray(array), allow_pickle=False
                    )
        self.path = path
        paths = _list(self._folder)
        place = paths.index(path)
        with raising_write_errors(f"The folder {self._folder!r}"):
            for other in paths[:place] + paths[place + KEPT :]:
                os.unlink(other)


def read_latest(folder: str) -> Checkpoint | None:
    """Reads the newest intact checkpoint.

    Returns:
        The checkpoint, or None if the folder has none.

    Raises:
        CheckpointError: if every checkpoint is damaged or unreadable.
    """
    paths = _list(folder)
    for path in paths:
        try:
            return read_checkpoint(path)
        except CheckpointError as error:
            logging.warning("warning: %s", error)
    if paths:
        raise CheckpointError(
            f"Every checkpoint in {folder!r} is damaged. Use"
            " --resume=restart to start anew; the old workdir is renamed."
        )
    return None


def read_checkpoint(path: str) -> Checkpoint:
    """Reads a checkpoint and checks that it is intact.

    Raises:
        CheckpointError: if the file is damaged, unreadable, or not a
            checkpoint.
    """
    with _raising_checkpoint_errors(path), zipfile.ZipFile(path) as file:
        _check_members(file, os.path.getsize(path))
        header = json.loads(file.read(HEADER))
        damaged = file.testzip()
        if damaged is not None:
            raise ValueError(damaged)
        members = file.namelist()
    number = header.get("format") if isinstance(header, dict) else None
    if number != FORMAT:
        raise CheckpointError(
            f"The checkpoint {path!r} must be of format {FORMAT}. Received:"
            f" {reprlib.repr(number)}. Continue with the release that wrote it."
        )
    job, numbers = header.get("job"), header.get("state")
    if not isinstance(job, dict) or not isinstance(numbers, dict):
        raise CheckpointError(
            f"The checkpoint {path!r} does not describe a run."
        )
    names = [name.removesuffix(".npy") for name in members if name != HEADER]
    return Checkpoint(path, job, State(numbers, _StoredArrays(path, names)))


@contextlib.contextmanager
def _raising_checkpoint_errors(path: str, part: str = "") -> Iterator[None]:
    """Converts errors of reading a checkpoint to CheckpointError with its path.

    Raises:
        CheckpointError: if the file is damaged or cannot be read.
    """
    try:
        yield
    except MemoryError:
        raise  # not caused by damage: the file's size bounds allocations
    except Exception as error:
        reason = one_line(f"{part}{str(error) or repr(error)}")
        raise CheckpointError(
            f"The checkpoint {path!r} is damaged: {reason}."
        ) from error


def _check_members(file: zipfile.ZipFile, length: int) -> None:
    """Checks that the members need no more memory than the file's size."""
    if file.getinfo(HEADER).file_size > MAX_HEADER_BYTES:
        raise ValueError(f"{HEADER} is too long")
    members = file.infolist()  # names may repeat
    for member in members:
        is_plain = member.compress_type == zipfile.ZIP_STORED
        if not is_plain or member.file_size != member.compress_size:
            raise ValueError(f"{member.filename!r:.80} is compressed")
    if sum(member.file_size for member in members) > length:
        raise ValueError("its parts overlap")


class _StoredArrays(Mapping):
    """Mapping of the arrays of a checkpoint file; each is read on access."""

    def __init__(self, path: str, names: list[str]):
        self._path = path
        self._names = names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in self._names:
            raise KeyError(name)
        with (
            _raising_checkpoint_errors(self._path, f"{name}: "),
            zipfile.ZipFile(self._path) as file,
            file.open(f"{name}.npy") as member,
        ):
            return _read_array(member, file.getinfo(f"{name}.npy"))


def _read_array(member, info: zipfile.ZipInfo) -> np.ndarray:
    """Reads an array; checks that it is complete before allocating memory."""
    start = member.tell()
    if np.lib.format.read_magic(member) != (1, 0):
        raise ValueError("array of another format")
    shape, _, dtype = np.lib.format.read_array_header_1_0(
        member, max_header_size=MAX_ARRAY_HEADER
    )
    length = math.prod(shape) * dtype.itemsize
    if dtype.str not in _DTYPES or length != info.file_size - member.tell():
        raise ValueError(f"array {list(shape)} of {dtype}, {length} bytes")
    member.seek(start)
    return np.lib.format.read_array(member, allow_pickle=False)


def is_named(path: str) -> bool:
    """True if a file name has the form of a checkpoint's."""
    return _NAME.fullmatch(os.path.basename(path)) is not None


def _list(folder: str) -> list[str]:
    """Returns the paths of a folder's checkpoints, newest first."""
    names = os.listdir(folder) if os.path.isdir(folder) else []
    found = [(int(m[1]), m[0]) for m in map(_NAME.fullmatch, names) if m]
    paths = [os.path.join(folder, name) for _, name in sorted(found)[::-1]]
    return [path for path in paths if os.path.isfile(path)]
