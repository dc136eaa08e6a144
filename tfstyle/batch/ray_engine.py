"""Batch processing by Ray: each worker of a cluster paints line after line.

A worker is an actor: its process and GPU stay the same, so TensorFlow starts
once and networks, compiled steps and style targets are reused. (Ray reuses the
process of tasks too, but perhaps with another GPU.) A line whose worker dies is
given to another one, which continues from the last checkpoint.
"""

import collections
import contextlib
import logging as standard_logging
import os
import re
import secrets
import signal
import time
import traceback
from collections.abc import Collection
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any
from typing import NamedTuple

from absl import logging

import tfstyle
from tfstyle.batch.job_painter import JobPainter
from tfstyle.batch.job_painter import Outcome
from tfstyle.batch.job_painter import workdir_of
from tfstyle.batch.manifest import Job
from tfstyle.batch.tally import Tally
from tfstyle.batch.tally import name_of
from tfstyle.config.run_config import RunConfig
from tfstyle.errors import ClusterError
from tfstyle.errors import SetupError
from tfstyle.errors import TfstyleError
from tfstyle.errors import one_line
from tfstyle.errors import raising_write_errors
from tfstyle.experiment.session import Session
from tfstyle.reports import progress
from tfstyle.system.paths import is_address
from tfstyle.system.signals import StopSignals

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_DEDUP_LOGS_SKIP_REGEX", ".*")  # logs of dead nodes
try:
    import ray
    from ray.exceptions import ActorUnavailableError
    from ray.exceptions import RayError
except ImportError as error:
    raise SetupError(
        "`engine` ray needs Ray: pip install 'tfstyle[ray]'."
    ) from error

MAX_TRIES = 5
"""Number of workers that may die while they paint the same line."""
MAX_DEAD_STARTS = 20
"""Number of workers that may die as they start, one after another."""
SECONDS_BETWEEN_LOOKS = 0.5


class Needs(NamedTuple):
    """Resources of one worker."""

    num_cpus: int
    num_gpus: float

    @classmethod
    def choose(
        cls, config: RunConfig, nodes: Collection[Mapping[str, float]]
    ) -> "Needs":
        """Returns what the options say, or defaults for a cluster's nodes."""
        num_gpus = config.num_gpus
        if num_gpus is None:
            num_gpus = float(any(node.get("GPU") for node in nodes))
        most = max((int(node.get("CPU", 0)) for node in nodes), default=0)
        usual = 1 if num_gpus else min(2, most or 2)
        return cls(config.intra_op_threads or usual, num_gpus)

    def count_in(self, node: Mapping[str, float]) -> int:
        """Returns how many workers a node has room for."""
        number = int(node.get("CPU", 0) / self.num_cpus)
        if self.num_gpus:
            number = min(number, int(node.get("GPU", 0) / self.num_gpus + 1e-6))
        return number


class Report(NamedTuple):
    """What a worker returns for a line: result, seconds, warnings, device."""

    result: Outcome | TfstyleError | None
    seconds: float
    warnings: list[str]
    device: str


class Worker:
    """Actor that paints one line at a time, and answers `look` meanwhile."""

    def enter(self, arguments: tuple[Any, ...]) -> tuple[str, str, str]:
        """Prepares the worker in the driver's current folder.

        Returns:
            The id of its node, its name, and why it cannot be used, or "".
        """
        version, current, marker, folder, config, jobs, needs, verbose = (
            arguments
        )
        problem = _find_problem(version, current, marker)
        if not problem:
            if not needs.num_gpus:
                os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
            session = Session(verbose, num_threads=needs.num_cpus)
            self._folder = folder
            self._signals = StopSignals()  # set by `look` instead of a signal
            self._painter = JobPainter(config, jobs, session, self._signals)
            self._share = 0.0
        name = f"{os.uname().nodename}, process {os.getpid()}"
        return ray.get_runtime_context().get_node_id(), name, problem

    def paint(self, job: Job) -> Report:
        """Paints a line; a bug fails only this line and is logged."""
        start = time.monotonic()
        self._share = 0.0
        with (
            _collecting_warnings() as warnings,
            contextlib.ExitStack() as stack,
        ):
            if not job.values.get("content_video"):
                stack.enter_context(progress.reporting_to(self._set_share))
            try:
                workdir = workdir_of(self._folder, job.output)
                result = self._painter.attempt(job, workdir)
            except TfstyleError:
                raise
            except Exception as error:
                warnings.append(traceback.format_exc())
                result = TfstyleError(f"{type(error).__name__}: {error}")
        device = self._painter.session.device
        return Report(result, time.monotonic() - start, warnings, device)

    @ray.method(concurrency_group="control")
    def look(self, signal_number: int | None) -> float:
        """Returns the share of steps done; a signal's number stops the line."""
        self._signals.number = signal_number
        return self._share

    def _set_share(self, share: float) -> None:
        self._share = share


class _Task(NamedTuple):
    """A line to paint: its number from 1, the line, and how often tried."""

    number: int
    job: Job
    num_tries: int = 1


