"""The job queue of the studio, and the worker process that paints.

Every job is stored in the workdir of its run, so that it survives a restart.
"""

import collections
import contextlib
import dataclasses
import json
import os
import signal
import subprocess
import threading
import time

from tfstyle.config import lines
from tfstyle.errors import SetupError
from tfstyle.errors import raising_write_errors
from tfstyle.experiment import run_directory
from tfstyle.experiment.workdir_files import ASKED
from tfstyle.experiment.workdir_files import JOB
from tfstyle.experiment.workdir_files import NOTES
from tfstyle.flags.values import FIELDS
from tfstyle.studio.runs import Run
from tfstyle.studio.runs import find_run
from tfstyle.system import atomic_file
from tfstyle.system.interpreter import describe_end
from tfstyle.system.interpreter import start_python

WORKER = "tfstyle.studio.painter"


def options_of_process(arguments: list[str]) -> list[str]:
    """Returns the flags that apply to all runs of a worker process."""
    return [
        argument
        for argument in arguments
        if (field := FIELDS.get(argument[2:].partition("=")[0]))
        and field.metadata["of_batch"]
    ]


@dataclasses.dataclass
class Job:
    """A picture or film to paint.

    Attributes:
        workdir: the workdir of the run.
        arguments: flags of the command line, without the workdir.
        state: `waiting`, `painting`, `done`, `stopped`, or `failed`.
        error: error message, one line; empty unless failed.
        is_stopping: True once a stop was requested.
        has_begun: True once the worker handles signals for this job.
    """

    workdir: str
    arguments: list[str]
    state: str = "waiting"
    error: str = ""
    is_stopping: bool = False
    has_begun: bool = False

    @property
    def name(self) -> str:
        """Name of the run: the workdir, without its path."""
        return os.path.basename(self.workdir)

    @property
    def is_film(self) -> bool:
        """True if the job paints a film; one that is closed is resumed."""
        return any(x.startswith("--content_video=") for x in self.arguments)

    @property
    def has_ended(self) -> bool:
        """True if the job is done, stopped or failed."""
        return self.state not in ("waiting", "painting")


def _mark_unfinished(workdir: str) -> None:
    """Writes the file by which the next studio finds a job.

    The next studio paints in the order of these files' times.
    """
    atomic_file.write_text(os.path.join(workdir, JOB), "{}")


def _set_place(workdir: str, moment: int) -> None:
    """Sets the time of a job's file, nanoseconds, if there is one."""
    with contextlib.suppress(OSError):
        os.utime(os.path.join(workdir, JOB), ns=(moment, moment))


def _place_of(workdir: str) -> tuple[int, str]:
    """Returns what orders workdirs by the time of their job's file."""
    try:
        return os.stat(os.path.join(workdir, JOB)).st_mtime_ns, workdir
    except OSError:
        return 0, workdir


