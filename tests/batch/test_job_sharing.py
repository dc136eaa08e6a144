"""Which jobs a process takes when it is done with its own."""

import concurrent.futures
import contextlib
import errno
import itertools
import os
import threading

import pytest

from tfstyle.batch.job_sharing import CLAIMS
from tfstyle.batch.job_sharing import JobSharing
from tfstyle.distributed.environment import SLURM_ARRAY
from tfstyle.distributed.environment import Cluster
from tfstyle.errors import WriteError
from tfstyle.experiment.run_directory import BusyError
from tfstyle.system import file_lock

JOBS = range(1, 8)  # only their places in the list matter


def share(folder, index, size, source="Slurm", text="a list"):
    manifest = folder.parent / f"{folder.name}-{text}.csv"
    manifest.write_text(text)
    return JobSharing(str(folder), Cluster(size, index, source), str(manifest))


def lines_for(index, size, folder, source="Slurm"):
    sharing = share(folder, index, size, source)
    others, left = sharing.jobs_of_others(JOBS)
    assert left == []
    return others


def announce_all(folder, size, source="Slurm"):
    for index in range(size):
        share(folder, index, size, source)


@pytest.fixture
def no_locks(monkeypatch):
    """A disk that knows no locks."""

    def fail(file):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(file_lock, "_find_out", fail)


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
    assert lines_for(0, 3, tmp_path) == [5, 2]


def test_lines_of_an_array_s_absent_tasks_are_taken(tmp_path):
    share(tmp_path, 1, 3, SLURM_ARRAY)
    share(tmp_path, 2, 3, SLURM_ARRAY, "another list")
    sharing = share(tmp_path, 0, 3, SLURM_ARRAY)
    others, left = sharing.jobs_of_others(JOBS)
    assert others == [5, 2]
    assert left == [3, 6]


def test_parts_that_were_asked_for_are_left(tmp_path):
    announce_all(tmp_path, 2, "--shard")
    assert lines_for(0, 2, tmp_path, "--shard") == []
    assert list(tmp_path.iterdir()) == []


def test_without_locks_a_job_is_one_process_s(tmp_path, no_locks):
    first, second = (share(tmp_path, index, 2) for index in (0, 1))
    with first.claimed("a"), second.claimed("b"):
        for sharing, name in ((first, "b"), (second, "a"), (first, "a")):
            with pytest.raises(BusyError), sharing.claimed(name):
                pass
    with second.claimed("a"), first.claimed("b"):
        pass
    assert os.listdir(tmp_path / CLAIMS) == []
    assert lines_for(0, 2, tmp_path) == [6, 4, 2]


def test_claim_ends_with_an_error(tmp_path, no_locks):
    sharing = share(tmp_path, 0, 2)
    with pytest.raises(ZeroDivisionError), sharing.claimed("a"):
        raise ZeroDivisionError
    with sharing.claimed("a"):
        pass


def test_claims_of_a_killed_process_are_its_own(tmp_path, no_locks):
    killed = share(tmp_path, 0, 2).claimed("a")
    killed.__enter__()
    other = share(tmp_path, 1, 2)
    with pytest.raises(BusyError), other.claimed("a"):
        pass
    with share(tmp_path, 0, 2).claimed("a"):
        pass


def test_claims_are_removed_and_nothing_that_looks_alike(tmp_path, no_locks):
    place = tmp_path / CLAIMS / "insurance" / "1"
    place.mkdir(parents=True)
    (place / "letter.txt").write_text("Dear")
    with share(tmp_path, 0, 2).claimed("a"):
        pass
    assert (place / "letter.txt").read_text() == "Dear"


def test_only_one_of_many_claims_a_job(tmp_path, no_locks):
    number = 8
    names = [str(job) for job in range(20)]
    ready = threading.Barrier(number, timeout=60)

    def claim(index):
        sharing, claims = share(tmp_path, index, number), []
        for name in names:
            ready.wait()
            with contextlib.ExitStack() as stack:
                with contextlib.suppress(BusyError):
                    stack.enter_context(sharing.claimed(name))
                    claims.append(name)
                ready.wait()
        return claims

    with concurrent.futures.ThreadPoolExecutor(number) as pool:
        claims = itertools.chain(*pool.map(claim, range(number)))
    assert sorted(claims) == sorted(names)


def test_somebodys_file_is_not_taken_for_a_worker(tmp_path):
    (tmp_path / "workers").mkdir()
    (tmp_path / "workers" / "1-of-2").write_text("the first of two\n")
    with pytest.raises(WriteError, match="was not created by a run"):
        share(tmp_path, 0, 2)


def test_with_locks_nothing_is_claimed(tmp_path):
    sharing = share(tmp_path, 0, 2)
    with sharing.claimed("a"), sharing.claimed("a"):
        assert not (tmp_path / CLAIMS).exists()


def test_folder_that_cannot_be_written_is_named(tmp_path):
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(WriteError, match=str(file)):
        share(file, 0, 2)
