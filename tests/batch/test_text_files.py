"""Texts are read in every encoding; other files are named."""

import io
import zipfile

import pytest

from tfstyle.batch import text_files
from tfstyle.errors import ConfigError

TEXT = "output_image\nMünchen.png\n"


@pytest.fixture
def read(tmp_path, monkeypatch):
    """Returns a function that reads bytes as a text."""
    monkeypatch.chdir(tmp_path)

    def read(data, name="a.csv"):
        (tmp_path / name).write_bytes(data)
        return text_files.read_text(name)

    return read


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"]
)
def test_unicode_is_read_without_a_word(read, caplog, encoding, end):
    assert read(TEXT.replace("\n", end).encode(encoding)) == TEXT
    assert read("画.png".encode("utf-8-sig")) == "画.png"
    assert not caplog.text


@pytest.mark.parametrize(
    ("encoding", "end", "name"),
    [
        ("cp1252", "\n", "Windows-1252"),
        ("cp1252", "\r\n", "Windows-1252"),
        ("mac_roman", "\r", "Mac Roman"),
    ],
)
def test_older_encodings_are_read_with_a_warning(
    read, caplog, encoding, end, name
):
    assert read(TEXT.replace("\n", end).encode(encoding)) == TEXT
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert record.getMessage() == (
        f"warning: 'a.csv' is not UTF-8 and is read as {name} (line 2:"
        " München.png). If that is wrong, save it as CSV in UTF-8."
    )


def make_xlsx():
    """Returns what every file of a spreadsheet begins with: an archive."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
    return file.getvalue()


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (make_xlsx(), "is a spreadsheet (such as .xlsx or .ods)"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "is a spreadsheet (.xls)"),
        (b"{\\rtf1\\ansi output_image}", "is a formatted text (RTF)"),
        (b"\xef\xbb\xbf\n<!DOCTYPE html>", "is a page (HTML or XML)"),
        (b"\x89PNG\r\n\x1a\n", "is no text but binary. Save it as CSV in"),
        (bytes(1000), "is no text but binary."),
        (b"a\xe4\0", "is no text but binary."),
        ("a\n\0".encode("utf-16"), "is no text but binary."),
        (b"a\n\xe4\n\x81", ", line 3: must be text in UTF-8 (character maps"),
        ("a\r\nb".encode("utf-16")[:-1], ", line 2: must be text in UTF-8"),
        (b"\xef\xbb\xbfa\n\xff", ", line 2: must be text in UTF-8 (invalid"),
    ],
)
def test_files_that_are_no_text_are_refused_by_their_kind(read, data, text):
    with pytest.raises(ConfigError) as caught:
        read(data)
    assert str(caught.value).startswith("`manifest` 'a.csv'")
    assert text in str(caught.value)
    assert "ave it as CSV" in str(caught.value)


def test_files_beyond_all_lists_are_refused(read, monkeypatch):
    monkeypatch.setattr(text_files, "MAX_FILE", 5)
    assert read(b"12345") == "12345"
    with pytest.raises(ConfigError, match="must have at most 5 bytes"):
        read(b"123456")
