"""Progress as lines and as a bar."""

import os
import pty
import re
import subprocess
import sys

import pytest

from tests.training.test_callbacks import make_record
from tests.training.test_callbacks import make_result
from tfstyle.images.frame import Frame
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


SHOW_BATCH = """
from absl import logging
from tfstyle.reports import progress
logging.set_verbosity(logging.INFO)
with progress.BatchProgress(2) as bar:
    bar.show(1, 1, 0.5)
    logging.info("a line of the log")
    bar.show(2, 2, 0)
"""


def show_on_a_terminal(code):
    """Returns what some code shows on a terminal of 100 columns."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", code],
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
    return shown.decode()


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


def test_line_names_the_size_of_a_level(caplog):
    caplog.set_level("INFO", logger="absl")
    record = make_record(4, steps=(4, 0), frame=Frame(48, 64))
    progress.ProgressLines()(record)
    (line,) = lines_of(caplog)
    assert line.startswith("step 4/7, 64 px, loss 3, ")


def test_batch_s_lines_come_by_time_with_the_time_left(caplog):
    now = [100.0]
    caplog.set_level("INFO", logger="absl")
    with progress.BatchProgress(40, clock=lambda: now[0]) as bar:
        for settled, painted, started in (
            *((0, 0, 0.0), (0, 0, 0.2), (2, 1, 1.0), (2, 1, 1.5)),
            (12, 10, 0.5),
        ):
            now[0] += 6
            bar.show(settled, painted, started)
    assert lines_of(caplog) == [
        "0 of 40 pictures",
        "2 of 40 pictures, about 6 min left",  # 24 s * 36.5 / 2.5
    ]


def test_share_of_steps_is_reported_in_place_of_a_bar():
    shares = []
    with progress.reporting_to(shares.append):
        display = progress.make_progress()
        display(make_record(0))
        display.close(make_result(make_record(7)))
    assert shares == [0, 1]
    assert isinstance(progress.make_progress(), progress.ProgressLines)


@pytest.mark.slow
def test_batch_s_bar_stays_below_the_log():
    shown = show_on_a_terminal(SHOW_BATCH)
    line, last = re.search(
        r"(?s)(a line .*?)\r\n.*(2 of .*?)\r", shown
    ).groups()
    assert line == "a line of the log"
    assert last == "2 of 2 pictures"


@pytest.mark.slow
def test_bar_is_drawn_on_a_terminal():
    shown = show_on_a_terminal(SHOW)
    assert "step 7/7" in shown
    assert "loss 3, 2.29 evaluations/s" in shown
