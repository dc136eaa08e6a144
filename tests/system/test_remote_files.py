"""Remote files on a real S3 server, a web server and in memory."""

import errno
import functools
import http.server
import os
import threading

import fsspec
import pytest

from tests.refusals import refuses
from tfstyle.errors import RemoteFileError
from tfstyle.errors import SetupError
from tfstyle.system import remote_files

A = "s3://bucket/a.txt"


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch):
    monkeypatch.setattr(remote_files, "PAUSES", (0.01, 0.01))


@pytest.fixture
def web(tmp_path):
    """Yields a folder and the address at which it is served."""
    handler = functools.partial(
        http.server.SimpleHTTPRequestHandler, directory=tmp_path
    )
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever).start()
        yield tmp_path, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def read(path):
    with open(path, "rb") as file:
        return file.read()


def test_fetch_copies_a_file_once_while_it_stays_the_same(s3):
    s3.pipe("bucket/a.txt", b"first")
    path = remote_files.fetch(A)
    assert read(path) == b"first"
    assert path.endswith(".txt")
    assert remote_files.fetch(A) == path
    s3.pipe("bucket/a.txt", b"second")
    assert read(remote_files.fetch(A)) == b"second"


def test_fetch_leaves_local_paths(tmp_path):
    assert remote_files.fetch(f"{tmp_path}/a.txt") == f"{tmp_path}/a.txt"


def test_copies_are_removed(s3, monkeypatch):
    s3.pipe("bucket/a.txt", b"first")
    path = remote_files.fetch(A)
    for number in range(remote_files.MAX_COPIES):
        s3.pipe("bucket/a.txt", str(number).encode())
        remote_files.fetch(A)
    assert not os.path.exists(path)


def test_fetch_refuses_files_that_are_too_large(s3):
    s3.pipe("bucket/a.txt", b"12345")
    assert read(remote_files.fetch(A, 5)) == b"12345"
    with refuses("", A, "at most 4 bytes", kind=RemoteFileError):
        s3.pipe("bucket/a.txt", b"54321")
        remote_files.fetch(A, 4)


def test_copy_is_not_used_again_where_it_is_too_large(s3):
    s3.pipe("bucket/a.txt", b"7654321")
    remote_files.fetch(A)
    with refuses("", A, "at most 6 bytes", kind=RemoteFileError):
        remote_files.fetch(A, 6)


def test_fetch_names_a_missing_file_at_once(s3, caplog):
    for address in (A, "s3://other/a.txt"):
        with refuses("", address, "does not exist", kind=RemoteFileError):
            remote_files.fetch(address)
    assert "next attempt" not in caplog.text


def test_fetch_reads_from_the_web(web):
    folder, address = web
    (folder / "a.txt").write_bytes(b"from the web")
    path = remote_files.fetch(f"{address}/a.txt?size=3#top")
    assert read(path) == b"from the web"
    assert path.endswith(".txt")
    with refuses("", "does not exist", kind=RemoteFileError):
        remote_files.fetch(f"{address}/b.txt")


def test_web_server_that_is_gone_is_tried_again(web, caplog):
    address = "http://127.0.0.1:9/a.txt"  # nobody listens there
    with refuses("", address, "Cannot connect", kind=RemoteFileError):
        remote_files.version(address)
    assert caplog.text.count("next attempt") == len(remote_files.PAUSES)
    assert remote_files.version(f"{web[1]}/none.txt") == ""


def test_store_is_tried_again_until_it_is_back(s3_server, caplog, monkeypatch):
    server, store = s3_server
    store.pipe("bucket/a.txt", b"1")
    server.stop()
    monkeypatch.setattr(
        remote_files.time, "sleep", lambda pause: server.start()
    )
    assert read(remote_files.fetch(A)) == b"1"
    assert f"{A!r} cannot be read" in caplog.text
    assert "next attempt" in caplog.text


def test_store_that_stays_away_is_named(s3_server, caplog):
    server, store = s3_server
    store.pipe("bucket/a.txt", b"1")
    server.stop()
    with refuses("", A, "Could not connect", kind=RemoteFileError) as caught:
        remote_files.fetch(A)
    assert len(str(caught.value).splitlines()) == 1
    assert caplog.text.count("next attempt") == len(remote_files.PAUSES)


def test_upload_replaces_a_file(s3, tmp_path):
    (tmp_path / "a").write_bytes(b"1")
    for data in (b"1", b"22"):
        (tmp_path / "a").write_bytes(data)
        remote_files.upload(f"{tmp_path}/a", A)
        assert s3.cat("bucket/a.txt") == data


