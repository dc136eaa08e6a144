"""The worker process of the studio: paints jobs one after another.

    python -m tfstyle.studio.painter RUNS [--FLAG=VALUE ...]

TensorFlow is started once; the flags apply to all jobs. Each line of standard
input is a job, a JSON object with `workdir` and `arguments`, the flags of the
run. For each job two lines are written to standard output: `has_begun`, and at
its end the `state` and, if it failed, the `error`. In between SIGINT stops the
run at its next step and keeps its picture. The process ends at the end of
standard input, after the current run.
"""

import contextlib
import json
import os
import signal
import sys

from tfstyle.errors import TfstyleError
from tfstyle.errors import one_line
from tfstyle.experiment.run import run_picture
from tfstyle.experiment.session import Session
from tfstyle.experiment.workdir_files import JOB
from tfstyle.flags.command_line import read_config
from tfstyle.system import file_lock
from tfstyle.system.memory import check_program_fits
from tfstyle.system.out_of_memory import raising_out_of_memory_errors

LOCK = ".studio.lock"
"""Lock file in the folder of runs; lets only one run paint at a time."""


def main(root: str, options: list[str]) -> None:
    """Paints all jobs that are read from standard input."""
    answers = os.dup(1)
    os.dup2(2, 1)  # output of libraries must not mix with answers
    session = Session()
    with contextlib.suppress(TfstyleError):  # the first run reports it
        session.start(read_config(options))
    for line in sys.stdin:
        job = json.loads(line)

        def tell(answer):
            with contextlib.suppress(BrokenPipeError):  # the studio has ended
                os.write(answers, f"{json.dumps(answer)}\n".encode())

        tell(_paint(root, job["workdir"], job["arguments"], session, tell))


def _paint(
    root: str, workdir: str, arguments: list[str], session, tell
) -> dict:
    """Paints a run; returns its state and error."""
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        tell({"has_begun": True})
        with (
            raising_out_of_memory_errors(),
            file_lock.locked(os.path.join(root, LOCK), wait=True),
        ):
            if not os.path.exists(os.path.join(workdir, JOB)):
                return {
                    "state": "done"
                }  # painted by an earlier studio's worker
            _check_undisturbed()
            config = read_config([*arguments, f"--workdir={workdir}"])
            if config.content_video:
                from tfstyle.films.run import run_film

                number = run_film(config, session, stop_message="")
            else:
                number = run_picture(config, session, stop_message="")
    except TfstyleError as error:
        return {"state": "failed", "error": one_line(str(error), 1000)}
    except KeyboardInterrupt:  # before the first step
        return {"state": "stopped"}
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        # Removed here, as the studio may have ended meanwhile.
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.path.join(workdir, JOB))
    return {"state": "stopped" if number else "done"}


def _check_undisturbed() -> None:
    """Checks that the program fits; SIGINT must not interrupt its threads.

    Raises:
        TfstyleError: if it does not fit.
        KeyboardInterrupt: at the end, if there was a SIGINT meanwhile.
    """
    signals = []
    handler = signal.signal(signal.SIGINT, lambda *_: signals.append(True))
    try:
        check_program_fits()
    finally:
        signal.signal(signal.SIGINT, handler)
    if signals:
        raise KeyboardInterrupt


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
