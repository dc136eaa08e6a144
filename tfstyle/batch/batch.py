"""Batch processing: paints the lines of a manifest, one after another.

TensorFlow is loaded once; networks, compiled steps and Gram sums of styles are
cached. In a cluster of W processes no process waits for another: job i belongs
to process i mod W, and a process that has finished its own jobs takes over
others. A job that is locked by another process is retried once, at the end.
"""

import collections
import dataclasses
import os
import statistics
import time
from collections.abc import Iterator
from collections.abc import Sequence

from absl import logging

from tfstyle.batch.finished_jobs import FinishedJobs
from tfstyle.batch.job_painter import JobPainter
from tfstyle.batch.job_painter import Outcome
from tfstyle.batch.job_painter import workdir_of
from tfstyle.batch.job_sharing import JobSharing
from tfstyle.batch.manifest import Job
from tfstyle.batch.manifest import read_manifest
from tfstyle.config.run_config import RunConfig
from tfstyle.distributed import environment
from tfstyle.errors import ConfigError
from tfstyle.errors import SetupError
from tfstyle.errors import TfstyleError
from tfstyle.errors import WeightsError
from tfstyle.errors import one_line
from tfstyle.experiment.run_directory import BusyError
from tfstyle.experiment.session import Session
from tfstyle.system.loop_progress import describe_time
from tfstyle.system.out_of_memory import raising_out_of_memory_errors
from tfstyle.system.remote_files import name_addresses
from tfstyle.system.signals import StopSignals
from tfstyle.system.tensorflow_setup import return_freed_memory

MAX_MESSAGE = 1000
_OUTCOMES = (
    *("done", "done for other processes", "finished before", "failed"),
    *("left to other processes", "left", "of other processes"),
)
"""Outcomes of jobs, in the order of the summary."""
_OWN_OUTCOMES = ("done", "finished before", "failed", "left to other processes")
"""Outcomes that are not "left" of this process' jobs."""


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
            "`strategy` multi_worker divides one picture, but the pictures of a"
            " `manifest` are divided among the processes. Leave it out."
        )
    jobs = read_manifest(config.manifest)
    own = environment.find_shard(config.shard, config.strategy)
    if config.strategy == "auto":
        config = dataclasses.replace(config, strategy="one_device")
    name = os.path.splitext(os.path.basename(config.manifest))[0]
    folder = config.workdir or os.path.join("runs", name)
    logging.info(
        "%d pictures of %s, workdir %s", len(jobs), config.manifest, folder
    )
    sharing = JobSharing(folder, own, config.manifest)
    own_jobs = jobs[own.index :: own.size]
    if own.source:
        logging.info(
            "%d of them belong to this process, %d of %d by %s",
            len(own_jobs),
            own.index + 1,
            own.size,
            own.source,
        )
    array = environment.find_uncounted_array(config.strategy)
    if array and config.shard == "auto":
        logging.warning(
            "warning: %s says that this is one task of many, but each of them"
            " paints every line. --shard=auto/N for an array of N tasks without"
            " gaps, or --shard=NUMBER/N, paints only a part",
            array,
        )
    with StopSignals() as signals:
        painter = JobPainter(config, jobs, session, signals)
        finished = FinishedJobs(config, own_jobs, folder)
        batch = _Batch(folder, painter, sharing, finished, len(own_jobs))
        for number, job in batch.find_jobs(jobs, own_jobs):
            if signals.number:
                break
            batch.do(number, job)
        batch.log_summary(config.manifest)
    if signals.number:
        return 128 + signals.number
    return 1 if batch.failures else 0


