"""Progress as lines and as a bar."""

import os
import pty
import subprocess
import sys

import pytest

from tests.training.test_callbacks import make_record
from tests.training.test_callbacks import make_result
from tfstyle.reports import progress

SHOW = """
from tests.training.test_callbacks import make_record
from tests.training.test_callbacks import make_result
from tfstyle.reports import progress
bar = progress.make_progress()
for step in range(8):
    bar(make_record(step))
bar.close(make_result(make_record(7)))
bar.stop()
"""


def lines_of(caplog):
    return [record.getMessage() for record in caplog.records]


def test_lines_come_first_last_and_by_time(caplog):
    now = [100.0]
    # TensorFlow leaves a level of its own on this logger when it saves.
    caplog.set_level("INFO", logger="absl")
    lines = progress.ProgressLines(clock=lambda: now[0])
    for step in range(8):
        lines(make_record(step))
        now[0] += 4
    lines.close(make_result(make_record(7)))
    assert lines_of(caplog) == [
        "step 0/7, loss 3, 1000000000.00 evaluations/s",
        "step 3/7, loss 3, 2.67 evaluations/s, 2 s left",
        "step 6/7, loss 3, 2.33 evaluations/s, 0 s left",
        "step 7/7, loss 3, 2.29 evaluations/s",
    ]


@pytest.mark.slow
def test_bar_is_drawn_on_a_terminal():
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", SHOW],
        stderr=theirs,
        env=os.environ | {"TERM": "xterm", "COLUMNS": "100"},
    )
    os.close(theirs)
    shown = b""
    try:
        while part := os.read(ours, 4096):
            shown += part
    except OSError:  # the terminal's other end is closed
        pass
    os.close(ours)
    assert process.wait() == 0
    assert b"step 7/7" in shown
    assert b"loss 3, 2.29 evaluations/s" in shown
