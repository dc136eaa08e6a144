"""Tally of a batch: logs the outcome of each job and counts them."""

import collections
import statistics

from absl import logging

from tfstyle.batch.job_painter import Outcome
from tfstyle.batch.manifest import Job
from tfstyle.errors import TfstyleError
from tfstyle.errors import one_line
from tfstyle.experiment.run_directory import BusyError
from tfstyle.system.loop_progress import describe_time

MAX_MESSAGE = 1000
_OUTCOMES = (
    *("done", "done for other processes", "finished before", "failed"),
    *("left to other processes", "left", "of other processes"),
)
"""Outcomes of jobs, in the order of the summary."""
_OWN_OUTCOMES = ("done", "finished before", "failed", "left to other processes")
"""Outcomes that are not "left" of this process' jobs."""


class Tally:
    """Logs and counts the outcomes of jobs.

    Args:
        total: number of jobs that belong to this process.

    Attributes:
        total: the same.
        num_workers: number of jobs that are painted at once.
        counts: number of jobs by outcome.
        failures: failed jobs with their error messages.
        held: numbers and jobs that other processes have locked.
    """

    def __init__(self, total: int):
        self.total = total
        self.num_workers = 1
        self.counts = collections.Counter[str]()
        self.failures: list[tuple[Job, str]] = []
        self.held: list[tuple[int, Job]] = []
        self._devices = {""}
        self._seconds = collections.deque[float](maxlen=20)  # of jobs

    @property
    def num_settled(self) -> int:
        """Number of this process' jobs that are done, finished or failed."""
        counts = self.counts
        return counts["done"] + counts["finished before"] + len(self.failures)

    def log_device(self, device: str) -> None:
        """Logs the description of a device, once."""
        if device not in self._devices:
            self._devices.add(device)
            logging.info("%s", device)

    def record(
        self,
        number: int | None,
        job: Job,
        result: Outcome | TfstyleError | None,
        seconds: float,
        is_stopping: bool,
    ) -> None:
        """Logs and counts the result of one job.

        Args:
            number: number of the job within this process, from 1; None if the
                job belongs to another process.
            job: the job.
            result: its outcome or error; None if it was finished before, or
                not started because a signal had arrived.
            seconds: its duration.
            is_stopping: True if a signal has arrived.
        """
        place = f"[{number}/{self.total}] {name_of(job)}"
        if number is None:
            place = f"[{job.place}, for another process] {name_of(job)}"
        is_counted = number is not None and not is_stopping
        if isinstance(result, BusyError):
            if number is not None:
                self.held.append((number, job))
                logging.info("%s: another process is painting it", place)
        elif isinstance(result, TfstyleError):
            # A signal may have ended a child process. The failure of another
            # process' job is reported there.
            if is_counted:
                reason = one_line(str(result) or repr(result), MAX_MESSAGE)
                self.failures.append((job, reason))
                logging.error("%s: failed: %s", place, reason)
        elif result is None:
            self.counts["finished before"] += is_counted
        elif result.is_stopped:
            logging.info("%s: stopped after %s", place, result.work)
        else:
            self._log_done(number, place, result, seconds)

    def log_summary(self, manifest: str) -> None:
        """Logs the number of jobs by outcome, and one line per failure."""
        counts = self.counts
        counts["failed"] = len(self.failures)
        counts["left to other processes"] = len(self.held)
        counts["left"] = self.total - sum(counts[x] for x in _OWN_OUTCOMES)
        shown = [
            f"{counts[outcome]} {outcome}"
            for outcome in _OUTCOMES
            if counts[outcome] or outcome == "done"
        ]
        logging.info("%s", ", ".join(shown))
        for job, reason in self.failures:
            logging.error(
                "%s %s, %s: %s", manifest, job.place, name_of(job), reason
            )

    def _log_done(
        self, number: int | None, place: str, outcome: Outcome, seconds: float
    ) -> None:
        """Counts and logs a picture or film that was painted."""
        self._seconds.append(seconds)
        is_own = number is not None
        self.counts["done" if is_own else "done for other processes"] += 1
        logging.info(
            "%s: %s, %.1f s%s%s",
            place,
            outcome.work,
            seconds,
            outcome.loss,
            self._time_left() if is_own else "",
        )

    def _time_left(self) -> str:
        num_left = self.total - self.num_settled - len(self.held)
        if not num_left:
            return ""
        # The median, as the first job starts TensorFlow and each new size
        # compiles.
        seconds = statistics.median(self._seconds) * num_left
        return f"; about {describe_time(seconds / self.num_workers)} left"


def name_of(job: Job) -> str:
    """Returns the output of a job, or its place if the output is missing."""
    return one_line(job.output) if job.output else job.place
