"""Selection of frames."""

import itertools

import pytest

from tfstyle.errors import ConfigError
from tfstyle.video_files.selection import Selection


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, (1, None, 1)),
        ("7", (7, 7, 1)),
        ("100-200", (100, 200, 1)),
        ("100-", (100, None, 1)),
        ("1-500/10", (1, 500, 10)),
        ("3-/2", (3, None, 2)),
    ],
)
def test_range_is_read(text, expected):
    assert Selection.parse(text) == expected


@pytest.mark.parametrize(
    "text", ["", "0-5", "5-3", "1-5/0", "-5", "a", "1-5-6", "1/2/3", "1 - 5"]
)
def test_other_text_is_refused(text):
    with pytest.raises(ConfigError, match="such as 100-200"):
        Selection.parse(text)


def test_numbers_are_those_of_the_chosen_frames():
    for selection in (Selection(3, 9, 2), Selection(2, None, 3)):
        chosen = [n for n, _ in selection.choose("abcdefghijkl")]
        numbers = itertools.islice(selection.numbers(), len(chosen))
        assert chosen == list(numbers)
