"""Paints the picture of one job of a batch, unless it is finished."""

import contextlib
import dataclasses
import hashlib
import itertools
import os
from collections.abc import Mapping
from collections.abc import Sequence
from typing import NamedTuple

from absl import logging

from tfstyle.batch.finished_jobs import FinishedJobs
from tfstyle.batch.finished_jobs import expand_inputs
from tfstyle.batch.manifest import Job
from tfstyle.config.run_config import RunConfig
from tfstyle.errors import SetupError
from tfstyle.errors import TfstyleError
from tfstyle.errors import WeightsError
from tfstyle.experiment import inputs
from tfstyle.experiment import output_checks
from tfstyle.experiment import remote_outputs
from tfstyle.experiment import resources
from tfstyle.experiment import resume
from tfstyle.experiment import run
from tfstyle.experiment import run_directory
from tfstyle.experiment import workdir_files
from tfstyle.experiment.run_directory import BusyError
from tfstyle.experiment.session import Session
from tfstyle.experiment.session import quietly
from tfstyle.images.image_set import ImageSet
from tfstyle.system import remote_files
from tfstyle.system.out_of_memory import raising_out_of_memory_errors
from tfstyle.system.paths import is_address
from tfstyle.system.signals import StopSignals
from tfstyle.system.tensorflow_setup import return_freed_memory
from tfstyle.training.plan import choose_network

MAX_STEM = 60
"""Maximum length of the output's name within the name of its workdir."""


def workdir_of(folder: str, output: str) -> str:
    """Returns the workdir of a job, which depends only on its output."""
    path = output if is_address(output) else os.path.abspath(output)
    path = path.encode("utf-8", "surrogatepass")
    stem = os.path.splitext(os.path.basename(output))[0][:MAX_STEM]
    name = f"{stem}-{hashlib.sha256(path).hexdigest()[:8]}"
    return os.path.join(folder, "jobs", name)


class Outcome(NamedTuple):
    """Outcome of a job, for the log.

    Attributes:
        is_stopped: True if a signal stopped the job.
        work: what was done, such as "90 steps".
        loss: final loss of a picture, or empty.
    """

    is_stopped: bool
    work: str
    loss: str = ""