class _Pool:
    """Workers of a cluster, each of which starts or paints a line.

    Args:
        needs: resources of one worker.
        arguments: reference to the arguments of `Worker.enter`.
        tally: counts the outcomes.
        signals: stop signals, which end every line at its next step.
    """

    def __init__(self, needs, arguments, tally: Tally, signals: StopSignals):
        self._needs = needs
        self._arguments = arguments
        self._tally = tally
        self._signals = signals
        self._queue: collections.deque[_Task] = collections.deque()
        self._work: dict[Any, tuple[Any, _Task | None]] = {}
        self._refused: list[tuple[str, Any]] = []  # keep their places
        self._devices: set[str] = set()
        self._num_dead_starts = 0
        self._has_room = True

    def paint(self, jobs: Sequence[Job], bar: progress.BatchProgress) -> None:
        """Paints all lines; those that others have locked again at the end."""
        tally = self._tally
        self._queue.extend(map(_Task, range(1, len(jobs) + 1), jobs))
        is_first_round = True
        while not self._signals.number and (self._queue or is_first_round):
            self._paint_queue(bar)
            if is_first_round and not self._signals.number:
                self._queue.extend(_Task(*held) for held in tally.held)
                tally.held = []
            is_first_round = False

    def _paint_queue(self, bar: progress.BatchProgress) -> None:
        while self._queue or self._painting():
            self._adjust_workers()
            ready, _ = ray.wait([*self._work], timeout=SECONDS_BETWEEN_LOOKS)
            for reference in ready:
                self._handle(reference, *self._work.pop(reference))
            if self._signals.number:
                self._queue.clear()
            tally, shares = self._tally, self._look()
            tally.num_workers = max(1, len(self._painting()))
            bar.show(tally.num_settled, tally.counts["done"], sum(shares))

    def _painting(self) -> list[Any]:
        return [worker for worker, task in self._work.values() if task]

    def _adjust_workers(self) -> None:
        """Asks for as many workers as there is room for, and as many again.

        The latter start when the cluster grows; to an autoscaler they are the
        demand. No more workers than lines are asked for.
        """
        needs = self._needs
        room = sum(map(needs.count_in, _find_nodes().values()))
        if self._has_room and not room:
            gpus = f" and {needs.num_gpus:g} GPU" if needs.num_gpus else ""
            logging.warning(
                "warning: no node has %d CPU%s yet; waiting for one. The flags"
                " --intra_op_threads and --num_gpus ask for less",
                needs.num_cpus,
                gpus,
            )
        self._has_room = bool(room)
        num_lines = len(self._queue) + len(self._painting())
        wanted = 0 if self._signals.number else min(num_lines, 2 * room + 1)
        for reference, (worker, task) in [*self._work.items()]:
            if not task and len(self._work) > wanted:
                del self._work[reference]
                ray.kill(worker)
        while len(self._work) < wanted:
            worker = _Actor.options(**needs._asdict()).remote()
            entering = worker.enter.remote(self._arguments)
            self._work[entering] = worker, None

    def _handle(self, reference, worker, task: _Task | None) -> None:
        """Handles the end of a start or of a line; gives the next line."""
        try:
            value = ray.get(reference)
        except RayError as error:
            if isinstance(getattr(error, "cause", None), TfstyleError):
                raise error.cause from None  # concerns every line
            self._handle_death(worker, task, error)
            return
        if task:
            self._record(task, value)
        elif not self._is_usable(worker, *value):
            return
        if not self._queue:
            ray.kill(worker)
            return
        task = self._queue.popleft()
        name = f"{task.job.place}: {name_of(task.job)}"
        painting = worker.paint.options(name=name).remote(task.job)
        self._work[painting] = worker, task

    def _is_usable(self, worker, node: str, name: str, problem: str) -> bool:
        """True if a new worker can paint; if not, it keeps its place.

        Raises:
            SetupError: if the same is true of all nodes.
        """
        self._num_dead_starts = 0
        logging.info("%s: %s", name, problem or "ready")
        if problem:
            self._refused.append((node, worker))
            nodes = _find_nodes()
            rest = {x for x in nodes if self._needs.count_in(nodes[x])}
            if not rest - {node for node, _ in self._refused}:
                raise SetupError(f"No node can paint: {problem}")
        return not problem

    def _handle_death(self, worker, task: _Task | None, error) -> None:
        """Retries the line of a dead worker, up to MAX_TRIES times."""
        ray.kill(worker)  # perhaps it is only out of reach
        text = str(error)
        found = re.search(r"(?m)because (its .*?)(\. |$)", text)
        reason = one_line(found[1] if found else text.strip().split("\n")[-1])
        if isinstance(error, ActorUnavailableError):
            reason = "its worker is out of reach"
        if self._signals.number:
            return
        if task is None:
            self._num_dead_starts += 1
            if self._num_dead_starts == MAX_DEAD_STARTS:
                raise ClusterError(
                    f"Ray's workers die as they start ({reason}). See the logs"
                    " in Ray's dashboard."
                )
            return
        number, job, num_tries = task
        place = f"{job.place}, {name_of(job)}"
        if num_tries == MAX_TRIES:
            failure = ClusterError(f"{reason}, {MAX_TRIES} times.")
            self._record(task, Report(failure, 0.0, [], ""))
            return
        num_tries += 1
        logging.warning(
            "%s: %s; try %d of %d", place, reason, num_tries, MAX_TRIES
        )
        self._queue.appendleft(_Task(number, job, num_tries))

    def _record(self, task: _Task, report: Report) -> None:
        """Logs and counts the result of a line."""
        job = task.job
        if report.device not in {*self._devices, ""}:
            self._devices.add(report.device)
            logging.info("%s", report.device)
        for warning in report.warnings:
            logging.warning("%s, %s: %s", job.place, name_of(job), warning)
        is_stopping = bool(self._signals.number)
        self._tally.record(
            task.number, job, report.result, report.seconds, is_stopping
        )

    def _look(self) -> list[float]:
        """Returns the workers' shares of steps done; passes on a signal."""
        looks = [w.look.remote(self._signals.number) for w in self._painting()]
        if not looks:
            return []
        ready, _ = ray.wait(looks, num_returns=len(looks), timeout=1)
        shares = []
        for reference in ready:
            with contextlib.suppress(RayError):  # handled with its line
                shares.append(ray.get(reference))
        return shares


