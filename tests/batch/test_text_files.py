"""Texts are read in every encoding; other files are named."""

import io
import zipfile

import pytest

from tests.refusals import refuses
from tfstyle.batch import text_files

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
    [("cp1252", "\r\n", "Windows-1252"), ("mac_roman", "\r", "Mac Roman")],
)
def test_older_encodings_are_read_with_a_warning(
    read, caplog, encoding, end, name
):
    assert read(TEXT.replace("\n", end).encode(encoding)) == TEXT
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    for datum in ("'a.csv'", name, "line 2:", "München.png"):
        assert datum in record.getMessage()


def make_xlsx():
    """Returns what every file of a spreadsheet begins with: an archive."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
    return file.getvalue()


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (make_xlsx(), ".xlsx"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", ".xls"),
        (b"{\\rtf1\\ansi output_image}", "RTF"),
        (b"\xef\xbb\xbf\n<!DOCTYPE html>", "HTML"),
        (b"\x89PNG\r\n\x1a\n", "binary"),
        (bytes(1000), "binary"),
        (b"a\xe4\0", "binary"),
        ("a\n\0".encode("utf-16"), "binary"),
        (b"a\n\xe4\n\x81", "line 3:"),
        ("a\r\nb".encode("utf-16")[:-1], "line 2:"),
        (b"\xef\xbb\xbfa\n\xff", "line 2:"),
    ],
)
def test_files_that_are_no_text_are_refused_by_their_kind(read, data, text):
    with refuses("manifest", "'a.csv'", text):
        read(data)


def test_files_beyond_all_lists_are_refused(read, monkeypatch):
    monkeypatch.setattr(text_files, "MAX_FILE", 5)
    assert read(b"12345") == "12345"
    with refuses("manifest", "'a.csv'", "5 bytes"):
        read(b"123456")
