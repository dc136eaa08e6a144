"""What a process says as memory runs out, in real child processes."""

import os
import re
import signal

import pytest

from tests.processes import end_python
from tests.processes import start_python
from tfstyle.system import out_of_memory

# C++'s own `new`, which nobody catches here.
BAD_ALLOC = """
import ctypes
import threading

from tfstyle.system import out_of_memory

allocate = getattr(ctypes.CDLL("libstdc++.so.6"), "_Znwm")
allocate.argtypes = [ctypes.c_size_t]

def run():
    with out_of_memory.speaking_of_native_failures():
        out_of_memory.set_message("error: give less")
        {place}

run()
"""
IN_MAIN = "allocate(2**60)"
IN_THREAD = """
        thread = threading.Thread(target=allocate, args=[2**60])
        thread.start()
        thread.join()
"""


@pytest.mark.parametrize("place", [IN_MAIN, IN_THREAD])
def test_uncaught_bad_alloc_is_one_line_and_status_1(place):
    status, _, err = end_python(start_python(BAD_ALLOC.format(place=place)))
    assert (status, err) == (1, "error: give less\n")


# C++ is told to end, without an exception.
OTHER_END = """
import ctypes

from tfstyle.system import out_of_memory

with out_of_memory.speaking_of_native_failures():
    getattr(ctypes.CDLL("libstdc++.so.6"), "_ZSt9terminatev")()
"""


def test_other_ends_of_native_code_keep_their_own_words():
    status, _, err = end_python(start_python(OTHER_END))
    assert status == -signal.SIGABRT
    assert err == "terminate called without an active exception\n"


WATCHED = """
import os

from tfstyle.system import out_of_memory

with out_of_memory.speaking_of_native_failures():
    out_of_memory.set_message("error: the first")
    out_of_memory.set_message("error: the last")
    {end}
out_of_memory.set_message("error: nobody is there")
print("done")
"""


def watch(path, end):
    """Runs WATCHED with a counter of one's own."""
    setup = (
        "from tfstyle.system import out_of_memory as m\n"
        f"m._WATCH = m._WATCH.replace('/proc/vmstat', {str(path)!r})\n"
    )
    return end_python(start_python(setup + WATCHED.format(end=end)))


@pytest.mark.parametrize("number", [2, 4])
def test_process_that_the_kernel_killed_is_spoken_for(tmp_path, number):
    path = tmp_path / "vmstat"
    path.write_text("nr_free_pages 5\noom_kill 3\n")
    end = f"""
    import time
    time.sleep(0.5)  # the child has counted
    open({str(path)!r}, "w").write("nr_free_pages 5\\noom_kill {number}\\n")
    os.kill(os.getpid(), 9)
    """
    status, _, err = watch(path, end)
    assert status == -signal.SIGKILL
    assert err == ("error: the last\n" if number > 3 else "")


@pytest.mark.parametrize("end", ["pass", "os._exit(130)"])
def test_process_that_ends_by_itself_is_not_spoken_for(tmp_path, end):
    path = tmp_path / "vmstat"
    path.write_text("oom_kill 3\n")
    status, out, err = watch(path, end)
    assert (status, err) == ((0, "") if end == "pass" else (130, ""))
    assert out == ("done\n" if end == "pass" else "")


def test_nothing_is_left_after_the_block():
    def children():
        with open(f"/proc/self/task/{os.getpid()}/children") as file:
            return file.read().split()

    files, before = os.listdir("/proc/self/fd"), children()
    with out_of_memory.speaking_of_native_failures():
        assert len(children()) == len(before) + 1
    assert children() == before
    assert len(os.listdir("/proc/self/fd")) == len(files)


def test_block_goes_on_where_no_process_can_be_started(monkeypatch):
    def refuse(*_, **__):
        raise OSError(12, "Cannot allocate memory")

    monkeypatch.setattr(out_of_memory.subprocess, "Popen", refuse)
    with out_of_memory.speaking_of_native_failures():
        out_of_memory.set_message("error: nothing")


def test_kernel_tells_how_many_processes_it_has_killed():
    with open("/proc/vmstat", encoding="ascii") as file:
        assert re.search(r"^oom_kill \d+$", file.read(), re.M)