def test_upload_that_fails_leaves_both_files(s3_server, tmp_path):
    server, store = s3_server
    store.pipe("bucket/a.txt", b"before")
    server.stop()
    (tmp_path / "a").write_bytes(b"after")
    with refuses("", A, "same command", kind=RemoteFileError):
        remote_files.upload(f"{tmp_path}/a", A)
    server.start()
    assert store.cat("bucket/a.txt") == b"before"
    assert read(tmp_path / "a") == b"after"


def test_versions_ask_once_for_a_folder(s3, monkeypatch):
    addresses = [f"s3://bucket/{n % 2}/{n}.png" for n in range(20)]
    for address in addresses[:15]:
        s3.pipe(address, address.encode())
    asked = []
    call = type(s3)._call_s3

    def count(self, method, *arguments, **options):
        asked.append(method)
        return call(self, method, *arguments, **options)

    monkeypatch.setattr(type(s3), "_call_s3", count)
    found = remote_files.versions(addresses)
    assert set(found) == set(addresses[:15])
    assert len(set(found.values())) == 15
    assert len(asked) <= 2
    for address in addresses:
        assert remote_files.version(address) == found.get(address, "")


def test_versions_leave_out_what_cannot_be_asked_for(s3, monkeypatch):
    s3.pipe("bucket/a.txt", b"1")
    call = type(s3)._call_s3

    async def forbid(self, method, *arguments, **options):
        if options.get("Bucket") == "other" or "other" in str(arguments):
            raise PermissionError("AccessDenied")
        return await call(self, method, *arguments, **options)

    monkeypatch.setattr(type(s3), "_call_s3", forbid)
    others = ["s3://other/a.txt", "s3://other", "http://127.0.0.1:9/a.txt"]
    assert list(remote_files.versions([A, *others])) == [A]


def test_versions_of_names_with_empty_folders_are_their_own():
    store = fsspec.filesystem("memory")
    store.pipe("/folder/a.txt", b"1")
    assert remote_files.versions(["memory://folder//a.txt"]) == {}
    store.rm("/folder", recursive=True)


def test_full_disk_is_named_at_once(s3, caplog, monkeypatch):
    s3.pipe("bucket/a.txt", b"not copied yet")

    def fail(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(type(s3), "_open", fail)
    with refuses("", A, "No space left", kind=RemoteFileError):
        remote_files.fetch(A)
    assert "next attempt" not in caplog.text


def test_memory_is_a_store(tmp_path):
    (tmp_path / "a").write_bytes(b"1")
    remote_files.upload(f"{tmp_path}/a", "memory://folder/a.png")
    assert read(remote_files.fetch("memory://folder/a.png")) == b"1"
    assert remote_files.list_names("memory://folder") == ["a.png"]
    assert remote_files.list_names("memory://other") == []
    assert remote_files.version("memory://folder/a.png")
    fsspec.filesystem("memory").rm("/folder", recursive=True)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("s3://bucket/in", ["s3://bucket/in/a.png", "s3://bucket/in/b.jpg"]),
        ("s3://bucket/in/*.jpg", ["s3://bucket/in/b.jpg"]),
        ("s3://bucket/in/sub*/**", ["s3://bucket/in/sub/d.png"]),
        ("s3://bucket/in/[x].png", None),
        ("s3://bucket/in/a.png", None),
        ("s3://bucket/none", None),
        ("https://a/b?c=*", None),
    ],
)
def test_expand_lists_folders_and_patterns(s3, address, expected):
    for name in ("a.png", "b.jpg", "c.txt", "sub/d.png"):
        s3.pipe(f"bucket/in/{name}", b"1")
    if expected is None:
        s3.pipe("bucket/in/[x].png", b"1")
    found = remote_files.expand(address, (".png", ".jpg"))
    assert found == expected


def test_missing_package_is_named_with_its_command(monkeypatch):
    def fail(*_, **__):
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr(fsspec, "url_to_fs", fail)
    for scheme, package in remote_files.PACKAGES.items():
        address = f"{scheme}://a/b.png"
        with refuses("", address, f"pip install {package}", kind=SetupError):
            remote_files.fetch(address)


def test_mirror_is_named_by_its_address(monkeypatch, tmp_path):
    monkeypatch.setenv("TFSTYLE_CACHE", str(tmp_path))
    path = remote_files.mirror("s3://bucket/a/b.png")
    assert path.startswith(str(tmp_path))
    assert os.path.basename(path) == "b.png"
    assert remote_files.mirror("s3://bucket/b/b.png") != path
    text = remote_files.name_addresses(f"Wrote {path} and /tmp/c.png")
    assert text == "Wrote s3://bucket/a/b.png and /tmp/c.png"


@pytest.mark.parametrize(
    "address", ["s3://bucket", "s3://bucket/..", "s3://bucket/a/", "s3://"]
)
def test_mirror_refuses_addresses_without_a_name(address):
    with refuses("", address, kind=RemoteFileError):
        remote_files.mirror(address)
