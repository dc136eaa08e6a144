"""Batch processing: paints the lines of a manifest, one after another.

TensorFlow is loaded once; networks, compiled steps and Gram sums of styles are
cached. In a cluster of W processes no process waits for another: job i belongs
to process i mod W, and a process that has finished its own jobs takes over
others. A job that is locked by another process is retried once, at the end.
"""

import collections
import contextlib
import dataclasses
import hashlib
import os
import statistics
import time

from absl import logging

from tfstyle.batch.job_sharing import JobSharing
from tfstyle.batch.manifest import Job
from tfstyle.batch.manifest import read_manifest
from tfstyle.config.run_config import RunConfig
from tfstyle.distributed import environment
from tfstyle.errors import ConfigError
from tfstyle.errors import ImageError
from tfstyle.errors import SetupError
from tfstyle.errors import TfstyleError
from tfstyle.errors import WeightsError
from tfstyle.errors import one_line
from tfstyle.experiment import inputs
from tfstyle.experiment import output_checks
from tfstyle.experiment import resources
from tfstyle.experiment import resume
from tfstyle.experiment import run
from tfstyle.experiment import run_directory
from tfstyle.experiment import workdir_files
from tfstyle.experiment.session import Session
from tfstyle.experiment.session import quietly
from tfstyle.image_files.paths import expand_names
from tfstyle.images.image_set import ImageSet
from tfstyle.system.out_of_memory import raising_out_of_memory_errors
from tfstyle.system.signals import StopSignals
from tfstyle.system.tensorflow_setup import return_freed_memory
from tfstyle.training.plan import choose_network

MAX_STEM = 60
"""Maximum length of the output's name within the name of its workdir."""
MAX_MESSAGE = 1000


def run_batch(config: RunConfig, session: Session) -> int:
    """Paints this process' share of a manifest; skips finished pictures.

    A picture that fails does not stop the batch; failures are listed at the
    end.

    Args:
        config: default options for all lines.
        session: the TensorFlow session, with its networks.

    Returns:
        The exit status: 128 plus the number of the signal that ended the
        batch, else 1 if any picture failed, else 0.

    Raises:
        ClusterError: if the environment does not describe a valid cluster.
        ConfigError: if the manifest is invalid.
        SetupError: if TensorFlow cannot run on this machine.
        WeightsError: if the weights, shared by all pictures, cannot be loaded.
    """
    if config.strategy == "multi_worker":
        raise ConfigError(
            "`strategy` is multi_worker, which shares one picture; those of a"
            " `manifest` are shared out among the processes. Leave it out."
        )
    jobs = read_manifest(config.manifest)
    own = environment.find_shard(config.shard, config.strategy)
    if config.strategy == "auto":
        config = dataclasses.replace(config, strategy="one_device")
    folder = config.workdir
    if folder is None:
        name = os.path.basename(config.manifest)
        folder = os.path.join("runs", os.path.splitext(name)[0])
    logging.info(
        "%d pictures of %s, workdir %s", len(jobs), config.manifest, folder
    )
    own_jobs = jobs[own.index :: own.size]
    sharing = JobSharing(folder, own, config.manifest)
    array = environment.find_other_array()
    if array and not own.source:
        logging.warning(
            "warning: %s says that this is one task of many. It takes every"
            " line, as they all do; a part is taken by --shard=NUMBER/SIZE",
            array,
        )
    if own.source:
        logging.info(
            "%d of them are of this process, %d of %d by %s",
            len(own_jobs),
            own.index + 1,
            own.size,
            own.source,
        )
    with StopSignals() as signals:
        batch = _Batch(config, folder, session, signals, sharing, len(own_jobs))
        batch.inputs = _find_inputs(config, jobs)
        batch.num_elsewhere = len(jobs) - len(own_jobs)

        def find_jobs():
            # Jobs of other processes are looked up late, when their state is
            # up to date.
            yield from enumerate(own_jobs, start=1)
            others, left = sharing.jobs_of_others(jobs)
            batch.num_elsewhere -= len(others) + len(left)
            for job in others:
                yield None, job
            yield from enumerate(left, start=batch.take_over(len(left)))
            yield from batch.take_held()

        for number, job in find_jobs():
            if signals.number:
                break
            batch.do(number, job)
        batch.log_summary()
    if signals.number:
        return 128 + signals.number
    return 1 if batch.failures else 0


