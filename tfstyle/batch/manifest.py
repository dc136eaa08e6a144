"""Manifests: files with one line per picture, whose columns are flags.

The whole file is checked when it is read, before anything is painted. A file
that cannot be parsed and a wrong column are errors; a wrong value is stored
with its line and fails only that picture.
"""

import codecs
import csv
import dataclasses
import io
import itertools
import json
import os
import re
from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Iterator
from typing import Any

from absl import logging

from tfstyle.config.fields import kind_of
from tfstyle.config.run_config import RunConfig
from tfstyle.config.suggestions import suggest
from tfstyle.errors import ConfigError
from tfstyle.errors import one_line
from tfstyle.flags.sources import read_bytes
from tfstyle.flags.values import FIELDS
from tfstyle.flags.values import parse_json
from tfstyle.flags.values import parse_text

OWN = "#"
"""Prefix of columns that are not flags and are ignored."""
MAX_FILE = 100_000_000
"""Maximum size of a file, bytes; bounds the memory needed."""
OUTPUTS = ("output_image", "output_video")
"""Options that name the output of a line."""
_DELIMITERS = ",;\t"
_JSON_ENDINGS = (".json", ".jsonl", ".ndjson")

Row = tuple[str, dict[str, Any]]
"""Place in the file, such as "line 2", and values by field, not yet parsed."""


@dataclasses.dataclass(frozen=True)
class Job:
    """One line of a manifest.

    Attributes:
        place: place in the file, such as "line 2"; in a JSON array "object 2".
        values: parsed values of the flags, by field.
        error: reason why the line is invalid, or empty.
    """

    place: str
    values: dict[str, Any]
    error: str = ""

    @property
    def output(self) -> str:
        """Path of the picture or film; empty if missing in the line."""
        values = self.values
        return values.get("output_image") or values.get("output_video") or ""

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
        own |= {"engine": "processes", "num_gpus": None}
        return dataclasses.replace(base, **self.values, **own)


def read_manifest(path: str) -> list[Job]:
    """Reads a manifest in JSON, JSON Lines or CSV.

    A file with a JSON ending (.json, .jsonl, .ndjson) holds objects, one per
    line or in an array. Any other file is a table, whose first row names the
    columns and whose cells are parsed like flags. A null or an empty cell
    keeps the default. Lines that begin with # are comments; columns whose
    names begin with # are ignored.

    Args:
        path: path of the manifest, a text file.

    Raises:
        ConfigError: if the file cannot be read or parsed, has no rows, has a
            column that is not a flag or applies to the whole batch, or names
            an output twice.
    """
    text, num_comments = re.subn(r"(?m)^[ \t]*#.*", "", _read_text(path))
    if num_comments:
        logging.info("%r: comments (lines with #): %d", path, num_comments)
    if path.lower().endswith(_JSON_ENDINGS):
        rows, parse = _read_json(path, text), parse_json
    else:
        rows, parse = _read_table(path, text), _parse_cell
    jobs = [_make_job(place, given, parse) for place, given in rows]
    if not jobs:
        raise ConfigError(
            f"`manifest` {path!r} must have at least one picture. Write one"
            " line per picture."
        )
    _check_outputs(path, jobs)
    return jobs


