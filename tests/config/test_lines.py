"""Lines of flagfiles: written and read back, and read in linear time."""

import time

import pytest

from tfstyle.config import lines
from tfstyle.flags.values import FIELDS

SECONDS = 5  # of lines that a quadratic search reads in minutes


@pytest.mark.parametrize(
    "text",
    [
        *("plain", "a b", "a#b", "a #b", "a --seed=1", "#a", "a \\", "a\\"),
        *('"a"', "'a'", '"a', '"a" #b', '"a"\t#b', '"a"  #b', "'a' #b"),
        *("a ", " a", "\ta", ""),
    ],
)
def test_written_line_is_read_as_it_was(text):
    flag = f"--workdir={text}"
    assert lines.read_line(lines.write_line(flag, FIELDS), FIELDS) == flag


@pytest.mark.parametrize(
    "line",
    [
        "--workdir=a" + 200_000 * " " + "b",
        '--style_images="' + 200_000 * " #",
        '--style_images="' + 200_000 * " --a=",
        "--workdir=" + 200_000 * '" ' + "b",
    ],
    ids=["spaces", "comments", "flags", "quotes"],
)
def test_long_line_is_read_in_linear_time(line):
    start = time.monotonic()
    assert lines.read_line(line, FIELDS) == line
    assert time.monotonic() - start < SECONDS
