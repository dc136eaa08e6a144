"""Files that are there whole or not at all."""

import contextlib
import errno
import os
import stat

import pytest

from tfstyle.errors import WriteError
from tfstyle.system import atomic_file

NAME = "a.txt"


@contextlib.contextmanager
def umask(mask):
    previous = os.umask(mask)
    try:
        yield
    finally:
        os.umask(previous)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty folder, which is the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def previous(folder):
    """A file with previous content, to be replaced."""
    path = folder / NAME
    path.write_text("a longer previous content")
    return path


def write_half(path, error, *, unlink=False):
    with atomic_file.replacing(str(path)) as temporary:
        with open(temporary, "w", encoding="utf-8") as file:
            file.write("ne")
        if unlink:
            os.unlink(temporary)
        raise error


def check_content(folder, text):
    """Checks that the file has the text and is alone in its folder."""
    assert (folder / NAME).read_text() == text
    assert os.listdir(folder) == [NAME]


def test_replacing_creates_a_file_in_the_current_folder(folder):
    atomic_file.write_text(NAME, "new")
    check_content(folder, "new")


def test_replacing_leaves_the_previous_file_until_the_block_ends(previous):
    before = previous.read_text()
    with atomic_file.replacing(str(previous)) as temporary:
        with open(temporary, "w", encoding="utf-8") as file:
            file.write("new")
        assert previous.read_text() == before
        # Only within a folder is renaming one step.
        assert os.path.dirname(temporary) == str(previous.parent)
        assert os.path.splitext(temporary)[1] == ".txt"
    check_content(previous.parent, "new")


@pytest.mark.parametrize("error", [ValueError, OSError, KeyboardInterrupt])
@pytest.mark.parametrize("unlink", [False, True])
def test_replacing_leaves_all_as_it_was_when_the_block_raises(
    previous, error, unlink
):
    before = previous.read_text()
    with pytest.raises(error, match=r"^halfway$"):
        write_half(previous, error("halfway"), unlink=unlink)
    check_content(previous.parent, before)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("folder", "folder"),
        ("missing/a.txt", "No such file"),
        ("file/a.txt", "Not a directory"),
    ],
)
def test_replacing_refuses_a_path_that_cannot_be_a_file(folder, path, message):
    (folder / "folder").mkdir()
    (folder / "file").touch()
    with pytest.raises(WriteError, match=message):
        atomic_file.write_text(path, "new")
    assert sorted(os.listdir(folder)) == ["file", "folder"]


def test_replacing_leaves_all_as_it_was_when_syncing_fails(
    previous, monkeypatch
):
    def fail(handle):
        raise OSError(errno.EIO, "Input/output error")

    before = previous.read_text()
    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="Input/output error"):
        atomic_file.write_text(NAME, "new")
    check_content(previous.parent, before)


@pytest.mark.parametrize("name", ["fsync", "chmod", "fchmod"])
def test_replacing_does_without_what_a_mount_refuses(folder, monkeypatch, name):
    def refuse(*_):
        raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))

    monkeypatch.setattr(os, name, refuse)
    atomic_file.write_text(NAME, "new")
    check_content(folder, "new")


@pytest.mark.parametrize("is_there", [True, False])
def test_replacing_writes_what_a_symbolic_link_names(folder, is_there):
    target = folder / "folder"
    target.mkdir()
    if is_there:
        (target / NAME).write_text("previous")
    (folder / "link").symlink_to(f"folder/{NAME}")
    atomic_file.write_text("link", "new")
    assert (folder / "link").is_symlink()
    check_content(target, "new")


def test_replacing_syncs_the_file_before_renaming_and_the_folder_after(
    folder, monkeypatch
):
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
    atomic_file.write_text(NAME, "new")
    assert events == ["sync file", "rename", "sync folder"]


@pytest.mark.parametrize(
    ("mask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)]
)
def test_replacing_gives_the_mode_that_the_umask_leaves(folder, mask, mode):
    with umask(mask):
        atomic_file.write_text(NAME, "new")
        assert os.umask(mask) == mask  # and it is left as it was
    assert stat.S_IMODE(os.stat(NAME).st_mode) == mode


def test_replacing_keeps_the_mode(previous):
    previous.chmod(0o640)
    atomic_file.write_text(NAME, "after")
    assert stat.S_IMODE(previous.stat().st_mode) == 0o640


def test_replacing_keeps_an_unfinished_file_to_its_owner(folder):
    with umask(0), atomic_file.replacing(NAME) as temporary:
        assert stat.S_IMODE(os.stat(temporary).st_mode) == 0o600


def test_replacing_takes_the_longest_name_that_the_folder_takes(folder):
    name = "n" * (os.pathconf(folder, "PC_NAME_MAX") - 4) + ".txt"
    atomic_file.write_text(name, "new")
    assert os.listdir(folder) == [name]


def test_write_text_writes_utf_8_and_line_feeds(folder):
    atomic_file.write_text(NAME, "B\u00e4r\n\u732b\n")
    assert (folder / NAME).read_bytes() == b"B\xc3\xa4r\n\xe7\x8c\xab\n"
    atomic_file.write_text(NAME, "")
    assert (folder / NAME).read_bytes() == b""


def test_write_text_leaves_the_previous_when_the_text_cannot_be_written(
    previous,
):
    before = previous.read_text()
    with pytest.raises(UnicodeEncodeError, match="surrogates not allowed"):
        atomic_file.write_text(NAME, "long enough " * 9999 + "\udc80")
    check_content(previous.parent, before)