def workdir_of(folder: str, output: str) -> str:
    """Returns the workdir of a job, which depends only on its output."""
    path = os.path.abspath(output).encode("utf-8", "surrogatepass")
    stem = os.path.splitext(os.path.basename(output))[0][:MAX_STEM]
    name = f"{stem}-{hashlib.sha256(path).hexdigest()[:8]}"
    return os.path.join(folder, "jobs", name)


class _Batch:
    """Runs jobs and counts painted, skipped and failed pictures.

    Attributes:
        failures: failed jobs with their error messages.
        inputs: device and inode numbers of all input files of the manifest.
        num_elsewhere: number of lines left to other processes.
    """

    def __init__(
        self,
        config: RunConfig,
        folder: str,
        session: Session,
        signals: StopSignals,
        sharing: JobSharing,
        total: int,
    ):
        self.failures: list[tuple[Job, str]] = []
        self.inputs: set[tuple[int, int]] = set()
        self.num_elsewhere = 0
        self._config = config
        self._folder = folder
        self._session = session
        self._signals = signals
        self._sharing = sharing
        self._total = total
        self._num_left = total  # own jobs only
        self._num_painted = 0
        self._num_helped = 0
        self._num_before = 0
        self._held: list[tuple[int, Job]] = []  # locked by other processes
        self._seconds = collections.deque(maxlen=20)  # durations of jobs

    def do(self, number: int | None, job: Job) -> None:
        """Runs a job, unless its picture is finished.

        Args:
            number: number of the job within this process, from 1; None if the
                job belongs to another process.
            job: the job.
        """
        place = f"[{number}/{self._total}] {_name(job)}"
        if number is None:
            place = f"[line {job.line}, for another process] {_name(job)}"
        start = time.monotonic()
        reason, result, is_before = "", None, False
        try:
            with raising_out_of_memory_errors():
                result, is_before = self._paint(job)
        except WeightsError:
            raise  # the next job has the same weights
        except run_directory.BusyError:
            if number is not None:
                self._held.append((number, job))
                logging.info("%s: another process is at it", place)
            return
        except TfstyleError as error:
            if isinstance(error, SetupError) and not self._session.device:
                raise  # it would affect every job
            reason = one_line(str(error) or repr(error), MAX_MESSAGE)
            if self._signals.number:
                return  # a signal may have ended a child process
            if number is None:
                return  # its own process reports the failure
        if reason:
            self.failures.append((job, reason))
            logging.error("%s: failed: %s", place, reason)
            return_freed_memory()  # held by the error's traceback until here
        is_own = number is not None
        if reason or is_before:
            self._num_left -= is_own
            self._num_before += is_own and is_before
        if result is None:
            return
        seconds = time.monotonic() - start
        if result.reason == self._signals():
            logging.info("%s: stopped at step %d", place, result.step)
            return
        self._num_left -= is_own
        self._num_painted += is_own
        self._num_helped += not is_own
        self._seconds.append(seconds)
        logging.info(
            "%s: %d steps%s, %.1f s, loss %.4g%s",
            place,
            result.step,
            "" if result.reason == "steps" else f" ({result.reason})",
            seconds,
            result.losses["total"],
            self._time_left(0 if number is None else self._total - number),
        )

    def take_over(self, number: int) -> int:
        """Adds jobs to this process' own; returns the number of the first.

        Args:
            number: number of jobs to add.
        """
        self._total += number
        self._num_left += number
        return self._total - number + 1

    def take_held(self) -> list[tuple[int, Job]]:
        """Returns, and forgets, the jobs that other processes had locked."""
        held, self._held = self._held, []
        return held

    def log_summary(self) -> None:
        """Logs the number of jobs by outcome, and one line per failure."""
        counts = [
            (self._num_painted, "done"),
            (self._num_helped, "done for other processes"),
            (self._num_before, "finished before"),
            (len(self.failures), "failed"),
            (len(self._held), "left to other processes"),
            (self._num_left - len(self._held), "left"),
            (self.num_elsewhere, "of other processes"),
        ]
        logging.info(
            "%s",
            ", ".join(
                f"{count} {what}"
                for count, what in counts
                if count or what == "done"
            ),
        )
        for job, reason in self.failures:
            logging.error(
                "%s line %d, %s: %s",
                self._config.manifest,
                job.line,
                _name(job),
                reason,
            )

    def _paint(self, job: Job):
        """Paints the picture of a job, unless it is finished.

        Returns:
            The `Result` or None, and True if the picture was finished before.

        Raises:
            BusyError: if another process is working on the job.
        """
        workdir = workdir_of(self._folder, job.output)
        with self._sharing.claimed(os.path.basename(workdir)):
            return self._paint_in(job.to_config(self._config, workdir))

    def _paint_in(self, config: RunConfig):
        """Paints the picture of a config, unless it is finished.

        Returns:
            The `Result` or None, and True if the picture was finished before.

        Raises:
            BusyError: if another process is working on the job.
        """
        config = inputs.expand_image_names(config)
        images = inputs.read_images(config)
        if self._is_finished(config, images):
            return None, True
        output_checks.check_output(config)
        self._check_inputs_stay(config)
        if not self._session.device:
            machine = self._session.start(self._config)
            precision = choose_network(config, machine).precision
            logging.info("%s, %s", self._session.device, precision)
        can_go_on = False
        if os.path.isdir(config.workdir):
            asked = dataclasses.replace(config, resume="auto")
            with run_directory.open_workdir(asked) as folder:
                if self._is_finished(config, images):  # by another process
                    return None, True
                checkpoints = os.path.join(folder, workdir_files.CHECKPOINTS)
                can_go_on = os.path.isdir(checkpoints)
                can_go_on = can_go_on and bool(os.listdir(checkpoints))
        if os.path.exists(config.output_image) and not can_go_on:
            config = _restarting(config)
        try:
            return self._run(config, images), False
        except resume.OtherRunError:
            config = _restarting(config)
            return self._run(config, images), False

    def _check_inputs_stay(self, config: RunConfig) -> None:
        """Checks that no output replaces an input of any line.

        Outputs of earlier runs may be replaced.

        Raises:
            WorkdirError: if an output would replace an input.
        """
        for name in ("output_image", "film"):
            path = getattr(config, name)
            if not path or not os.path.exists(path):
                continue
            if _number_of(path) in self.inputs and not (
                name == "output_image" and workdir_files.is_output(path)
            ):
                raise run_directory.WorkdirError(
                    f"{path!r} is read by a line of the manifest, and {name}"
                    " would replace it. Name another."
                )

    def _is_finished(self, config: RunConfig, images: ImageSet) -> bool:
        """True if the picture of a job is finished."""
        return resume.is_finished(
            config, images, lambda: self._session.hash_weights(config)
        )

    def _run(self, config: RunConfig, images: ImageSet):
        """Runs a job; removes its checkpoints once it is complete."""
        with run.prepare(config, images, self._session) as prepared:
            resources.log_savings(prepared.plan)
            if self._signals.number:
                return None
            with quietly():
                result = run.paint(prepared, self._session, self._signals)
                if result.is_complete:
                    _tidy(config, prepared.folder)
        return result

    def _time_left(self, num_left: int) -> str:
        if not num_left:
            return ""
        # The median, as the first job starts TensorFlow and each new size
        # compiles.
        seconds = statistics.median(self._seconds) * num_left
        for unit, length in (("h", 3600), ("min", 60)):
            if seconds >= 2 * length:
                return f"; about {seconds / length:.0f} {unit} left"
        return f"; about {seconds:.0f} s left"


