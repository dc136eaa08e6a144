"""Rows of CSV and JSON, as spreadsheets and scripts write them.

A text is first read as a whole, so that a quoted cell may have line breaks and
JSON may be an array or laid out over several lines. If that fails it is read
line by line, so that a wrong line does not take the others with it.
"""

import collections
import csv
import dataclasses
import itertools
import json
import re
from collections.abc import Callable
from collections.abc import Iterator
from typing import Any

from tfstyle.errors import ConfigError
from tfstyle.errors import one_line

DELIMITERS = ",;\t|"
CURLY_QUOTES = "“”„‟"
NO_OBJECT = 'Each must be a JSON object, such as {"output_image": "x.png"}.'
JSON_COMMENT = "(?:#|//)"
MAX_LINE = 1_000_000
"""Characters; a longer line is a mistake rather than a picture."""


class Pairs(list):
    """The names and values of a JSON object; a name may come twice."""


@dataclasses.dataclass(frozen=True)
class Row:
    """One row of a text.

    Attributes:
        line: the number of its first line, as an editor shows it.
        value: the stripped cells, or the JSON value; the text if it is neither.
        error: why it is neither, or empty.
    """

    line: int
    value: Any
    error: str = ""


def find_delimiter(
    path: str, text: str, is_name: Callable[[str], bool]
) -> tuple[str, str]:
    """Finds the delimiter of a table by its header.

    It is the one that yields most names of columns, which is surer than a
    guess from the frequency of characters (`csv.Sniffer`). A line such as
    `sep=;` before the header makes its delimiter the first among equals.

    Args:
        path: of the file, for messages.
        text: of the file.
        is_name: whether a cell names a column.

    Returns:
        The delimiter, and the text with the line `sep=;` made empty.
    """
    delimiters = DELIMITERS
    said = re.match(r'(\n*)"?sep=([^\w\s"#]|\t)"?[,;\t|]*\n', text, re.I)
    if said:
        delimiters = said[2] + delimiters
        text = said[1] + text[said.end() - 1 :]

    rows = (line for line in _lines(path, text) if _is_content(line[1]))
    head = list(itertools.islice(rows, 100))

    def count_names(delimiter: str) -> int:
        try:
            _, header = next(_read_records(iter(head), delimiter))
        except (csv.Error, StopIteration):
            return 0
        return sum(map(is_name, header))

    return max(delimiters, key=count_names), text


def read_table(path: str, text: str, delimiter: str) -> Iterator[Row]:
    """Yields the rows of a table, without comments (#) and empty rows."""
    try:
        collections.deque(_read_records(_lines(path, text), delimiter), 0)
    except csv.Error:
        pass
    else:
        for record in _read_records(_lines(path, text), delimiter):
            yield Row(*record)
        return
    for number, line in _lines(path, text):
        try:
            for record in _read_records(iter([(number, line)]), delimiter):
                yield Row(*record)
        except csv.Error as error:
            reason = (
                f"The line is no CSV ({one_line(str(error))}). Quotes enclose a"
                ' whole cell; within it they are doubled ("").'
            )
            yield Row(number, line, reason)


def _read_records(
    lines: Iterator[tuple[int, str]], delimiter: str
) -> Iterator[tuple[int, list[str]]]:
    """Yields the first line and the cells of each row that is not empty."""
    started = []  # lines of the row that is being read

    def feed() -> Iterator[str]:
        for number, line in lines:
            if started or _is_content(line):
                started.append(number)
                yield line.rstrip() + "\n"

    for cells in csv.reader(
        feed(), delimiter=delimiter, strict=True, skipinitialspace=True
    ):
        cells = [cell.strip() for cell in cells]
        if any(cells):
            yield started[0], cells
        started.clear()


def _is_content(line: str) -> bool:
    """Returns whether a line is neither blank nor a comment."""
    return line.strip()[:1] not in ("", "#")


def read_json(path: str, text: str) -> list[Row]:
    """Reads JSON values: an array's, or those that follow each other.

    Commas between values, and lines that begin with # or //, are left out.
    Objects are `Pairs`.

    Raises:
        ConfigError: if it is no JSON, neither as a whole nor by its lines.
    """
    # No string of JSON has a line break, so none has such a line.
    text = re.sub(rf"(?m)^[ \t]*{JSON_COMMENT}.*", "", text)
    rows = _read_array(path, text)
    if not rows or not rows[-1].error:
        return rows
    by_line = []
    for number, line in _lines(path, text):
        line = line.strip().removeprefix("[").removesuffix("]")
        by_line += _read_values(line, number)
    if any(isinstance(row.value, Pairs) for row in by_line):
        return by_line
    wrong = next(row for row in rows if not isinstance(row.value, Pairs))
    reason = wrong.error or NO_OBJECT
    raise ConfigError(f"`manifest` {path!r}, line {wrong.line}: {reason}")


def _read_array(path: str, text: str) -> list[Row]:
    """Reads a text whose values may be in one array."""
    start = re.match(r"\s*\[", text)
    if start is None:
        return list(_read_values(text))
    end = len(text.rstrip())
    if text[end - 1] != "]":
        line = start[0].count("\n") + 1
        raise ConfigError(
            f"`manifest` {path!r}, line {line}: the array that begins here has"
            " no end, which is ]. Save the whole file anew."
        )
    return list(_read_values(start[0][:-1] + " " + text[start.end() : end - 1]))


def _read_values(text: str, first: int = 1) -> Iterator[Row]:
    """Yields the values of a text; a wrong one is the last.

    Args:
        text: JSON values, between which there are spaces and commas.
        first: the number of its first line.
    """
    decoder = json.JSONDecoder(
        object_pairs_hook=Pairs, parse_constant=_refuse_constant
    )
    between = re.compile(r"[\s,]*")
    position, line = 0, first
    while (begin := between.match(text, position).end()) < len(text):
        line += text.count("\n", position, begin)
        try:
            value, position = decoder.raw_decode(text, begin)
        except (ValueError, RecursionError) as error:
            if isinstance(error, json.JSONDecodeError):
                line = first + error.lineno - 1
            yield Row(
                line,
                text,
                f"The line is no JSON ({_explain(error)}). Correct it there.",
            )
            return
        yield Row(line, value)
        line += text.count("\n", begin, position)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no number; null leaves a flag as it is")


def _explain(error: Exception) -> str:
    """Returns why a text is no JSON."""
    if not isinstance(error, json.JSONDecodeError):
        return one_line(str(error))
    if error.doc[error.pos : error.pos + 1] in tuple(CURLY_QUOTES):
        return f"{error.doc[error.pos]} is a curly quote; type a straight one"
    return f"{error.msg}, column {error.colno}"


def _lines(path: str, text: str) -> Iterator[tuple[int, str]]:
    """Yields number and text of every line."""
    for number, found in enumerate(re.finditer(r".*\n|.+", text), start=1):
        if len(found[0]) > MAX_LINE:
            raise ConfigError(
                f"`manifest` {path!r}, line {number}: a line may have at most"
                f" {MAX_LINE} characters. Give each picture its own."
            )
        yield number, found[0]
