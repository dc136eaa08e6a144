"""The runs of a folder, as their workdirs tell of them."""

import contextlib
import dataclasses
import functools
import json
import os
import time
from collections.abc import Sequence

from tfstyle.config.run_config import RunConfig
from tfstyle.errors import ConfigError
from tfstyle.errors import WriteError
from tfstyle.errors import raising_write_errors
from tfstyle.experiment.workdir_files import ASKED
from tfstyle.experiment.workdir_files import FLAGS
from tfstyle.experiment.workdir_files import LOCK
from tfstyle.experiment.workdir_files import METRICS
from tfstyle.experiment.workdir_files import OUTPUT
from tfstyle.flags import flagfile
from tfstyle.flags.command_line import read_config
from tfstyle.flags.values import parse_text
from tfstyle.reports.metric_writers import PREVIEW
from tfstyle.studio import inputs
from tfstyle.system import atomic_file
from tfstyle.system import file_lock

SILENCE = 120.0
"""Seconds without a record after which a run is taken for ended, on a disk
without locks."""
TABLE = "table.json"
"""Of the folder of runs: the pictures of the last table."""
LONGEST = 20_000_000
"""Bytes of a file that are read."""


@dataclasses.dataclass(frozen=True)
class Run:
    """A run, made by the studio or by the command line, as it stands now.

    Attributes:
        workdir: its folder.
    """

    workdir: str

    @property
    def name(self) -> str:
        """Of the folder."""
        return os.path.basename(self.workdir)

    @property
    def title(self) -> str:
        """What it paints, and its name."""
        flags = self._asked
        styles: tuple[str, ...] = ()
        with contextlib.suppress(ConfigError):
            styles = parse_text("style_images", flags.get("style_images", ""))
        return title_of(self.name, flags.get("content_image"), styles)

    @property
    def picture(self) -> str | None:
        """The path of the finished picture, if it is in the workdir."""
        return self._find(OUTPUT)

    @property
    def preview(self) -> str | None:
        """The path of the picture as it is, if one was written."""
        return self._find(PREVIEW)

    @property
    def is_at_work(self) -> bool:
        """Whether a process is painting it."""
        if self.ended is not None:
            return False
        with contextlib.suppress(OSError):
            lock = os.path.join(self.workdir, LOCK)
            return file_lock.is_locked(lock)
        written = _time_of(os.path.join(self.workdir, METRICS))
        done = _time_of(os.path.join(self.workdir, OUTPUT))
        return written > done and time.time() - written < SILENCE

    @property
    def ended(self) -> str | None:
        """Why it ended, as `Result.reason`; None if it has not, by itself."""
        return self._texts[1].get("ended")

    @property
    def changed(self) -> list[float]:
        """When each of the files that are shown was written."""
        names = (METRICS, PREVIEW, OUTPUT, FLAGS)
        return [_time_of(os.path.join(self.workdir, n)) for n in names]

    @property
    def flags(self) -> dict[str, str]:
        """The flags of `flags.cfg`, by name."""
        return self._texts[0]

    @property
    def flagfile(self) -> str | None:
        """The path of `asked.cfg` or else of `flags.cfg`, if one is there."""
        paths = (os.path.join(self.workdir, name) for name in (ASKED, FLAGS))
        return next(filter(os.path.exists, paths), None)

    @property
    def arguments(self) -> list[str]:
        """The command line that asked for it, or that of `flags.cfg`."""
        return [f"--{name}={value}" for name, value in self._asked.items()]

    def read_arguments(self) -> RunConfig:
        """Returns the config of its command line.

        Raises:
            ConfigError: if this release does not read it.
        """
        return read_config(self.arguments)

    @property
    def _asked(self) -> dict[str, str]:
        """The flags that it was asked for with, by name."""
        return self._read_flagfile(ASKED)[0] or self.flags

    @functools.cached_property
    def _texts(self) -> tuple[dict[str, str], dict[str, str]]:
        """Flags and facts of `flags.cfg`, when they are first asked for."""
        return self._read_flagfile(FLAGS)

    def _read_flagfile(self, name: str) -> tuple[dict, dict]:
        with (
            contextlib.suppress(OSError, UnicodeDecodeError),
            open(os.path.join(self.workdir, name), encoding="utf-8") as file,
        ):
            return flagfile.parse_text(file.read(LONGEST))
        return {}, {}

    @functools.cached_property
    def config(self) -> RunConfig | None:
        """The config of `flags.cfg`, if this release reads it."""
        flags = [f"--{name}={value}" for name, value in self.flags.items()]
        with contextlib.suppress(ConfigError):
            return read_config(flags)
        return None

    @functools.cached_property
    def metrics(self) -> list[dict]:
        """The records of `metrics.jsonl` when it is first asked for."""
        path = os.path.join(self.workdir, METRICS)
        found = []
        with (
            contextlib.suppress(OSError, ValueError, RecursionError),
            open(path, encoding="utf-8") as file,
        ):
            for line in file.read(LONGEST).splitlines():
                record = json.loads(line)
                if "total" in record and "step" in record:
                    found.append(record)
        return found

    def _find(self, name: str) -> str | None:
        path = os.path.join(self.workdir, name)
        is_own = os.path.isfile(path) and not os.path.islink(path)
        return path if is_own else None


