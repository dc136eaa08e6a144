"""Batch processing: paints the lines of a manifest, one after another.

TensorFlow is loaded once; networks, compiled steps and Gram sums of styles are
cached. In a cluster of W processes no process waits for another: job i belongs
to process i mod W, and a process that has finished its own jobs takes over
others. A job that is locked by another process is retried once, at the end.
"""

import dataclasses
import os
import time
from collections.abc import Iterator
from collections.abc import Sequence

from absl import logging

from tfstyle.batch.job_painter import JobPainter
from tfstyle.batch.job_sharing import JobSharing
from tfstyle.batch.manifest import Job
from tfstyle.batch.manifest import read_manifest
from tfstyle.batch.tally import Tally
from tfstyle.config.run_config import RunConfig
from tfstyle.distributed import environment
from tfstyle.errors import ConfigError
from tfstyle.experiment.session import Session
from tfstyle.system.signals import StopSignals


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
    own = environment.ALONE
    if config.engine != "ray":
        own = environment.find_shard(config.shard, config.strategy)
    if config.strategy == "auto":
        config = dataclasses.replace(config, strategy="one_device")
    name = os.path.splitext(os.path.basename(config.manifest))[0]
    folder = config.workdir or os.path.join("runs", name)
    folder = folder.rstrip("/") or folder
    logging.info(
        "%d pictures of %s, workdir %s", len(jobs), config.manifest, folder
    )
    if config.engine == "ray":
        from tfstyle.batch import ray_engine

        return ray_engine.paint_all(config, jobs, folder)
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
        painter = JobPainter(config, jobs, folder, session, signals)
        tally = Tally(len(own_jobs))
        batch = _Batch(painter, sharing, tally)
        for number, job in batch.find_jobs(jobs, own_jobs):
            if signals.number:
                break
            batch.do(number, job)
        tally.log_summary(config.manifest)
    if signals.number:
        return 128 + signals.number
    return 1 if tally.failures else 0


@dataclasses.dataclass
class _Batch:
    """Runs jobs, one after another.

    Attributes:
        painter: painter of the jobs.
        sharing: finds jobs of other processes.
        tally: counts the outcomes.
    """

    painter: JobPainter
    sharing: JobSharing
    tally: Tally

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
        tally = self.tally
        tally.counts["of other processes"] = len(jobs) - len(own_jobs)
        yield from enumerate(own_jobs, start=1)
        others, left = self.sharing.jobs_of_others(jobs)
        tally.counts["of other processes"] -= len(others) + len(left)
        yield from ((None, job) for job in others)
        first = tally.total + 1
        tally.total += len(left)
        yield from enumerate(left, start=first)
        held, tally.held = tally.held, []
        yield from held

    def do(self, number: int | None, job: Job) -> None:
        """Runs a job, unless its picture is finished.

        Args:
            number: number of the job within this process, from 1; None if the
                job belongs to another process.
            job: the job.
        """
        start = time.monotonic()
        result = self.painter.paint(job)
        seconds = time.monotonic() - start
        is_stopping = bool(self.painter.signals.number)
        self.tally.record(number, job, result, seconds, is_stopping)
