"""Manifests: files with one line per picture, whose columns are flags.

The whole file is checked when it is read, before anything is painted. A wrong
column is an error; a wrong value is stored with its line and fails only that
picture.
"""

import dataclasses
import itertools
import os
import re
from collections.abc import Iterator
from typing import Any

from absl import logging

from tfstyle.batch import tables
from tfstyle.batch.text_files import read_text
from tfstyle.config.fields import item_kind_of
from tfstyle.config.fields import kind_of
from tfstyle.config.run_config import RunConfig
from tfstyle.errors import ConfigError
from tfstyle.errors import one_line
from tfstyle.flags.values import FIELDS
from tfstyle.flags.values import parse_json
from tfstyle.flags.values import parse_text
from tfstyle.flags.values import suggest_field

OWN = "#"
"""Prefix of columns that are not flags and are ignored."""


@dataclasses.dataclass(frozen=True)
class Job:
    """One line of a manifest.

    Attributes:
        line: line number in the file, from 1.
        values: parsed values of the flags, by field.
        error: reason why the line is invalid, or empty.
    """

    line: int
    values: dict[str, Any]
    error: str = ""

    @property
    def output(self) -> str:
        """Path of the picture to write; empty if missing in the line."""
        return self.values.get("output_image", "")

    def to_config(self, base: RunConfig, workdir: str) -> RunConfig:
        """Returns the options of the picture.

        Args:
            base: default options for all lines, not resolved.
            workdir: the workdir of the picture.

        Raises:
            ConfigError: if the line or a combination of options is invalid.
        """
        if self.error:
            raise ConfigError(self.error)
        own = {"manifest": None, "shard": "auto", "workdir": workdir}
        return dataclasses.replace(base, **self.values, **own)


def read_manifest(path: str) -> list[Job]:
    """Reads a manifest in JSON, JSON Lines or CSV.

    A file with a JSON ending (.json, .jsonl, .ndjson), or that begins with a
    brace or bracket, is JSON: objects, in lines or in an array. Any other file
    is a table, whose first row names the columns and whose cells are parsed
    like flags. A null or an empty cell keeps the default. Lines that begin
    with #, in JSON also with //, are comments; columns whose names begin with
    # are ignored.

    Args:
        path: path of the manifest, a text file.

    Raises:
        ConfigError: if the file cannot be read, has no rows, has a column that
            is not a flag or applies to the whole batch, or names an output
            twice.
    """
    text = read_text(path)
    is_json = path.lower().endswith((".json", ".jsonl", ".ndjson"))
    is_json = is_json or re.match(r"\s*[\[{]", text) is not None
    mark = tables.JSON_COMMENT if is_json else "#"
    if num_comments := len(re.findall(rf"(?m)^[ \t]*{mark}", text)):
        logging.info("%r: comments (lines with #): %d", path, num_comments)
    jobs = list(
        _read_objects(path, text) if is_json else _read_cells(path, text)
    )
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
            continue  # not a valid path; fails later, with its job
        first = first_lines.setdefault(written, job)
        if first is not job:
            raise ConfigError(
                f"`manifest` {path!r} must name every `{name}` once."
                f" Received: {value!r:.200} in lines {first.line} and"
                f" {job.line}."
            )
    return jobs


def _read_cells(path: str, text: str) -> Iterator[Job]:
    """Parses a table (CSV); yields its jobs."""
    delimiter, text = tables.find_delimiter(
        path, text, lambda cell: _find_name(cell) in FIELDS
    )
    rows = tables.read_table(path, text, delimiter)
    header = next(rows, None)
    if header is None:
        return
    names = [] if header.error else list(map(_find_name, header.value))
    if not any(name in FIELDS for name in names):
        received = header.value if header.error else ", ".join(header.value)
        is_comment = re.match(r"\s*#.*output_image", text) is not None
        hint = " A line that begins with # is a comment." if is_comment else ""
        raise ConfigError(
            f"`manifest` {path!r}, line {header.line}: must name the columns,"
            " such as content_image,style_images,output_image. Received:"
            f" {one_line(received, 80)!r}.{hint}"
        )
    _check_names(path, header.line, list(filter(None, names)))
    if "output_image" not in names:
        raise ConfigError(
            f"`manifest` {path!r} must have a column `output_image`."
            f" Received: {one_line(', '.join(names))}."
        )
    while not names[-1]:
        names.pop()
    for row in rows:
        error = row.error or _check_cells(row.value, len(names), delimiter)
        if error:
            yield Job(row.line, {}, error)
            continue
        given = {}
        for column, cell in enumerate(row.value[: len(names)]):
            if cell and not names[column]:
                raise ConfigError(
                    f"`manifest` {path!r}, line {row.line}: each column must"
                    f" have a name. Received: {one_line(cell, 80)!r} in column"
                    f" {column + 1}. Name it as a flag, or leave it out."
                )
            if cell and names[column] != OWN:
                given[names[column]] = cell
        yield _make_job(row.line, given, _parse_cell)