def _read_text(path: str) -> str:
    r"""Reads a text file; line ends become \n.

    The encoding is UTF-8, or UTF-16 with a byte order mark.
    """
    data = read_bytes(path, "`manifest`", MAX_FILE)
    if len(data) > MAX_FILE:
        raise ConfigError(
            f"`manifest` {path!r} must have at most {MAX_FILE} bytes. Split it."
        )
    is_utf16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        text = data.decode("utf-16" if is_utf16 else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError(
            f"`manifest` {path!r}, line {line}: must be text in UTF-8. Save it"
            " as CSV in UTF-8."
        ) from error
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _read_table(path: str, text: str) -> Iterator[Row]:
    """Yields the rows of a table (CSV) below its header, without empty cells.

    A row may have fewer cells than there are columns, or more if they are
    empty, as spreadsheets write both.
    """
    rows = _read_cells(path, text)
    place, names = next(rows, ("line 1", []))
    names = [re.sub("[- ]", "_", name.lower().lstrip("-")) for name in names]
    if not {*OUTPUTS} & {*names}:
        raise ConfigError(
            f"`manifest` {path!r}, {place}: must name the columns, including"
            f" output_image. Received: {one_line(', '.join(names), 80)!r}."
            " A line that begins with # is a comment."
        )
    _check_names(path, place, list(filter(None, names)))
    for place, cells in rows:
        given = {}
        for name, cell in itertools.zip_longest(names, cells, fillvalue=""):
            if cell and not name:
                raise ConfigError(
                    f"`manifest` {path!r}, {place}: each cell must have a named"
                    f" column. Received: {one_line(cell, 80)!r}. Quote cells"
                    " that contain commas."
                )
            if cell and not name.startswith(OWN):
                given[name] = cell
        yield place, given


def _read_cells(path: str, text: str) -> Iterator[tuple[str, list[str]]]:
    """Yields place and stripped cells of the rows that are not empty.

    The delimiter is the most frequent one of the first row.
    """
    header = text.strip().partition("\n")[0]
    reader = csv.reader(
        io.StringIO(text),
        delimiter=max(_DELIMITERS, key=header.count),
        skipinitialspace=True,
        strict=True,
    )
    place = "line 1"
    try:
        for row in reader:
            cells = [cell.strip() for cell in row]
            if any(cells):
                yield place, cells
            place = f"line {reader.line_num + 1}"
    except csv.Error as error:
        reason = one_line(str(error))
        raise ConfigError(
            f"`manifest` {path!r}, {place}: must be CSV ({reason}). Quotes"
            ' enclose a whole cell; within it they are doubled ("").'
        ) from error


def _read_json(path: str, text: str) -> Iterator[Row]:
    """Yields the objects, without nulls."""
    for place, value in _decode_values(path, text):
        if not isinstance(value, dict):
            raise ConfigError(
                f"`manifest` {path!r}, {place}: must be a JSON object, such as"
                f' {{"output_image": "x.png"}}. Received: {value!r:.80}.'
            )
        _check_names(path, place, value)
        given = {
            name: item
            for name, item in value.items()
            if item is not None and not name.startswith(OWN)
        }
        yield place, given


def _decode_values(path: str, text: str) -> Iterator[tuple[str, Any]]:
    """Yields place and value of each item of an array, or of each object."""
    decoder, place = json.JSONDecoder(object_pairs_hook=_to_dict), 0
    while found := re.compile(r"\s*(?=\S)").match(text, place):
        line = f"line {text.count(chr(10), 0, found.end()) + 1}"
        try:
            value, place = decoder.raw_decode(text, found.end())
        except (ValueError, RecursionError) as error:
            raise ConfigError(
                f"`manifest` {path!r}, {line}: must be JSON"
                f" ({one_line(str(error))}). Write one object per line, or all"
                " in one array."
            ) from error
        if not isinstance(value, list):
            yield line, value
            continue
        for number, item in enumerate(value, start=1):
            yield f"object {number}", item


def _to_dict(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Converts a JSON object whose names must differ."""
    values = dict(pairs)
    if len(values) < len(pairs):
        raise ValueError("an object has two values of one name")
    return values


def _check_names(path: str, place: str, names: Collection[str]) -> None:
    """Checks that every column is a flag and occurs once."""
    names = [name for name in names if not name.startswith(OWN)]
    where = f"`manifest` {path!r}, {place}:"
    for name in names:
        if name not in FIELDS:
            otherwise = f"Leave it out, or begin its name with {OWN}."
            hint = suggest(name, FIELDS, otherwise)
            raise ConfigError(
                f"{where} columns must be named as flags are. Received:"
                f" {name!r:.80}. {hint}"
            )
        if FIELDS[name].metadata["of_batch"]:
            raise ConfigError(
                f"{where} `{name}` must be the same for the whole batch. Give"
                " it as a flag beside --manifest."
            )
    if len(set(names)) < len(names):
        raise ConfigError(
            f"{where} each column must be named once. Received:"
            f" {one_line(', '.join(names))}."
        )


def _parse_cell(name: str, text: str) -> Any:
    """Parses a cell like a flag; a single number may have a decimal comma."""
    is_decimal = re.fullmatch(r"[+-]?\d*,(?!\d{3}$)\d+", text)
    if is_decimal and kind_of(FIELDS[name]) is float:
        text = text.replace(",", ".")
    return parse_text(name, text)


def _make_job(
    place: str, given: dict[str, Any], parse: Callable[[str, Any], Any]
) -> Job:
    """Parses the values of a row; the output first, for error messages."""
    values, error = {}, ""
    try:
        for name in sorted(given, key=lambda name: name not in OUTPUTS):
            values[name] = parse(name, given[name])
        if not {*OUTPUTS} & values.keys():
            raise ConfigError(
                "`output_image` is missing, or `output_video` of a film. Every"
                " line needs one."
            )
    except ConfigError as caught:
        error = str(caught)
    return Job(place, values, error)


def _check_outputs(path: str, jobs: list[Job]) -> None:
    """Checks that no two jobs write the same file."""
    first_jobs: dict[str, Job] = {}
    for job, name in itertools.product(jobs, (*OUTPUTS, "film")):
        value = job.values.get(name)
        if not value:
            continue
        try:
            written = os.path.realpath(value)
        except ValueError:
            continue  # not a valid path; fails later, with its job
        first = first_jobs.setdefault(written, job)
        if first is not job:
            raise ConfigError(
                f"`manifest` {path!r} must name every `{name}` once."
                f" Received: {value!r:.200} in {first.place} and {job.place}."
            )