class Jobs:
    """A job queue that paints one job at a time in a worker process.

    Unfinished jobs of an earlier studio are resumed.

    Args:
        root: the folder of runs; created if missing.

    Raises:
        WriteError: if the folder is not writable.
    """

    def __init__(self, root: str):
        self._root = root
        self._jobs: dict[str, Job] = {}
        self._queue: collections.deque[Job] = collections.deque()
        self._changed = threading.Condition()
        self._worker: subprocess.Popen | None = None
        self._options: list[str] = []
        self._holds = 0
        self._is_closed = False
        with raising_write_errors(root):
            os.makedirs(root, exist_ok=True)
        workdirs = [os.path.join(root, name) for name in os.listdir(root)]
        for workdir in sorted(workdirs, key=_place_of):
            self._take_up(workdir)
        self._start_worker([])  # TensorFlow takes a while
        self._thread = threading.Thread(target=self._paint_all, daemon=True)
        self._thread.start()

    def unfinished(self) -> list[Job]:
        """Returns the job that is painting and the waiting ones, in order."""
        with self._changed:
            painting = (j for j in self._jobs.values() if j.state == "painting")
            return [*painting, *self._queue]

    def num_before(self, job: Job) -> int:
        """Returns the number of jobs ahead of a waiting job."""
        jobs = self.unfinished()
        return jobs.index(job) if job in jobs else 0

    def find(self, name: str | None) -> Job | None:
        """Returns the job of a run, or None if this studio has none."""
        return self._jobs.get(name or "")

    def place_of(self, job: Job) -> int:
        """Returns the place of a job in the queue; 0 if it does not wait."""
        with self._changed:
            return self._queue.index(job) if job in self._queue else 0

    @contextlib.contextmanager
    def holding(self):
        """Begins no job during a block, such as while one is replaced."""
        with self._changed:
            self._holds += 1
        try:
            yield
        finally:
            with self._changed:
                self._holds -= 1
                self._changed.notify_all()

    def submit(self, arguments: list[str], place: int | None = None) -> Job:
        """Adds a job to the queue and returns it; creates its workdir.

        Args:
            arguments: flags of the command line, without the workdir.
            place: its place in the queue; None: the last.

        Raises:
            WriteError: if the workdir cannot be written.
        """
        asked = [f"{lines.write_line(x, FIELDS)}\n" for x in arguments]
        with raising_write_errors(self._root):
            workdir = run_directory.make_new_folder(self._root)
            for name, text in ((ASKED, "".join(asked)), (JOB, "{}")):
                atomic_file.write_text(os.path.join(workdir, name), text)
        job = Job(workdir, arguments)
        self._add(job)
        if place is not None:
            self.move(job, place - self.place_of(job))
        return job

    def stop(self, job: Job) -> None:
        """Stops a job; a running one keeps its latest picture."""
        with self._changed:
            if job.state == "painting":
                self._interrupt(job)
            elif job.state == "waiting":
                self._queue.remove(job)
                job.state = "stopped"
                os.unlink(os.path.join(job.workdir, JOB))
                names = set(os.listdir(job.workdir))
                if names <= {ASKED, NOTES}:  # no film to go on with
                    for name in names:
                        os.unlink(os.path.join(job.workdir, name))
                    os.rmdir(job.workdir)

    def move(self, job: Job, places: int) -> None:
        """Moves a waiting job in the queue.

        Args:
            job: the job; nothing happens if it does not wait.
            places: number of places, negative to paint it earlier.
        """
        with self._changed:
            if job in self._queue:
                place = max(0, self._queue.index(job) + places)
                self._queue.remove(job)
                self._queue.insert(place, job)
                now = time.time_ns()
                for number, waiting in enumerate(self._queue):
                    _set_place(waiting.workdir, now + number)

    def resume(self, name: str) -> None:
        """Adds the job of a film that was stopped to the queue again.

        Raises:
            WriteError: if the workdir cannot be written.
        """
        job = self.find(name)
        run = find_run(self._root, name)
        is_free = job is None or job.has_ended
        if run is not None and run.is_resumable and is_free:
            with raising_write_errors(run.workdir):
                _mark_unfinished(run.workdir)
            self._take_up(run.workdir)

    def wait(self, job: Job, seconds: float) -> bool:
        """Waits for a job to end; True if it ended within the timeout."""
        with self._changed:
            return self._changed.wait_for(lambda: job.has_ended, seconds)

    def interrupt(self) -> None:
        """Stops the running job and starts no other."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
            for job in self._jobs.values():
                if job.state == "painting":
                    self._interrupt(job)

    def close(self) -> None:
        """Stops the running job and the worker; waiting jobs stay on disk."""
        self.interrupt()
        self._thread.join()  # returns once the worker has answered
        self._end_worker()

    def _interrupt(self, job: Job) -> None:
        if job.is_stopping:
            return  # a second signal would lose the picture
        job.is_stopping = True
        if job.has_begun:
            self._worker.send_signal(signal.SIGINT)

    def _take_up(self, workdir: str) -> None:
        """Adds the unfinished job of a workdir, if there is one."""
        files = [os.path.join(workdir, name) for name in (JOB, ASKED)]
        if all(map(os.path.isfile, files)):
            self._add(Job(workdir, Run(workdir).arguments))

    def _add(self, job: Job) -> None:
        with self._changed:
            self._jobs.pop(job.name, None)  # it goes to the end
            self._jobs[job.name] = job
            self._queue.append(job)
            self._changed.notify_all()

    def _paint_all(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(
                    lambda: (self._queue and not self._holds) or self._is_closed
                )
                if self._is_closed:
                    return
                job = self._queue.popleft()
                job.state = "painting"
            answer = self._ask(job)
            with contextlib.suppress(OSError):  # the worker removes it first
                os.unlink(os.path.join(job.workdir, JOB))
            if self._is_closed and job.is_film and answer["state"] == "stopped":
                with contextlib.suppress(OSError):
                    _mark_unfinished(job.workdir)
                    _set_place(job.workdir, 0)  # it goes on first
            with self._changed:
                job.state = answer["state"]
                job.error = answer.get("error", "")
                self._changed.notify_all()

    def _start_worker(self, options: list[str]) -> None:
        """Starts the worker process, unless it runs with these options."""
        if self._worker is not None:
            if self._worker.poll() is None and self._options == options:
                return
            self._end_worker()
        self._options = options
        self._worker = start_python(
            ["-m", WORKER, self._root, *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # the studio handles Ctrl-C
        )

    def _end_worker(self) -> None:
        """Ends the worker process, which has no job or is still starting."""
        self._worker.kill()
        self._worker.wait()
        with contextlib.suppress(OSError):  # a job that it never read
            self._worker.stdin.close()
        self._worker.stdout.close()

    def _ask(self, job: Job) -> dict:
        """Sends a job to the worker and returns its answer."""
        try:
            with self._changed:
                self._start_worker(options_of_process(job.arguments))
        except SetupError as error:
            return {"state": "failed", "error": str(error)}
        worker = self._worker
        question = {"workdir": job.workdir, "arguments": job.arguments}
        with contextlib.suppress(OSError):  # the worker has ended
            worker.stdin.write(json.dumps(question) + "\n")
            worker.stdin.flush()
        for line in iter(worker.stdout.readline, ""):
            answer = json.loads(line)
            if "state" in answer:
                return answer
            with self._changed:
                job.has_begun = True
                if job.is_stopping:
                    worker.send_signal(signal.SIGINT)
        return {
            "state": "failed",
            "error": f"The painting process {describe_end(worker.wait())}."
            " Paint again at a smaller size.",
        }
