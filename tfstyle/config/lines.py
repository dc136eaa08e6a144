"""Parsing and formatting of a flagfile's lines, with one flag per line.

A value may be quoted, have spaces around its `=`, and be followed by a comment.
`read_line` inverts `write_line`.
"""

import csv
import io
import re
from collections.abc import Sequence

from tfstyle.config.fields import kind_of
from tfstyle.errors import ConfigError

_FLAG = re.compile(r"--?(\w+)(?:\s*=\s*|\s+)(.*)", re.DOTALL)
_QUOTED = re.compile(r"""(["'])(.*?)\1(?:\s+#.*)?""", re.DOTALL)
_IN_SINGLE = re.compile(r"('[^']*'(?:\s*,\s*'[^']*')+)(?:\s+#.*)?")
"""List of items, each in single quotes."""
_COMMENT = re.compile(r"\s#")
_SECOND_FLAG = re.compile(r"\s--\w+=")
_CONTINUED = re.compile(r"\s\\$")
"""Trailing backslash, which continues a line in a shell."""


def read_line(line: str, fields: dict) -> str | None:
    """Parses a line of a flagfile to a flag, `--name=value`.

    Args:
        line: line of a flagfile.
        fields: fields of RunConfig, by name.

    Returns:
        The flag, the line itself if it has another form, or None for blank
        lines and comments.

    Raises:
        ConfigError: if the line has two flags.
    """
    line = line.strip()
    if not line or line.startswith(("#", "//")):
        return None
    flag = _FLAG.fullmatch(line)
    if flag is None:
        return line
    name, text = flag.groups()
    if _is_switch(name, fields):
        if text.startswith("--"):
            raise _two_flags(line)
        if text == "\\" or text.startswith("#"):
            return f"--{name}"
    is_list = _is_list(name, fields)
    if is_list and (found := _IN_SINGLE.fullmatch(text)):
        items = re.findall("'([^']*)'", found[1])
        return f"--{name}={write_list(items)}"
    quoted = _QUOTED.fullmatch(text)
    if quoted and (not is_list or quoted[1] == "'"):
        return f"--{name}={quoted[2]}"
    comment = _find(_COMMENT, text, is_list)
    if comment:
        text = text[: comment.start()]
    text = text.rstrip()
    if _CONTINUED.search(text):
        text = text[:-1].rstrip()
    if _find(_SECOND_FLAG, text, is_list):
        raise _two_flags(line)
    return f"--{name}={text}"


def write_line(flag: str, fields: dict) -> str:
    """Formats a flag as a line, which `read_line` parses back.

    Args:
        flag: `--name=value`.
        fields: fields of RunConfig, by name.
    """
    name, _, text = flag.partition("=")
    if _is_list(name.lstrip("-"), fields) or not _is_special(text):
        return flag
    quote = "'" if re.search(r'"\s+#', text) else '"'
    return f"{name}={quote}{text}{quote}"


def write_list(texts: Sequence[str]) -> str:
    """Formats strings as the value of a list, one line of CSV."""
    is_special = any(_is_special(t) or t.startswith("'") for t in texts)
    line = io.StringIO()
    csv.writer(
        line,
        lineterminator="",
        quoting=csv.QUOTE_ALL if is_special else csv.QUOTE_MINIMAL,
    ).writerow(texts)
    return line.getvalue()


def _two_flags(line: str) -> ConfigError:
    return ConfigError(
        f"A line may have one flag. Received: {line!r:.200}. Give each its own"
        " line."
    )


def _is_switch(name: str, fields: dict) -> bool:
    """True if a flag is boolean and needs no value, such as `noreport`."""
    field = fields.get(name, fields.get(name.removeprefix("no")))
    return field is not None and kind_of(field) is bool


def _is_list(name: str, fields: dict) -> bool:
    return name in fields and kind_of(fields[name]) is tuple


def _is_special(text: str) -> bool:
    """True if `read_line` would misread a text without quotes."""
    return bool(
        text != text.strip()
        or _QUOTED.fullmatch(text)
        or _COMMENT.search(text)
        or _SECOND_FLAG.search(text)
        or _CONTINUED.search(text)
    )


def _find(
    pattern: re.Pattern[str], text: str, is_list: bool
) -> re.Match[str] | None:
    """Finds a pattern; in a list, ignores matches inside quotes."""
    num_quotes, place = 0, 0
    for found in pattern.finditer(text):
        num_quotes += text.count('"', place, found.start())
        place = found.start()
        if not is_list or num_quotes % 2 == 0:
            return found
    return None