class JobPainter:
    """Paints pictures of a batch, each in its own workdir.

    Args:
        config: default options for all jobs.
        jobs: all jobs of the batch, whose input files must not be replaced.
        folder: folder of the batch.
        session: the TensorFlow session, with its networks.
        signals: stop signals, which end a job at the next step.

    Attributes:
        session: the same session; it starts with the first job.
        signals: the same signals.
    """

    def __init__(
        self,
        config: RunConfig,
        jobs: Sequence[Job],
        folder: str,
        session: Session,
        signals: StopSignals,
    ):
        self._config = config
        self._folder = folder
        expanded = expand_inputs(config, jobs)
        self._finished = FinishedJobs(config, jobs, folder, expanded)
        self._inputs = _identify_all(expanded)
        self.session = session
        self.signals = signals

    def paint(self, job: Job) -> Outcome | TfstyleError | None:
        """Paints the picture or film of a job.

        Returns:
            The outcome. None if the picture was finished before, or a signal
            arrived before the first step. A BusyError if another process is
            working on the job, or another error if it cannot be painted.

        Raises:
            SetupError: if TensorFlow cannot start, which affects every job.
            WeightsError: if the weights, shared by all jobs, cannot be loaded.
        """
        if job in self._finished:
            return None
        try:
            with raising_out_of_memory_errors():
                outcome = self._paint(job)
                is_stopped = outcome is not None and outcome.is_stopped
                if not (is_stopped or self.signals.number):
                    self._finished.add(job)
                return outcome
        except WeightsError:
            raise
        except TfstyleError as error:
            if isinstance(error, SetupError) and not self.session.device:
                raise
            # A new error, as the traceback of this one holds memory.
            kind = BusyError if isinstance(error, BusyError) else TfstyleError
            text = remote_files.name_addresses(str(error) or repr(error))
        return_freed_memory()
        return kind(text)

    def _paint(self, job: Job) -> Outcome | None:
        workdir = workdir_of(self._folder, job.output)
        config = job.to_config(self._config, workdir)
        with remote_outputs.staged(config) as config:
            if config.content_video:
                return self._paint_film(config)
            return self._paint_picture(config)

    def _paint_picture(self, config: RunConfig) -> Outcome | None:
        config = inputs.expand_image_names(config)
        images = inputs.read_images(config)
        if self._is_finished(config, images):
            return None
        output_checks.check_output(config)
        self._check_inputs_stay(config)
        if not self.session.device:
            machine = self.session.start(self._config)
            precision = choose_network(config, machine).precision
            logging.info("%s, %s", self.session.device, precision)
        has_checkpoint = False
        workdir = config.workdir
        if os.path.isdir(workdir):
            asked = dataclasses.replace(config, resume="auto")
            with run_directory.open_workdir(asked):
                if self._is_finished(config, images):  # by another process
                    return None
                checkpoints = os.path.join(workdir, workdir_files.CHECKPOINTS)
                with contextlib.suppress(FileNotFoundError):
                    has_checkpoint = bool(os.listdir(checkpoints))
        if os.path.exists(config.output_image) and not has_checkpoint:
            config = _restarting(config)
        try:
            return self._run(config, images)
        except resume.OtherRunError:
            return self._run(_restarting(config), images)

    def _is_finished(self, config: RunConfig, images: ImageSet) -> bool:
        return resume.is_finished(
            config, images, lambda: self.session.hash_weights(config)
        )

    def _check_inputs_stay(self, config: RunConfig) -> None:
        """Checks that no output replaces an input of any line.

        Outputs of earlier runs may be replaced.

        Raises:
            WorkdirError: if an output would replace an input.
        """
        for name in run_directory.OUTPUTS:
            path = getattr(config, name)
            if not path or not os.path.exists(path):
                continue
            if _identify(path) in self._inputs and not (
                name == "output_image" and workdir_files.is_output(path)
            ):
                raise run_directory.WorkdirError(
                    f"{path!r} is an input of the manifest, and {name} would"
                    " replace it. Choose another path."
                )

    def _paint_film(self, config: RunConfig) -> Outcome | None:
        """Paints a film; what is painted of another one is renamed."""
        from tfstyle.films.run import paint_film

        self._check_inputs_stay(config)
        with quietly():
            try:
                result = paint_film(config, self.session, self.signals)
            except resume.OtherRunError:
                config = _restarting(config)
                result = paint_film(config, self.session, self.signals)
        if result.is_written and not result.num_painted:
            return None
        if not result.is_written and not self.signals.number:
            raise BusyError(
                "Other processes are painting the rest of the film."
            )
        return Outcome(
            not result.is_written,
            f"{result.num_painted} of {result.num_frames} frames",
        )

    def _run(self, config: RunConfig, images: ImageSet) -> Outcome | None:
        """Runs a job; removes its checkpoints once it is complete."""
        with run.prepare(config, images, self.session) as prepared:
            resources.log_savings(prepared.plan)
            if self.signals.number:
                return None
            with quietly():
                result = run.paint(prepared, self.session, self.signals)
                if result.is_complete:
                    _remove_intermediate_files(config, prepared.folder)
        reason = "" if result.reason == "steps" else f" ({result.reason})"
        return Outcome(
            result.reason == self.signals(),
            f"{result.step} steps{reason}",
            f", loss {result.losses['total']:.4g}",
        )


def _restarting(config: RunConfig) -> RunConfig:
    """Returns a config that starts anew and renames the old workdir.

    The new run may replace the output, since the old run wrote it, even if the
    new run is interrupted and started again.
    """
    if config.resume == "never":
        return config
    return dataclasses.replace(config, resume="restart")


def _remove_intermediate_files(config: RunConfig, folder: str) -> None:
    """Removes checkpoints, and pictures that were only needed for the film."""
    names = [workdir_files.CHECKPOINTS]
    if config.film and not config.image_every_steps:
        names.append(workdir_files.IMAGES)
    for name in names:
        workdir_files.remove_own(os.path.join(folder, name))


def _identify_all(
    expanded: Mapping[str, Sequence[str]],
) -> set[tuple[int, int] | str]:
    """Identifies inputs, as they are named and as they are expanded."""
    paths = {*expanded, *itertools.chain(*expanded.values())}
    return {
        _identify(path)
        for path in paths
        if is_address(path) or os.path.exists(path)
    }


def _identify(path: str) -> tuple[int, int] | str:
    """Returns the device and inode numbers of a file, or its address."""
    path = remote_files.name_addresses(path)
    if is_address(path):
        return path
    status = os.stat(path)
    return status.st_dev, status.st_ino
