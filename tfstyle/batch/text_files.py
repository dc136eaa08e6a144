"""Reads text files in any encoding that spreadsheets and editors write."""

import codecs
import re

from absl import logging

from tfstyle.errors import ConfigError
from tfstyle.errors import one_line
from tfstyle.flags.named_files import read_bytes

MAX_FILE = 100_000_000
"""Maximum size of a file, bytes; bounds the memory needed."""

_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",  # before UTF-16, whose mark is its prefix
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_OLDER = {"cp1252": "Windows-1252", "mac_roman": "Mac Roman"}
"""Names of legacy encodings, which cannot be detected reliably."""
_OTHER_FILES = {
    b"PK\3\4": "a spreadsheet (such as .xlsx or .ods) or an archive",
    b"\xd0\xcf\x11\xe0": "a spreadsheet (.xls)",
    b"\x1f\x8b": "compressed (gzip)",
    b"{\\rtf": "a formatted text (RTF)",
    b"%PDF": "a PDF",
    b"<": "a page (HTML or XML)",
}
"""Descriptions of other file types, by their first bytes."""


def read_text(path: str) -> str:
    r"""Reads a text file, detects its encoding and normalises line ends to \n.

    The encoding follows from a byte order mark, or from zeros for UTF-16
    without a mark; otherwise it is UTF-8. Text that is not valid UTF-8 is read
    as Mac Roman if its lines end in CR alone, else as Windows-1252. As this is
    a guess, a warning shows the first line with such a character.

    Raises:
        ConfigError: if the file cannot be read, is too long or is not text.
    """
    data = read_bytes(path, "`manifest`", MAX_FILE)
    if len(data) > MAX_FILE:
        raise ConfigError(
            f"`manifest` {path!r} must have at most {MAX_FILE} bytes. Split it."
        )
    start = data[:100].removeprefix(codecs.BOM_UTF8).lstrip()
    for signature, kind in _OTHER_FILES.items():
        if start.startswith(signature):
            raise ConfigError(
                f"`manifest` {path!r} is {kind}, no plain text. Save it as CSV."
            )
    encoding = _find_encoding(data)
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        before = error.object[: error.start].decode(encoding, "ignore")
        line = len(re.findall("\r\n?|\n", before)) + 1
        raise ConfigError(
            f"`manifest` {path!r}, line {line}: must be text in UTF-8"
            f" ({error.reason}). Save it as CSV in UTF-8."
        ) from error
    if re.search("[\0-\x08\x0e-\x1f]" if encoding in _OLDER else "\0", text):
        raise ConfigError(
            f"`manifest` {path!r} is no text but binary. Save it as CSV in"
            " UTF-8."
        )
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if encoding in _OLDER:
        before = re.match(r"[\0-\x7f]*", text)[0]
        line = before.count("\n") + 1
        logging.warning(
            "warning: %r is not UTF-8 and is read as %s (line %d: %s)."
            " If that is wrong, save it as CSV in UTF-8.",
            path,
            _OLDER[encoding],
            line,
            one_line(text[before.rfind("\n") + 1 :].partition("\n")[0], 80),
        )
    return text


def _find_encoding(data: bytes) -> str:
    for mark, encoding in _MARKS.items():
        if data.startswith(mark):
            return encoding
    zeros = [byte == 0 for byte in data[:2]]
    if zeros == [False, True]:
        return "utf-16-le"
    if zeros == [True, False]:
        return "utf-16-be"
    try:
        data.decode()
    except UnicodeDecodeError:
        is_macintosh = b"\r" in data and b"\n" not in data
        return "mac_roman" if is_macintosh else "cp1252"
    return "utf-8"
