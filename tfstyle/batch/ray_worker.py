"""Worker of a batch on Ray: paints lines, one at a time."""

import contextlib
import logging as standard_logging
import os
import time
import traceback
from collections.abc import Iterator
from typing import Any
from typing import NamedTuple

from absl import logging

from tfstyle.batch.job_painter import JobPainter
from tfstyle.batch.job_painter import Outcome
from tfstyle.batch.manifest import Job
from tfstyle.errors import TfstyleError
from tfstyle.experiment.session import Session
from tfstyle.reports import progress
from tfstyle.system.remote_files import name_addresses
from tfstyle.system.signals import StopSignals
from tfstyle.version import __version__


class Report(NamedTuple):
    """What a worker returns for a line.

    Attributes:
        result: outcome or error; None if the picture was finished before.
        seconds: duration.
        warnings: messages that were logged.
        device: description of TensorFlow's device; empty before its start.
    """

    result: Outcome | TfstyleError | None
    seconds: float = 0.0
    warnings: tuple[str, ...] = ()
    device: str = ""


class Worker:
    """Actor of Ray, whose session keeps TensorFlow and networks.

    `look` is called by another thread during `paint`.
    """

    def enter(self, arguments: tuple[Any, ...]) -> tuple[str, str, str]:
        """Prepares the worker in the driver's current folder.

        Returns:
            The id of its node, its name, and why it cannot be used, or "".
        """
        import ray

        driver, folder, config, jobs, needs, verbose = arguments
        problem = find_problem(*driver)
        if not problem:
            if not needs.num_gpus:
                os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
            session = Session(verbose, num_threads=needs.num_cpus)
            self._signals = StopSignals()  # set by `look` instead of a signal
            self._painter = JobPainter(
                config, jobs, folder, session, self._signals
            )
            self._share = 0.0
        name = f"{os.uname().nodename}, process {os.getpid()}"
        return ray.get_runtime_context().get_node_id(), name, problem

    def paint(self, job: Job) -> Report:
        """Paints a line; a bug fails only this line and is logged.

        Raises:
            SetupError: if TensorFlow cannot start.
            WeightsError: if the weights cannot be loaded.
        """
        start = time.monotonic()
        self._share = 0.0
        is_film = bool(job.values.get("content_video"))  # of many runs
        listener = _ignore if is_film else self._set_share
        with (
            _collecting_warnings() as warnings,
            progress.reporting_to(listener),
        ):
            try:
                result = self._painter.paint(job)
            except TfstyleError:
                raise
            except Exception as error:
                warnings.append(traceback.format_exc())
                result = TfstyleError(f"{type(error).__name__}: {error}")
        seconds = time.monotonic() - start
        return Report(
            result, seconds, tuple(warnings), self._painter.session.device
        )

    def look(self, signal_number: int | None) -> float:
        """Returns the share of steps done; a signal's number stops the line."""
        self._signals.number = signal_number
        return self._share

    def _set_share(self, share: float) -> None:
        self._share = share


def _ignore(share: float) -> None:
    """Ignores the progress of a part."""


def find_problem(version: str, current: str, marker: str) -> str:
    """Enters the driver's folder; returns why this node cannot paint, or "".

    Args:
        version: version of the driver's tfstyle.
        current: current folder of the driver.
        marker: a file in the batch's workdir; "" if that is an address, so that
            no folder need be shared.
    """
    if version != __version__:
        return (
            f"it has tfstyle {__version__}, but the program is {version}."
            " Install the same version on all nodes."
        )
    if marker:
        with contextlib.suppress(OSError):
            os.chdir(current)
        if not os.path.exists(marker):
            return (
                f"it does not see the workdir of the batch from {current!r}."
                " Start the batch on a disk that all nodes share."
            )
    return ""


@contextlib.contextmanager
def _collecting_warnings() -> Iterator[list[str]]:
    """Yields a list of the warnings and errors logged in the block."""
    messages: list[str] = []
    handler = standard_logging.Handler(standard_logging.WARNING)
    handler.emit = lambda record: messages.append(
        name_addresses(record.getMessage())
    )
    logger = logging.get_absl_logger()
    logger.addHandler(handler)
    try:
        yield messages
    finally:
        logger.removeHandler(handler)