def list_runs(root: str, most: int = 60) -> list[Run]:
    """Returns the runs of a folder that have begun, the newest first."""
    found = []
    with contextlib.suppress(OSError):
        for entry in os.scandir(root):
            began = _time_of(os.path.join(entry.path, METRICS))
            if began and entry.is_dir(follow_symlinks=False):
                found.append((began, Run(entry.path)))
    found.sort(key=lambda pair: pair[0], reverse=True)
    return [run for _, run in found[:most]]


def find_run(root: str, name: str | None) -> Run | None:
    """Returns the run of a name in a folder; a path is no name."""
    name = name or ""
    workdir = os.path.join(root, name)
    is_name = name not in ("", ".", "..") and os.path.basename(name) == name
    is_there = (
        is_name and os.path.isdir(workdir) and not os.path.islink(workdir)
    )
    return Run(workdir) if is_there else None


def title_of(name: str, content: str | None, styles: Sequence[str]) -> str:
    """Returns how a run is called: what it paints, and its name."""
    painted = " in ".join(
        part
        for part in (
            content and inputs.stem_of(content),
            " and ".join(inputs.stem_of(style) for style in styles),
        )
        if part
    )
    return f"{painted} ({name})" if painted else name


def read_table(root: str) -> list[list[str]]:
    """Returns content, style and run's name of each picture of the last table.

    Args:
        root: the folder of runs.
    """
    try:
        with open(os.path.join(root, TABLE), encoding="utf-8") as file:
            found = json.load(file)
    except (OSError, ValueError):
        return []
    is_table = isinstance(found, list) and all(
        isinstance(row, list) and list(map(type, row)) == [str] * 3
        for row in found
    )
    return found if is_table else []


def check_table(root: str) -> None:
    """Checks that no file but a table would be replaced by one.

    Raises:
        WriteError: if it would.
    """
    path = os.path.join(root, TABLE)
    if os.path.exists(path) and not read_table(root):
        raise WriteError(f"{path!r} is no table of the studio. Move it away.")


def write_table(root: str, pairs: list[list[str]]) -> None:
    """Writes what `read_table` reads.

    Raises:
        WriteError: if it cannot be written.
    """
    path = os.path.join(root, TABLE)
    with raising_write_errors(path):
        atomic_file.write_text(path, json.dumps(pairs))


def differences(first: Run, second: Run) -> list[tuple[str, str, str]]:
    """Returns the flags in which two runs differ: name and both values.

    Paths are relative to the folder of runs.
    """
    root = os.path.join(os.path.dirname(first.workdir), "")
    ours, theirs = (
        {name: text.replace(root, "") for name, text in run.flags.items()}
        for run in (first, second)
    )
    names = [*ours, *(name for name in theirs if name not in ours)]
    return [
        (name, ours.get(name, ""), theirs.get(name, ""))
        for name in names
        if ours.get(name) != theirs.get(name)
    ]


def is_at_finest_level(run: Run) -> bool:
    """Returns whether a run has reached its output's size."""
    metrics, config = run.metrics, run.config
    if not metrics or config is None or config.num_levels == "auto":
        return False
    return metrics[-1]["level"] == config.num_levels - 1


def progress_of(run: Run) -> tuple[float, float | None]:
    """Returns the share of the work that is done, and the seconds left.

    A step of a level takes four times as long as one of the level before.
    """
    metrics, config = run.metrics, run.config
    if not metrics or config is None or config.num_levels == "auto":
        return 0.0, None
    costs = [n * 4**level for level, n in enumerate(config.steps_by_level)]
    last = metrics[-1]
    level = last["level"]
    of_level = [record for record in metrics if record["level"] == level]
    made = last["step"] - sum(config.steps_by_level[:level])
    done = sum(costs[:level]) + made * 4**level
    left = sum(costs) - done
    # The first record of a level comes after its graphs were made.
    steps = last["step"] - of_level[0]["step"]
    if not steps:
        return done / max(1, sum(costs)), None
    seconds = (last["seconds"] - of_level[0]["seconds"]) / steps
    return done / sum(costs), max(0.0, seconds * left / 4**level)


def _time_of(path: str) -> float:
    """Returns when a file was written, 0 if it is not there."""
    try:
        return os.stat(path).st_mtime
    except OSError:
        return 0.0