def _check_cells(cells: list[str], num_names: int, delimiter: str) -> str:
    """Returns the error in the cells of a row, or an empty string.

    A row may have fewer cells than there are columns, or more if they are
    empty, as spreadsheets write both.
    """
    for cell in cells:
        quotes = {cell[:1], cell[-1:]} & set(tables.CURLY_QUOTES)
        if quotes and not os.path.exists(cell):
            return (
                f"{quotes.pop()} is a curly quote, which would be part of the"
                f" value. Received: {one_line(cell, 80)}. Type straight quotes."
            )
    if not any(cells[num_names:]):
        return ""
    hint = (
        "A list goes in double quotes."
        if delimiter == ","
        else "The items of a list have commas between them."
    )
    return (
        f"The line must have {num_names} cells, as the first has."
        f" Received: {len(cells)}. {hint}"
    )


def _read_objects(path: str, text: str) -> Iterator[Job]:
    """Parses JSON; yields its jobs."""
    for row in tables.read_json(path, text):
        if row.error:
            yield Job(row.line, {}, row.error)
            continue
        if not isinstance(row.value, tables.Pairs):
            yield Job(row.line, {}, tables.NO_OBJECT)
            continue
        pairs = [(_find_name(name), value) for name, value in row.value]
        _check_names(path, row.line, [name for name, _ in pairs])
        given = {
            name: value
            for name, value in pairs
            if value is not None and name != OWN
        }
        yield _make_job(row.line, given, parse_json)


def _make_job(line: int, given: dict[str, Any], read) -> Job:
    """Parses the values of a line; the output first, for error messages."""
    values = {}
    try:
        for name in sorted(given, key=lambda name: name != "output_image"):
            values[name] = read(name, given[name])
    except ConfigError as error:
        return Job(line, values, str(error))
    if "output_image" not in values:
        return Job(line, values, "`output_image` is missing. Give each one.")
    return Job(line, values)


def _parse_cell(name: str, text: str) -> Any:
    """Parses a cell like a flag, and numbers as spreadsheets write them.

    Line breaks also separate items of a list. An integer may be `5.0` or
    `5.00`; a single number may have a decimal comma, unless it looks like
    thousands (1,000).

    Raises:
        ConfigError: if the cell is not a valid value of the field.
    """
    kind = item = kind_of(FIELDS[name])
    if kind is tuple:
        item = item_kind_of(FIELDS[name])
        parts = [part.strip().removesuffix(",") for part in text.split("\n")]
        text = ",".join(filter(None, parts))
    if item is int:
        text = re.sub(r"(?<=\d)\.00?(?=,|$)", "", text)
    is_thousands = re.fullmatch(r"[-+]?[1-9]\d{0,2},\d{3}", text)
    if kind is float and not is_thousands:
        text = re.sub(r"^([-+]?\d+),(\d+(?:[eE][-+]?\d+)?)$", r"\1.\2", text)
    try:
        return parse_text(name, text)
    except ConfigError as error:
        if item in (int, float) and "," in text:
            hint = "Decimals have a point; a comma separates items of a list."
            raise ConfigError(f"{error} {hint}") from error
        raise


_NAMES = {re.sub(r"[\W_]", "", name): name for name in FIELDS}


def _find_name(column: str) -> str:
    """Returns the flag that a column names, or the column if it is not a flag.

    Case, spaces, dashes and other punctuation are ignored.
    """
    if column.lstrip().startswith(OWN):
        return OWN
    return _NAMES.get(re.sub(r"[\W_]", "", column).lower(), column)


def _check_names(path: str, line: int, names: list[str]) -> None:
    """Checks that every column is a flag and occurs once."""
    names = [name for name in names if name != OWN]
    where = f"`manifest` {path!r}, line {line}:"
    for name in names:
        if name in FIELDS and FIELDS[name].metadata["of_batch"]:
            raise ConfigError(
                f"{where} `{name}` is one for the whole batch. Give it as a"
                " flag beside --manifest."
            )
        if name not in FIELDS:
            hint = suggest_field(
                name, f"Leave it out, or begin its name with {OWN}."
            )
            raise ConfigError(
                f"{where} columns must be named as flags are. Received:"
                f" {name!r:.80}. {hint}"
            )
    if len(set(names)) < len(names):
        raise ConfigError(
            f"{where} each column must be named once. Received:"
            f" {one_line(', '.join(names))}."
        )