def _tidy(config: RunConfig, folder: str) -> None:
    """Removes checkpoints, and pictures that were only needed for the film."""
    names = [workdir_files.CHECKPOINTS]
    if config.film and not config.image_every_steps:
        names.append(workdir_files.IMAGES)
    for name in names:
        workdir_files.remove_own(os.path.join(folder, name))


def _find_inputs(config: RunConfig, jobs: list[Job]) -> set[tuple[int, int]]:
    """Returns device and inode numbers of all input files of a manifest."""
    paths = set()
    for values in (vars(config), *(job.values for job in jobs)):
        for name in run_directory.INPUTS:
            value = values.get(name) or ()
            paths.update([value] if isinstance(value, str) else value)
    for path in [*paths]:
        with contextlib.suppress(ImageError):  # fails later, with its line
            paths.update(expand_names([path]))
    return {_number_of(path) for path in paths if os.path.exists(path)}


def _number_of(path: str) -> tuple[int, int]:
    """Returns the device and inode numbers of a file."""
    status = os.stat(path)
    return status.st_dev, status.st_ino


def _restarting(config: RunConfig) -> RunConfig:
    """Returns a config that starts anew and renames the old workdir.

    The new run may replace the output, since the old run wrote it, even if the
    new run is interrupted and started again.
    """
    if config.resume == "never":
        return config
    return dataclasses.replace(config, resume="restart")


def _name(job: Job) -> str:
    return one_line(job.output) if job.output else f"line {job.line}"
