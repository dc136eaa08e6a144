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
from collections.abc import Collection
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any
from typing import NamedTuple

from absl import logging

from tfstyle.batch.manifest import Job
from tfstyle.batch.ray_worker import Report
from tfstyle.batch.ray_worker import Worker
from tfstyle.batch.tally import Tally
from tfstyle.batch.tally import name_of
from tfstyle.config.run_config import RunConfig
from tfstyle.errors import ClusterError
from tfstyle.errors import SetupError
from tfstyle.errors import TfstyleError
from tfstyle.errors import one_line
from tfstyle.errors import raising_write_errors
from tfstyle.experiment.run_directory import BusyError
from tfstyle.reports.progress import BatchProgress
from tfstyle.system.paths import is_address
from tfstyle.system.signals import StopSignals
from tfstyle.version import __version__

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
        driver = (__version__, os.getcwd(), marker)
        verbose = logging.get_verbosity() > 0
        arguments = ray.put((driver, folder, config, jobs, needs, verbose))
        with BatchProgress(len(jobs)) as bar:
            _Pool(needs, arguments, tally, signals).paint(jobs, bar)
        tally.log_summary(config.manifest or "")
    if signals.number:
        return 128 + signals.number
    return 1 if tally.failures else 0


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


class _Task(NamedTuple):
    """A line to paint: its number from 1, the line, and which try it is."""

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
        self._shares = 0.0
        self._num_dead_starts = 0
        self._has_room = True

    def paint(self, jobs: Sequence[Job], bar: BatchProgress) -> None:
        """Paints all lines, or stops cleanly at a signal."""
        tally = self._tally
        self._queue.extend(map(_Task, range(1, len(jobs) + 1), jobs))
        while self._queue or self._painting():
            self._adjust_workers()
            ready, _ = ray.wait([*self._work], timeout=SECONDS_BETWEEN_LOOKS)
            for reference in ready:
                self._handle(reference, *self._work.pop(reference))
            self._look()
            if self._signals.number:
                self._queue.clear()
            tally.num_workers = max(1, len(self._painting()))
            bar.show(tally.num_settled, tally.counts["done"], self._shares)

    def _painting(self) -> list[Any]:
        return [worker for worker, task in self._work.values() if task]

    def _adjust_workers(self) -> None:
        """Asks for as many workers as there is room for, and as many again.

        The latter start when the cluster grows; to an autoscaler they are the
        demand. No more workers than lines are asked for.
        """
        room = sum(map(self._needs.count_in, _find_nodes().values()))
        if self._has_room and not room:
            logging.warning(
                "warning: no node has %d CPU and %g GPU yet; waiting for one",
                *self._needs,
            )
        self._has_room = bool(room)
        num_lines = len(self._queue) + len(self._painting())
        wanted = min(num_lines, 2 * room + 1)
        for reference, (worker, task) in [*self._work.items()]:
            if not task and len(self._work) > wanted:
                del self._work[reference]
                ray.kill(worker)
        while len(self._work) < wanted:
            worker = _Actor.options(**self._needs._asdict()).remote()
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
            SetupError: if no node is left.
        """
        self._num_dead_starts = 0
        logging.info("%s: %s", name, problem or "ready")
        if problem:
            self._refused.append((node, worker))
            nodes = _find_nodes()
            others = nodes.keys() - {node for node, _ in self._refused}
            if not any(self._needs.count_in(nodes[node]) for node in others):
                raise SetupError(f"No node can paint: {problem}")
        return not problem

    def _handle_death(self, worker, task: _Task | None, error) -> None:
        """Retries the line of a dead worker, or fails it after MAX_TRIES."""
        ray.kill(worker)  # perhaps it is only out of reach
        reason = _describe(error)
        if task and not self._retry(task, reason):
            failure = ClusterError(f"{reason}, {MAX_TRIES} times.")
            self._record(task, Report(failure))
        self._num_dead_starts += not task
        if self._num_dead_starts == MAX_DEAD_STARTS:
            raise ClusterError(
                f"Ray's workers die as they start ({reason}). See their logs in"
                " Ray's dashboard."
            )

    def _retry(self, task: _Task, reason: str) -> bool:
        """Puts a line back into the queue; False if it was tried enough."""
        number, job, num_tries = task
        if num_tries == MAX_TRIES or self._signals.number:
            return False
        self._queue.append(_Task(number, job, num_tries + 1))
        logging.warning(
            "%s, %s: %s; try %d of %d",
            *(job.place, name_of(job), reason, num_tries + 1, MAX_TRIES),
        )
        return True

    def _record(self, task: _Task, report: Report) -> None:
        """Logs and counts the result of a line."""
        number, job, _ = task
        result, seconds, warnings, device = report
        for warning in warnings:
            logging.warning("%s, %s: %s", job.place, name_of(job), warning)
        self._tally.log_device(device)
        is_busy = isinstance(result, BusyError)
        if is_busy and self._retry(task, "another process is painting it"):
            return
        is_stopping = bool(self._signals.number)
        self._tally.record(number, job, result, seconds, is_stopping)

    def _look(self) -> None:
        """Sums up the shares of steps done; passes on a signal."""
        number = self._signals.number
        looks = [
            worker.look.options(concurrency_group="control").remote(number)
            for worker in self._painting()
        ]
        if looks:
            ready, _ = ray.wait(looks, num_returns=len(looks), timeout=1)
            with contextlib.suppress(RayError):  # handled with its line
                self._shares = sum(ray.get(ready))


def _describe(error: RayError) -> str:
    """Returns why a worker is lost, in a few words."""
    if isinstance(error, ActorUnavailableError):
        return "its worker is out of reach"
    text = str(error).strip()
    found = re.search(r"(?m)because (its .*?)(\. |$)", text)
    return one_line(found[1] if found else text.split("\n")[-1])


def _find_nodes() -> dict[str, dict[str, float]]:
    """Returns the resources of the nodes that are alive, by their ids."""
    return {x["NodeID"]: x["Resources"] for x in ray.nodes() if x["Alive"]}


@contextlib.contextmanager
def _connected() -> Iterator[None]:
    """Joins a Ray cluster as Ray finds it, or starts one on this machine.

    SIGTERM is blocked in a cluster that starts here: `timeout` and others
    signal the whole process group, but the workers' pictures are saved first.

    Raises:
        ClusterError: if it cannot be reached, or is lost.
    """
    is_ours = not ray.is_initialized()
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    try:
        if is_ours:
            ray.init(log_to_driver=False, logging_level=standard_logging.ERROR)
    except (RayError, ConnectionError, ValueError, RuntimeError) as error:
        raise ClusterError(
            f"Ray's cluster cannot be reached ({one_line(str(error))}). Check"
            " RAY_ADDRESS; if it is unset, a cluster is found or started."
        ) from error
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    try:
        yield
    except RayError as error:
        raise ClusterError(
            f"Ray's cluster is lost ({one_line(str(error))}). The same command"
            " continues the batch."
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
