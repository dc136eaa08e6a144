"""The file of a batch: a line for each picture, whose columns are flags.

A line with a wrong column or value is found when the file is read, before
anything is painted. What is wrong with one picture's values is kept with its
line, and is that picture's failure only.
"""

import csv
import dataclasses
import difflib
import itertools
import json
import os
from collections.abc import Iterator
from typing import Any

from tfstyle.config.run_config import RunConfig
from tfstyle.config.validation import ConfigError
from tfstyle.config.values import FIELDS
from tfstyle.config.values import parse_json
from tfstyle.config.values import parse_text
from tfstyle.errors import one_line

MAX_LINE = 1_000_000
"""Bytes; a longer line is a mistake rather than a picture."""


@dataclasses.dataclass(frozen=True)
class Job:
    """One line of a manifest.

    Attributes:
        line: its number in the file; the first is 1.
        values: by field, of the field's kind.
        error: why the line makes no picture, or empty.
    """

    line: int
    values: dict[str, Any]
    error: str = ""

    @property
    def output(self) -> str:
        """The picture to write; empty if the line names none."""
        return self.values.get("output_image", "")

    def to_config(self, base: RunConfig, workdir: str) -> RunConfig:
        """Returns the choices of the line's picture.

        Args:
            base: the options that the line leaves out; not resolved.
            workdir: of the picture.

        Raises:
            ConfigError: if the line makes no picture.
        """
        if self.error:
            raise ConfigError(self.error)
        own = {"manifest": None, "shard": "auto", "workdir": workdir}
        return dataclasses.replace(base, **self.values, **own).resolved()


def read_manifest(path: str) -> list[Job]:
    """Reads the lines of a manifest; empty ones are none.

    Args:
        path: of a file in UTF-8. In a `.csv` the first line names the columns;
            cells read as flags do, an empty one leaves the flag as it is. In a
            `.jsonl` every line is an object; null leaves the flag as it is.

    Raises:
        ConfigError: if it cannot be read, has no line, names what is no flag
            or belongs to the whole batch, or an output twice.
    """
    rows = _read_csv if path.lower().endswith(".csv") else _read_jsonl
    jobs = list(rows(path))
    if not jobs:
        raise ConfigError(
            f"`manifest` {path!r} names no picture. Give each a line."
        )
    first_lines = {}
    for job, name in itertools.product(jobs, ("output_image", "film")):
        value = job.values.get(name)
        if not value:
            continue
        try:
            written = os.path.realpath(value)
        except ValueError:
            continue  # no name of a file; the job's own failure
        first = first_lines.setdefault(written, job.line)
        if first != job.line:
            raise ConfigError(
                f"`manifest` {path!r} must name every `{name}` once."
                f" Received: {value!r:.200} in lines {first} and {job.line}."
            )
    return jobs


def _read_csv(path: str) -> Iterator[Job]:
    names = None
    for line, text in _read_lines(path):
        try:
            (cells,) = csv.reader([text], strict=True, skipinitialspace=True)
        except csv.Error as error:
            if names is None:
                raise ConfigError(
                    f"`manifest` {path!r} must begin with the names of its"
                    f" columns. Received: line {line}, {one_line(text, 80)!r}."
                ) from error
            yield Job(line, {}, f"The line is no CSV ({error}).")
            continue
        cells = [cell.strip() for cell in cells]
        if names is None:
            names = cells
            _check_names(path, line, names)
            if "output_image" not in names:
                raise ConfigError(
                    f"`manifest` {path!r} must have a column `output_image`."
                    f" Received: {one_line(', '.join(names))}."
                )
        elif len(cells) != len(names):
            error = (
                f"The line must have {len(names)} cells, as the first has."
                f" Received: {len(cells)}. A list goes in double quotes."
            )
            yield Job(line, {}, error)
        elif any(cells):
            texts = dict(zip(names, cells, strict=True))
            given = {name: text for name, text in texts.items() if text}
            yield _make_job(line, given, parse_text)


def _read_jsonl(path: str) -> Iterator[Job]:
    for line, text in _read_lines(path):
        try:
            pairs = json.loads(
                text, object_pairs_hook=_Pairs, parse_constant=_refuse_constant
            )
        except (ValueError, RecursionError) as error:
            reason = one_line(str(error))
            yield Job(line, {}, f"The line is no JSON ({reason}).")
            continue
        if not isinstance(pairs, _Pairs):
            yield Job(line, {}, "The line must be a JSON object.")
            continue
        _check_names(path, line, [name for name, _ in pairs])
        given = {name: value for name, value in pairs if value is not None}
        yield _make_job(line, given, parse_json)


class _Pairs(list):
    """The names and values of a JSON object; a name may come twice."""


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no number")


def _make_job(line: int, given: dict[str, Any], read) -> Job:
    """Reads the values of a line; the output first, so that it is known."""
    values = {}
    try:
        for name in sorted(given, key=lambda name: name != "output_image"):
            values[name] = read(name, given[name])
    except ConfigError as error:
        return Job(line, values, str(error))
    if "output_image" not in values:
        return Job(line, values, "`output_image` is missing. Give each one.")
    return Job(line, values)


def _check_names(path: str, line: int, names: list[str]) -> None:
    """Refuses columns that are no flags, or come twice."""
    where = f"`manifest` {path!r}, line {line}:"
    for name in names:
        if name in FIELDS and FIELDS[name].metadata["of_batch"]:
            raise ConfigError(
                f"{where} `{name}` is one for the whole batch. Give it as a"
                " flag beside --manifest."
            )
        if name not in FIELDS:
            alike = difflib.get_close_matches(name, FIELDS, 1)
            hint = f" Did you mean: {alike[0]} ?" if alike else ""
            raise ConfigError(
                f"{where} columns must be named as flags are. Received:"
                f" {name!r:.80}.{hint}"
            )
    if len(set(names)) < len(names):
        raise ConfigError(
            f"{where} each column must be named once. Received:"
            f" {one_line(', '.join(names))}."
        )


def _read_lines(path: str) -> Iterator[tuple[int, str]]:
    """Yields number and text of every line that is not blank.

    Raises:
        ConfigError: if the file cannot be read or is no text.
    """
    try:
        if os.path.exists(path) and not os.path.isfile(path):
            raise OSError("not a regular file")
        with open(path, "rb") as file:
            number = 0
            while data := file.readline(MAX_LINE + 1):
                number += 1
                if len(data) > MAX_LINE:
                    raise ConfigError(
                        f"`manifest` {path!r}, line {number}: a line may have"
                        f" at most {MAX_LINE} bytes. Give each picture its own."
                    )
                text = data.decode("utf-8-sig" if number == 1 else "utf-8")
                if text.strip():
                    yield number, text.strip()
    except OSError as error:
        reason = error.strerror or error
        raise ConfigError(
            f"`manifest` {path!r} cannot be read ({reason}). Check the path;"
            " it is taken from the current folder."
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"`manifest` {path!r}, line {number}: must be text in UTF-8"
            f" ({error.reason}). Save it anew."
        ) from error
