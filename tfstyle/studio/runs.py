"""Reads the runs of a folder: their flags, metrics, pictures and states."""

import contextlib
import dataclasses
import functools
import json
import os
import time
from collections.abc import Sequence

from tfstyle.config.run_config import RunConfig
from tfstyle.errors import ConfigError
from tfstyle.errors import raising_write_errors
from tfstyle.experiment.run_directory import BusyError
from tfstyle.experiment.workdir_files import ASKED
from tfstyle.experiment.workdir_files import FLAGS
from tfstyle.experiment.workdir_files import FRAMES
from tfstyle.experiment.workdir_files import LOCK
from tfstyle.experiment.workdir_files import METRICS
from tfstyle.experiment.workdir_files import NOTES
from tfstyle.experiment.workdir_files import OUTPUT
from tfstyle.films.output import OUTPUT as FILM
from tfstyle.films.shot_claims import check_unclaimed
from tfstyle.flags import flagfile
from tfstyle.flags.command_line import read_config
from tfstyle.flags.values import parse_text
from tfstyle.reports.metric_writers import PREVIEW
from tfstyle.reports.metric_writers import numbered_pictures
from tfstyle.studio import inputs
from tfstyle.studio import notes
from tfstyle.studio.notes import Notes
from tfstyle.system import file_lock

SILENCE = 120.0
"""Time without a record after which a run counts as ended, on a disk without
locks, seconds."""
LONGEST = 20_000_000
"""Maximum number of bytes to read from a file."""
BIN = "bin"
"""Subfolder of the folder of runs with the runs that users deleted."""
COMPLETE = ("steps", "converged", "max_evaluations")
"""Stop reasons of runs that were not interrupted."""


@dataclasses.dataclass(frozen=True)
class Run:
    """A view of a workdir, of a run by the studio or by the command line.

    Attributes:
        workdir: path of the workdir.
    """

    workdir: str

    @property
    def name(self) -> str:
        """Name of the workdir, without its path."""
        return os.path.basename(self.workdir)

    @property
    def title(self) -> str:
        """Its caption, followed by the name of the run."""
        return title_of(self.name, self.caption)

    @property
    def caption(self) -> str:
        """The user's name of the picture, or names of content and styles."""
        if self.notes.title:
            return self.notes.title
        flags = self._asked
        styles: tuple[str, ...] = ()
        with contextlib.suppress(ConfigError):
            styles = parse_text("style_images", flags.get("style_images", ""))
        return caption_of(self.content or flags.get("content_video"), styles)

    @property
    def content(self) -> str | None:
        """Path of the content image as it was asked for, or None."""
        return self._asked.get("content_image")

    @functools.cached_property
    def notes(self) -> Notes:
        """The user's name and star."""
        return notes.read(self.workdir)

    @property
    def continues(self) -> str | None:
        """Name of the run whose picture this one began from, or None.

        Only of runs that a moved dial began.
        """
        folder, file = os.path.split(self._asked.get("init", ""))
        root, name = os.path.split(folder)
        is_beside = file == OUTPUT and root == os.path.dirname(self.workdir)
        return name if is_beside and name else None

    @property
    def is_complete(self) -> bool:
        """True if the run has ended and was not interrupted."""
        if self.is_film:
            return self.is_whole
        if self.ended is not None:
            return self.ended in COMPLETE
        return self.picture is not None  # made by an older release

    @property
    def picture(self) -> str | None:
        """Path of the finished picture in the workdir, or None."""
        return self._find(OUTPUT)

    @property
    def preview(self) -> str | None:
        """Path of the preview of the latest picture, or None."""
        return self._find(PREVIEW)

    @property
    def is_film(self) -> bool:
        """True if the run paints a film."""
        return "content_video" in self._asked

    @property
    def film(self) -> str | None:
        """Path of the film in the workdir, or None; it may be a part."""
        return self._find(FILM) if self.is_film else None

    @functools.cached_property
    def frames(self) -> list[str]:
        """Paths of a film's painted frames, in order."""
        with contextlib.suppress(OSError):
            folder = os.path.join(self.workdir, FRAMES)
            return [path for _, path in numbered_pictures(folder)]
        return []

    @property
    def num_frames(self) -> int:
        """Number of frames that a film will have; 0 if it is unknown."""
        text = self._texts[1].get("num_frames", "")
        return int(text) if text.isdecimal() else 0

    @property
    def is_whole(self) -> bool:
        """True if all frames of a film are painted."""
        return 0 < self.num_frames <= len(self.frames)

    @property
    def is_resumable(self) -> bool:
        """True for a film of the studio of which frames are missing."""
        asked = os.path.exists(os.path.join(self.workdir, ASKED))
        return self.is_film and asked and not self.is_whole

    @property
    def is_at_work(self) -> bool:
        """True if a process is painting this run."""
        if self.is_film:
            with contextlib.suppress(BusyError):
                check_unclaimed(self.workdir)
                return False
            return True
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
        """Stop reason, see `Result.reason`; None if running or killed."""
        return self._texts[1].get("ended")

    @property
    def changed(self) -> list[float]:
        """Modification times of the displayed files; 0 if missing."""
        names = (METRICS, PREVIEW, OUTPUT, FLAGS, FRAMES, FILM, NOTES)
        return [_time_of(os.path.join(self.workdir, n)) for n in names]

    @property
    def flags(self) -> dict[str, str]:
        """Flags of `flags.cfg`, as text by name."""
        return self._texts[0]

    @property
    def flagfile(self) -> str | None:
        """Path of `asked.cfg`, or else of `flags.cfg`, or None."""
        paths = (os.path.join(self.workdir, name) for name in (ASKED, FLAGS))
        return next(filter(os.path.exists, paths), None)

    @property
    def arguments(self) -> list[str]:
        """Requested command line, or else the flags of `flags.cfg`."""
        return [f"--{name}={value}" for name, value in self._asked.items()]

    @property
    def chosen_arguments(self) -> list[str]:
        """The requested command line, without what a moved dial has added."""
        if not self.continues:
            return self.arguments
        found = [x for x in self.arguments if not x.startswith("--init=")]
        return found[:-1] if found[-1:] == ["--num_levels=1"] else found

    @property
    def _asked(self) -> dict[str, str]:
        """Requested flags, or else those of `flags.cfg`, as text by name."""
        return self._read_flagfile(ASKED)[0] or self.flags

    @functools.cached_property
    def _texts(self) -> tuple[dict[str, str], dict[str, str]]:
        """Flags and facts of `flags.cfg`, read on first access."""
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
        """Config of `flags.cfg`, or None if it cannot be parsed."""
        flags = [f"--{name}={value}" for name, value in self.flags.items()]
        with contextlib.suppress(ConfigError):
            return read_config(flags)
        return None

    @functools.cached_property
    def metrics(self) -> list[dict]:
        """Records of `metrics.jsonl`, read on first access."""
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
    """Lists the runs of a folder that have begun, newest first.

    Args:
        root: the folder of runs.
        most: maximum number of runs.
    """
    found = []
    with contextlib.suppress(OSError):
        for entry in os.scandir(root):
            began = max(
                _time_of(os.path.join(entry.path, name))
                for name in (METRICS, FRAMES)
            )
            if began and entry.is_dir(follow_symlinks=False):
                found.append((began, Run(entry.path)))
    found.sort(key=lambda pair: pair[0], reverse=True)
    return [run for _, run in found[:most]]


