"""Locks that end with their process."""

import os
import threading
import time

import pytest

from tfstyle.system import file_lock


def test_lock_is_held_once(tmp_path):
    path = str(tmp_path / "lock")
    with file_lock.locked(path):
        assert file_lock.is_locked(path)
        with pytest.raises(file_lock.LockedError):
            file_lock.locked(path).__enter__()
    assert not file_lock.is_locked(path)
    assert os.path.exists(path)


def test_file_that_is_not_there_is_not_made(tmp_path):
    with pytest.raises(FileNotFoundError):
        file_lock.is_locked(str(tmp_path / "lock"))
    assert os.listdir(tmp_path) == []


def test_who_looks_keeps_nobody_out(tmp_path):
    path = str(tmp_path / "lock")
    with file_lock.locked(path):
        pass
    is_done = threading.Event()

    def look():
        while not is_done.is_set():
            file_lock.is_locked(path)
            time.sleep(0.002)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        for _ in range(200):
            with file_lock.locked(path):
                pass
    finally:
        is_done.set()
        thread.join()
