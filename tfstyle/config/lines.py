"""Parsing and formatting of a flagfile's lines, with one flag per line.

A value may be quoted, have spaces around its `=`, and be followed by a comment.
`read_line` inverts `write_line`.
"""

import csv
import io
import re
from collections.abc import Sequence

from tfstyle.config.fields import kind_of

_FLAG = re.compile(r"--?(\w+)(?:\s*=\s*|\s+(?![\s#]))(.*)", re.DOTALL)
_QUOTED = re.compile(r"""(["'])(.*?)\1(?:\s+#.*)?""", re.DOTALL)
_COMMENT = re.compile(r"\s#")


def read_line(line: str, fields: dict) -> str:
    """Parses a line of a flagfile to a flag, `--name=value`.

    Args:
        line: line of a flagfile.
        fields: fields of RunConfig, by name.

    Returns:
        The flag, the line itself if it has another form, or an empty text for
        blank lines and comments.
    """
    line = line.strip()
    if line.startswith(("#", "//")):
        return ""
    flag = _FLAG.fullmatch(line)
    if flag is None:
        return _without_comment(line, is_list=False)
    name, text = flag.groups()
    is_list = _is_list(name, fields)
    quoted = _QUOTED.fullmatch(text)
    if quoted and (not is_list or quoted[1] == "'"):
        return f"--{name}={quoted[2]}"
    return f"--{name}={_without_comment(text, is_list)}"


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


def _is_list(name: str, fields: dict) -> bool:
    return name in fields and kind_of(fields[name]) is tuple


def _is_special(text: str) -> bool:
    """True if `read_line` would misread a text without quotes."""
    return bool(
        text != text.strip() or _QUOTED.fullmatch(text) or _COMMENT.search(text)
    )


def _without_comment(text: str, is_list: bool) -> str:
    """Removes a comment; in a list, `#` inside quotes begins none."""
    num_quotes, place = 0, 0
    for found in _COMMENT.finditer(text):
        num_quotes += text.count('"', place, found.start())
        place = found.start()
        if not is_list or num_quotes % 2 == 0:
            return text[:place].rstrip()
    return text