def fold(found: Sequence[Run]) -> list[list[Run]]:
    """Groups runs that continue one another, as a dial was moved.

    Args:
        found: runs, newest first.

    Returns:
        Groups of runs, newest first; only the first of a group is complete,
        starred or named by the user.
    """
    by_name = {run.name: run for run in found}
    groups, folded = [], set()
    for run in found:
        if run.name in folded:
            continue
        group = [run]
        while True:
            before = by_name.get(group[-1].continues or "")
            is_step = (
                before is not None
                and before.name not in folded
                and before not in group
                and not before.is_complete
                and before.notes == Notes()
            )
            if before is None or not is_step:
                break
            group.append(before)
        folded.update(member.name for member in group)
        groups.append(group)
    return groups


def move_to_bin(run: Run) -> str:
    """Moves a run to the bin, a subfolder of the folder of runs.

    Returns:
        The run's new path.

    Raises:
        WriteError: if it cannot be moved.
    """
    root, name = os.path.split(run.workdir)
    path = os.path.join(root, BIN, name)
    number = 1
    while os.path.exists(path):
        number += 1
        path = os.path.join(root, BIN, f"{name}-{number}")
    with raising_write_errors(path):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        os.rename(run.workdir, path)
    return path


def put_back(root: str, path: str) -> None:
    """Moves a run from the bin back to the folder of runs.

    Raises:
        WriteError: if it cannot be moved, or its place is taken.
    """
    place = os.path.join(root, os.path.basename(path))
    with raising_write_errors(place):
        os.rename(path, place)


def find_run(root: str, name: str | None) -> Run | None:
    """Finds a run by name in the folder `root`; refuses paths as names."""
    name = name or ""
    workdir = os.path.join(root, name)
    is_name = name not in ("", ".", "..") and os.path.basename(name) == name
    is_there = (
        is_name and os.path.isdir(workdir) and not os.path.islink(workdir)
    )
    return Run(workdir) if is_there else None


def caption_of(content: str | None, styles: Sequence[str]) -> str:
    """Returns the names of content and styles, such as `boat in mosaic`."""
    return " in ".join(
        part
        for part in (
            content and inputs.stem_of(content),
            " and ".join(inputs.stem_of(style) for style in styles),
        )
        if part
    )


def title_of(name: str, caption: str) -> str:
    """Returns a caption, followed by the name of the run."""
    return f"{caption} ({name})" if caption else name


def is_at_finest_level(run: Run) -> bool:
    """True if a run has reached the size of its output."""
    metrics, config = run.metrics, run.config
    if not metrics or config is None or config.num_levels == "auto":
        return False
    return metrics[-1]["level"] == config.num_levels - 1


def progress_of(run: Run) -> tuple[float, float | None]:
    """Estimates the completed share of a run, 0 to 1, and the seconds left.

    A step is assumed to take four times as long as at the level before. The
    time is None if it cannot be estimated yet.
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
    # The first record of a level is written after its graphs were traced.
    steps = last["step"] - of_level[0]["step"]
    if not steps:
        return done / max(1, sum(costs)), None
    seconds = (last["seconds"] - of_level[0]["seconds"]) / steps
    return done / sum(costs), max(0.0, seconds * left / 4**level)


def _time_of(path: str) -> float:
    """Returns the modification time of a file, or 0 if it is missing."""
    try:
        return os.stat(path).st_mtime
    except OSError:
        return 0.0
