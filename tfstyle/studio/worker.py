"""Paints one run after another, in a process that keeps TensorFlow started.

    python -m tfstyle.studio.worker RUNS [--FLAG=VALUE ...]

The flags are those that hold for all runs of a process. A line of standard
input is a job, a JSON object: the `workdir` and the `arguments` of the command
line. For each one a line of standard output says that it has begun, and another
how it ended: its `status`, as the program's, and the `error`, if there was one.
In between SIGINT ends the run at its next step, with its picture. At the end of
standard input the process ends, once its run has.
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
"""Of the folder of runs: held while one is painted, as one is at a time."""


def main(root: str, options: list[str]) -> None:
    """Paints what standard input asks for."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints is no answer
    session = Session()
    with contextlib.suppress(TfstyleError):  # the first run says it again
        session.start(read_config(options))
    for line in sys.stdin:
        job = json.loads(line)

        def tell(answer):
            print(json.dumps(answer), file=answers, flush=True)

        tell(_paint(root, job["workdir"], job["arguments"], session, tell))


def _paint(
    root: str, workdir: str, arguments: list[str], session, tell
) -> dict:
    """Paints a run, and returns how it ended."""
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        tell({"has_begun": True})
        with (
            raising_out_of_memory_errors(),
            file_lock.locked(os.path.join(root, LOCK), wait=True),
        ):
            if not os.path.exists(os.path.join(workdir, JOB)):
                return {"status": 0}  # an earlier studio's worker was at it
            check_program_fits()
            config = read_config([*arguments, f"--workdir={workdir}"])
            number = run_picture(config, session)
    except TfstyleError as error:
        return {"status": error.status, "error": one_line(str(error), 1000)}
    except KeyboardInterrupt:  # before the first step
        return {"status": 128 + signal.SIGINT}
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        # Here, as the studio may have ended meanwhile.
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.path.join(workdir, JOB))
    return {"status": 128 + number if number else 0}


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
