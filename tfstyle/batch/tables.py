"""Parsers for CSV and JSON, as written by spreadsheets and scripts.

A text is first parsed as a whole, since a quoted cell may contain line breaks
and JSON may be an array or span several lines. If that fails it is parsed line
by line, so that one invalid line does not invalidate the rest.
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
"""Maximum length of a line, characters; longer ones must be mistakes."""


class Pairs(list):
    """Names and values of a JSON object; names may repeat."""


@dataclasses.dataclass(frozen=True)
class Row:
    """One row of a text.

    Attributes:
        line: number of the row's first line in the file, from 1.
        value: the stripped cells or the JSON value; the text if it is invalid.
        error: reason why the row is invalid, or empty.
    """

    line: int
    value: Any
    error: str = ""


def find_delimiter(
    path: str, text: str, is_name: Callable[[str], bool]
) -> tuple[str, str]:
    """Detects the delimiter of a table from its header.

    The delimiter that gives most column names wins, which is more reliable
    than character frequencies (`csv.Sniffer`). On a tie, the delimiter of a
    line such as `sep=;` before the header wins.

    Args:
        path: path of the file, for error messages.
        text: contents of the file.
        is_name: predicate, True if a cell is the name of a column.

    Returns:
        The delimiter, and the text with the line `sep=;` blanked.
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
    """Yields the line number and the cells of each row that is not empty."""
    started = []  # line numbers of the current row

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
    """True if a line is neither blank nor a comment."""
    return line.strip()[:1] not in ("", "#")


def read_json(path: str, text: str) -> list[Row]:
    """Parses JSON values, in an array or one after another.

    Commas between values, and lines that begin with # or //, are ignored.
    Objects are returned as `Pairs`.

    Raises:
        ConfigError: if the text is not JSON, neither as a whole nor by line.
    """
    # JSON strings cannot contain line breaks, so this only removes comments.
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
    """Parses JSON values, with or without an enclosing array."""
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
    """Parses JSON values; stops after the first invalid one.

    Args:
        text: JSON values, separated by white space and commas.
        first: line number of the first line of `text`.
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
    """Returns the reason why a text is not valid JSON."""
    if not isinstance(error, json.JSONDecodeError):
        return one_line(str(error))
    if error.doc[error.pos : error.pos + 1] in tuple(CURLY_QUOTES):
        return f"{error.doc[error.pos]} is a curly quote; type a straight one"
    return f"{error.msg}, column {error.colno}"


def _lines(path: str, text: str) -> Iterator[tuple[int, str]]:
    """Yields the line number, from 1, and the text of every line."""
    for number, found in enumerate(re.finditer(r".*\n|.+", text), start=1):
        if len(found[0]) > MAX_LINE:
            raise ConfigError(
                f"`manifest` {path!r}, line {number}: a line may have at most"
                f" {MAX_LINE} characters. Give each picture its own."
            )
        yield number, found[0]
