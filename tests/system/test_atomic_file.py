"""Files that are there whole or not at all."""

import contextlib
import errno
import os
import re
import stat

import pytest

from tfstyle.errors import WriteError
from tfstyle.system import atomic_file


@contextlib.contextmanager
def umask(mask):
    previous = os.umask(mask)
    try:
        yield
    finally:
        os.umask(previous)


def write(path, content):
    with (
        atomic_file.replacing(str(path)) as temporary,
        open(temporary, "w", encoding="utf-8") as file,
    ):
        file.write(content)


def write_half(path, error, *, unlink=False):
    with atomic_file.replacing(str(path)) as temporary:
        with open(temporary, "w", encoding="utf-8") as file:
            file.write("ne")
        if unlink:
            os.unlink(temporary)
        raise error


def test_replacing_puts_the_content_there(tmp_path):
    write(tmp_path / "a.txt", "new")
    assert (tmp_path / "a.txt").read_text() == "new"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_replacing_puts_the_content_in_the_place_of_the_previous(tmp_path):
    (tmp_path / "a.txt").write_text("a longer previous content")
    write(tmp_path / "a.txt", "new")
    assert (tmp_path / "a.txt").read_text() == "new"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_replacing_takes_a_name_in_the_current_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write("a.txt", "new")
    assert (tmp_path / "a.txt").read_text() == "new"


def test_replacing_leaves_the_previous_file_until_the_block_ends(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("previous")
    with atomic_file.replacing(str(path)) as temporary:
        with open(temporary, "w", encoding="utf-8") as file:
            file.write("new")
        assert path.read_text() == "previous"
        # Only within a folder is renaming one step.
        assert os.path.dirname(temporary) == str(tmp_path)
        assert os.path.splitext(temporary)[1] == ".txt"
    assert path.read_text() == "new"


@pytest.mark.parametrize("error", [ValueError, OSError, KeyboardInterrupt])
@pytest.mark.parametrize("previous", [None, "previous"])
def test_replacing_leaves_all_as_it_was_when_the_block_raises(
    tmp_path, error, previous
):
    path = tmp_path / "a.txt"
    if previous is not None:
        path.write_text(previous)
    before = os.listdir(tmp_path)
    with pytest.raises(error, match=r"^halfway$"):
        write_half(path, error("halfway"))
    assert os.listdir(tmp_path) == before
    if previous is not None:
        assert path.read_text() == previous


def test_replacing_raises_the_blocks_error_when_the_temporary_is_gone(tmp_path):
    with pytest.raises(ValueError, match=r"^halfway$"):
        write_half(tmp_path / "a.txt", ValueError("halfway"), unlink=True)
    assert os.listdir(tmp_path) == []


def test_replacing_leaves_no_temporary_when_renaming_fails(tmp_path):
    (tmp_path / "a.txt").mkdir()
    with pytest.raises(WriteError, match=r"a\.txt"):
        write(tmp_path / "a.txt", "new")
    assert os.listdir(tmp_path) == ["a.txt"]


def test_replacing_leaves_all_as_it_was_when_syncing_fails(
    tmp_path, monkeypatch
):
    path = tmp_path / "a.txt"
    path.write_text("previous")

    def fail(handle):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="Input/output error"):
        write(path, "new")
    assert path.read_text() == "previous"
    assert os.listdir(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("name", ["fsync", "chmod", "fchmod"])
def test_replacing_does_without_what_a_mount_refuses(
    tmp_path, monkeypatch, name
):
    def refuse(*_):
        raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))

    monkeypatch.setattr(os, name, refuse)
    write(tmp_path / "a.txt", "new")
    assert (tmp_path / "a.txt").read_text() == "new"
    assert os.listdir(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("is_there", [True, False])
def test_replacing_writes_what_a_symbolic_link_names(tmp_path, is_there):
    folder = tmp_path / "folder"
    folder.mkdir()
    if is_there:
        (folder / "a.txt").write_text("previous")
    (tmp_path / "link").symlink_to("folder/a.txt")
    write(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink()
    assert (folder / "a.txt").read_text() == "new"
    assert os.listdir(folder) == ["a.txt"]


def test_replacing_syncs_the_file_before_renaming_and_the_folder_after(
    tmp_path, monkeypatch
):
    path = tmp_path / "a.txt"
    events = []
    fsync, replace = os.fsync, os.replace

    def record_fsync(handle):
        is_folder = stat.S_ISDIR(os.fstat(handle).st_mode)
        events.append("sync folder" if is_folder else "sync file")
        fsync(handle)

    def record_replace(source, target):
        events.append("rename")
        replace(source, target)

    monkeypatch.setattr(os, "fsync", record_fsync)
    monkeypatch.setattr(os, "replace", record_replace)
    write(path, "new")
    assert events == ["sync file", "rename", "sync folder"]


@pytest.mark.parametrize(
    ("mask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)]
)
def test_replacing_gives_the_mode_that_the_umask_leaves(tmp_path, mask, mode):
    path = tmp_path / "a.txt"
    with umask(mask):
        write(path, "new")
        assert os.umask(mask) == mask  # and it is left as it was
    assert stat.S_IMODE(path.stat().st_mode) == mode


def test_replacing_keeps_the_mode(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("before")
    path.chmod(0o640)
    atomic_file.write_text(str(path), "after")
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_replacing_keeps_an_unfinished_file_to_its_owner(tmp_path):
    with (
        umask(0),
        atomic_file.replacing(str(tmp_path / "a.txt")) as temporary,
    ):
        assert stat.S_IMODE(os.stat(temporary).st_mode) == 0o600


def test_replacing_raises_when_the_folder_is_not_there(tmp_path):
    path = tmp_path / "missing" / "a.txt"
    with pytest.raises(WriteError, match=re.escape("No such file")):
        write(path, "new")
    assert os.listdir(tmp_path) == []


def test_replacing_raises_when_the_folder_is_a_file(tmp_path):
    (tmp_path / "file").write_text("previous")
    with pytest.raises(WriteError, match="Not a directory"):
        write(tmp_path / "file" / "a.txt", "new")


def test_replacing_takes_the_longest_name_that_the_folder_takes(tmp_path):
    name = "n" * (os.pathconf(tmp_path, "PC_NAME_MAX") - 4) + ".txt"
    write(tmp_path / name, "new")
    assert os.listdir(tmp_path) == [name]


def test_write_text_writes_utf_8_and_line_feeds(tmp_path):
    path = tmp_path / "a.txt"
    atomic_file.write_text(str(path), "B\u00e4r\n\u732b\n")
    assert path.read_bytes() == b"B\xc3\xa4r\n\xe7\x8c\xab\n"
    atomic_file.write_text(str(path), "")
    assert path.read_bytes() == b""


def test_write_text_leaves_the_previous_when_the_text_cannot_be_written(
    tmp_path,
):
    path = tmp_path / "a.txt"
    path.write_text("previous")
    with pytest.raises(UnicodeEncodeError, match="surrogates not allowed"):
        atomic_file.write_text(str(path), "long enough " * 9999 + "\udc80")
    assert path.read_text() == "previous"
    assert os.listdir(tmp_path) == ["a.txt"]