@dataclasses.dataclass
class _Batch:
    """Runs jobs and counts their outcomes.

    Attributes:
        folder: the workdir of the batch.
        painter: painter of the jobs.
        sharing: finds jobs of other processes.
        finished: the jobs that are known to be finished.
        total: number of jobs that belong to this process.
        failures: failed jobs with their error messages.
    """

    folder: str
    painter: JobPainter
    sharing: JobSharing
    finished: FinishedJobs
    total: int

    def __post_init__(self):
        self.failures: list[tuple[Job, str]] = []
        self._counts = collections.Counter()
        self._held: list[tuple[int, Job]] = []  # locked by other processes
        self._seconds = collections.deque(maxlen=20)  # durations of jobs

    def find_jobs(
        self, jobs: Sequence[Job], own_jobs: Sequence[Job]
    ) -> Iterator[tuple[int | None, Job]]:
        """Yields this process' jobs, then jobs that it takes over.

        Jobs of other processes are looked up late, when their state is up to
        date.

        Args:
            jobs: all jobs of the batch.
            own_jobs: jobs that belong to this process.

        Yields:
            The number of a job within this process, from 1, or None if the job
            belongs to another process; and the job.
        """
        self._counts["of other processes"] = len(jobs) - len(own_jobs)
        yield from enumerate(own_jobs, start=1)
        others, left = self.sharing.jobs_of_others(jobs)
        self._counts["of other processes"] -= len(others) + len(left)
        yield from ((None, job) for job in others)
        first = self.total + 1
        self.total += len(left)
        yield from enumerate(left, start=first)
        held, self._held = self._held, []
        yield from held

    def do(self, number: int | None, job: Job) -> None:
        """Runs a job, unless its picture is finished.

        Args:
            number: number of the job within this process, from 1; None if the
                job belongs to another process.
            job: the job.
        """
        place = f"[{number}/{self.total}] {_name(job)}"
        if number is None:
            place = f"[{job.place}, for another process] {_name(job)}"
        workdir = workdir_of(self.folder, job.output)
        signals = self.painter.signals
        start = time.monotonic()
        try:
            with raising_out_of_memory_errors():
                outcome = None
                if job not in self.finished:
                    outcome = self.painter.paint(job, workdir)
                    if not ((outcome and outcome.is_stopped) or signals.number):
                        self.finished.add(job)
        except WeightsError:
            raise  # the next job has the same weights
        except BusyError:
            if number is not None:
                self._held.append((number, job))
                logging.info("%s: another process is painting it", place)
        except TfstyleError as error:
            is_started = bool(self.painter.session.device)
            if isinstance(error, SetupError) and not is_started:
                raise  # it would affect every job
            # A signal may have ended a child process. The failure of another
            # process' job is reported there.
            if not signals.number and number is not None:
                reason = name_addresses(str(error) or repr(error))
                reason = one_line(reason, MAX_MESSAGE)
                self.failures.append((job, reason))
                logging.error("%s: failed: %s", place, reason)
        else:
            if outcome is None:
                is_counted = number is not None and not signals.number
                self._counts["finished before"] += is_counted
            elif outcome.is_stopped:
                logging.info("%s: stopped after %s", place, outcome.work)
            else:
                seconds = time.monotonic() - start
                self._log_done(number, place, outcome, seconds)
            return
        return_freed_memory()  # held by the error's traceback until here

    def log_summary(self, manifest: str) -> None:
        """Logs the number of jobs by outcome, and one line per failure."""
        counts = self._counts
        counts["failed"] = len(self.failures)
        counts["left to other processes"] = len(self._held)
        counts["left"] = self.total - sum(counts[x] for x in _OWN_OUTCOMES)
        shown = [
            f"{counts[outcome]} {outcome}"
            for outcome in _OUTCOMES
            if counts[outcome] or outcome == "done"
        ]
        logging.info("%s", ", ".join(shown))
        for job, reason in self.failures:
            logging.error(
                "%s %s, %s: %s", manifest, job.place, _name(job), reason
            )

    def _log_done(
        self, number: int | None, place: str, outcome: Outcome, seconds: float
    ) -> None:
        """Counts and logs a picture or film that was painted."""
        self._seconds.append(seconds)
        is_own = number is not None
        self._counts["done" if is_own else "done for other processes"] += 1
        logging.info(
            "%s: %s, %.1f s%s%s",
            place,
            outcome.work,
            seconds,
            outcome.loss,
            self._time_left(self.total - number if is_own else 0),
        )

    def _time_left(self, num_left: int) -> str:
        if not num_left:
            return ""
        # The median, as the first job starts TensorFlow and each new size
        # compiles.
        seconds = statistics.median(self._seconds) * num_left
        return f"; about {describe_time(seconds)} left"


def _name(job: Job) -> str:
    return one_line(job.output) if job.output else job.place
