"""Which jobs a process takes when it is done with its own."""

import pytest

from tfstyle.batch.job_sharing import JobSharing
from tfstyle.distributed.environment import Cluster
from tfstyle.errors import WriteError
from tfstyle.system import file_lock

JOBS = range(1, 8)  # only their places in the list matter


def share(folder, index, size, source="Slurm", text="a list"):
    manifest = folder.parent / f"{folder.name}-{text}.csv"
    manifest.write_text(text)
    return JobSharing(str(folder), Cluster(size, index, source), str(manifest))


def lines_for(index, size, folder, source="Slurm"):
    others, left = share(folder, index, size, source).jobs_of_others(JOBS)
    assert left == []
    return others


def announce_all(folder, size, source="Slurm"):
    for index in range(size):
        share(folder, index, size, source)


@pytest.mark.parametrize("size", [1, 2, 3, 10])
def test_jobs_of_others_are_all_that_are_not_own(tmp_path, size):
    announce_all(tmp_path, size)
    for index in range(size):
        own = list(JOBS[index::size])
        found = lines_for(index, size, tmp_path)
        assert sorted(found + own) == (own if size == 1 else list(range(1, 8)))


def test_what_the_others_come_to_last_is_taken_first(tmp_path):
    announce_all(tmp_path, 3)
    assert lines_for(1, 3, tmp_path) == [7, 6, 4, 3, 1]


def test_jobs_of_who_did_not_begin_here_are_left(tmp_path):
    for index in (0, 1):
        share(tmp_path, index, 3)
    share(tmp_path, 1, 2)  # of another cluster
    share(tmp_path, 2, 3, text="another list")
    assert lines_for(0, 3, tmp_path) == [5, 2]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("SLURM_ARRAY_TASK_ID", [3, 6]),
        ("PBS_ARRAY_INDEX and TF_CONFIG", [3, 6]),
        ("AWS_BATCH_JOB_ARRAY_INDEX", []),  # containers have their own disks
    ],
)
def test_lines_of_an_array_s_absent_tasks_are_taken(tmp_path, source, expected):
    share(tmp_path, 1, 3, source)
    share(tmp_path, 2, 3, source, "another list")
    sharing = share(tmp_path, 0, 3, source)
    others, left = sharing.jobs_of_others(JOBS)
    assert others == [5, 2]
    assert left == expected


def test_parts_that_were_asked_for_are_left(tmp_path):
    announce_all(tmp_path, 2, "--shard")
    assert lines_for(0, 2, tmp_path, "--shard") == []
    assert list(tmp_path.iterdir()) == []


def test_without_locks_jobs_of_others_are_left(tmp_path, monkeypatch):
    monkeypatch.setattr(file_lock, "can_lock", lambda folder: False)
    announce_all(tmp_path, 2)
    assert lines_for(0, 2, tmp_path) == []


def test_somebodys_file_is_not_taken_for_a_worker(tmp_path):
    (tmp_path / "workers").mkdir()
    (tmp_path / "workers" / "1-of-2").write_text("the first of two\n")
    with pytest.raises(WriteError, match="was not created by a run"):
        share(tmp_path, 0, 2)


def test_folder_that_cannot_be_written_is_named(tmp_path):
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(WriteError, match=str(file)):
        share(file, 0, 2)
