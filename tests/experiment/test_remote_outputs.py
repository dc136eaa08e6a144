"""Local copies of remote outputs, on a real S3 server."""

import contextlib
import os
import pathlib

import pytest

from tests.stores import names_in
from tfstyle.config.run_config import RunConfig
from tfstyle.errors import WriteError
from tfstyle.experiment import remote_outputs
from tfstyle.experiment import workdir_files
from tfstyle.system import paths

OUTPUT = "s3://bucket/out/a.png"
RUN = "s3://bucket/run"


def write_and_stop(address, data):
    with (
        contextlib.suppress(KeyboardInterrupt),
        remote_outputs.staged_file(address) as path,
    ):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        pathlib.Path(path).write_bytes(data)
        raise KeyboardInterrupt


@contextlib.contextmanager
def staged_workdir(address=RUN):
    config = RunConfig(workdir=address)
    with remote_outputs.staged(config) as config:
        folder = pathlib.Path(config.workdir)
        folder.mkdir(parents=True, exist_ok=True)
        yield folder


def test_file_that_was_not_uploaded_is_uploaded_by_the_next_run(s3):
    write_and_stop(OUTPUT, b"painted")
    assert not s3.exists(OUTPUT)
    with remote_outputs.staged_file(OUTPUT):
        pass
    assert s3.cat(OUTPUT) == b"painted"
    assert not os.listdir(os.path.join(paths.cache_folder(), "remote"))


@pytest.mark.parametrize("before", [None, b"before"])
def test_file_that_was_not_uploaded_replaces_no_later_one(s3, before):
    if before:
        s3.pipe(OUTPUT, before)
    write_and_stop(OUTPUT, b"painted")
    s3.pipe(OUTPUT, b"of another machine")
    with remote_outputs.staged_file(OUTPUT) as path:
        assert pathlib.Path(path).read_bytes() == b"of another machine"
    assert s3.cat(OUTPUT) == b"of another machine"


def test_workdir_uploads_only_what_has_changed(s3):
    with staged_workdir() as folder:
        (folder / workdir_files.CHECKPOINTS).mkdir()
        (folder / workdir_files.FLAGS).write_bytes(b"1")
        (folder / workdir_files.METRICS).write_bytes(b"1")
    for name in (workdir_files.FLAGS, workdir_files.METRICS):
        s3.pipe(f"{RUN}/{name}", b"of another machine")
    with contextlib.suppress(WriteError), staged_workdir() as folder:
        (folder / workdir_files.METRICS).write_bytes(b"2")
        raise WriteError("cannot be used")
    flags = s3.cat(f"{RUN}/{workdir_files.FLAGS}")
    assert flags == b"of another machine"
    assert s3.cat(f"{RUN}/{workdir_files.METRICS}") == b"2"


def test_renamed_workdir_is_uploaded_whole(s3):
    with staged_workdir() as folder:
        (folder / workdir_files.CHECKPOINTS).mkdir()
        (folder / workdir_files.FLAGS).write_bytes(b"1")
    with staged_workdir() as folder:
        folder.rename(f"{folder}.1")
        folder.mkdir()
    assert names_in(s3) == ["run.1/flags.cfg", "run/flags.cfg"]


def test_workdir_of_a_similar_name_stays(s3):
    with staged_workdir(f"{RUN}.1") as other:
        (other / workdir_files.CHECKPOINTS).mkdir()
    with staged_workdir():
        pass
    assert (other / workdir_files.CHECKPOINTS).exists()