_Actor = ray.remote(concurrency_groups={"control": 1}, max_restarts=0)(Worker)


def paint_all(config: RunConfig, jobs: Sequence[Job], folder: str) -> int:
    """Paints all lines of a manifest on a Ray cluster.

    Args:
        config: default options for all lines.
        jobs: the lines.
        folder: the workdir of the batch.

    Returns:
        The exit status: 128 plus the number of the signal that ended the
        batch, else 1 if any picture failed, else 0.

    Raises:
        ClusterError: if the cluster cannot be reached, or is lost.
        SetupError: if no worker can be used.
        WeightsError: if the weights, shared by all lines, cannot be loaded.
    """
    tally = Tally(len(jobs))
    with _connected(), _marking(folder) as marker, StopSignals() as signals:
        needs = Needs.choose(config, _find_nodes().values())
        driver = (tfstyle.__version__, os.getcwd(), marker, folder)
        verbose = logging.get_verbosity() > 0
        arguments = ray.put((*driver, config, jobs, needs, verbose))
        with progress.BatchProgress(len(jobs)) as bar:
            _Pool(needs, arguments, tally, signals).paint(jobs, bar)
        tally.log_summary(config.manifest or "")
    if signals.number:
        return 128 + signals.number
    return 1 if tally.failures else 0


@contextlib.contextmanager
def _connected() -> Iterator[None]:
    """Joins a Ray cluster as Ray finds it, or starts one on this machine."""
    is_ours = not ray.is_initialized()
    try:
        if is_ours:
            # Inherited by a cluster that starts here, as `timeout` and others
            # signal the whole process group: lines are saved first.
            mask = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
            ray.init(log_to_driver=False, logging_level=standard_logging.ERROR)
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        yield
    except (RayError, ConnectionError, ValueError) as error:
        raise ClusterError(
            f"Ray's cluster cannot be reached ({one_line(str(error))}). Check"
            " RAY_ADDRESS; without it and a running cluster, one is started."
        ) from error
    finally:
        if is_ours:
            ray.shutdown()


@contextlib.contextmanager
def _marking(folder: str) -> Iterator[str]:
    """Yields a file in the workdir, which workers see if they share its disk.

    The file is removed at the end. "" if the workdir is an address.
    """
    if is_address(folder):
        yield ""
        return
    path = os.path.join(folder, f".ray-{secrets.token_hex(8)}")
    with raising_write_errors(f"The workdir {folder!r}"):
        os.makedirs(folder, exist_ok=True)
        open(path, "x").close()
    try:
        yield path
    finally:
        with contextlib.suppress(OSError):
            os.remove(path)


def _find_problem(version: str, current: str, marker: str) -> str:
    """Enters the driver's folder; returns why this node cannot paint, or ""."""
    if version != tfstyle.__version__:
        return (
            f"it has tfstyle {tfstyle.__version__}, but the program is"
            f" {version}. Install the same on all nodes."
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


def _find_nodes() -> dict[str, dict[str, float]]:
    """Returns the resources of the nodes that are alive, by their ids."""
    return {x["NodeID"]: x["Resources"] for x in ray.nodes() if x["Alive"]}


@contextlib.contextmanager
def _collecting_warnings() -> Iterator[list[str]]:
    """Yields a list of the warnings and errors logged in the block."""
    messages: list[str] = []
    handler = standard_logging.Handler(standard_logging.WARNING)
    handler.emit = lambda record: messages.append(record.getMessage())
    logger = logging.get_absl_logger()
    logger.addHandler(handler)
    try:
        yield messages
    finally:
        logger.removeHandler(handler)
