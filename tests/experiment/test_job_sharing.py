"""Which jobs a process takes when it is done with its own."""

import errno

import pytest

from tfstyle.distributed.environment import Cluster
from tfstyle.errors import WriteError
from tfstyle.experiment.job_sharing import announce
from tfstyle.experiment.job_sharing import jobs_of_others
from tfstyle.experiment.manifest import Job
from tfstyle.system import file_lock

JOBS = [Job(line, {}) for line in range(1, 8)]


def lines_for(index, size, folder, source="Slurm"):
    own = Cluster(size, index, source)
    return [job.line for job in jobs_of_others(JOBS, own, str(folder))]


def announce_all(folder, size, source="Slurm"):
    for index in range(size):
        announce(str(folder), Cluster(size, index, source))


@pytest.mark.parametrize("size", [1, 2, 3, 10])
def test_jobs_of_others_are_all_that_are_not_own(tmp_path, size):
    announce_all(tmp_path, size)
    for index in range(size):
        own = [job.line for job in JOBS[index::size]]
        found = lines_for(index, size, tmp_path)
        assert sorted(found + own) == (own if size == 1 else list(range(1, 8)))


def test_what_the_others_come_to_last_is_taken_first(tmp_path):
    announce_all(tmp_path, 3)
    assert lines_for(1, 3, tmp_path) == [7, 6, 4, 3, 1]


def test_jobs_of_who_did_not_begin_here_are_left(tmp_path):
    for index in (0, 1):
        announce(str(tmp_path), Cluster(3, index, "Slurm"))
    announce(str(tmp_path), Cluster(2, 1, "Slurm"))  # of another cluster
    assert lines_for(0, 3, tmp_path) == [5, 2]


def test_parts_that_were_asked_for_are_left(tmp_path):
    announce_all(tmp_path, 2, "--shard")
    assert lines_for(0, 2, tmp_path, "--shard") == []
    assert list(tmp_path.iterdir()) == []


def test_jobs_are_left_to_others_where_there_are_no_locks(
    tmp_path, monkeypatch, caplog
):
    announce_all(tmp_path, 2)

    def fail(file):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(file_lock, "_find_out", fail)
    assert lines_for(0, 2, tmp_path) == []
    assert "knows no locks" in caplog.text


def test_folder_that_cannot_be_written_is_named(tmp_path):
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(WriteError, match=str(file)):
        announce(str(file), Cluster(2, 0, "Slurm"))
