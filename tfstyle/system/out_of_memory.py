"""What is said when memory runs out where Python cannot catch it.

C++ ends the process if an allocation fails in a thread of TensorFlow's, and
the kernel kills one if memory is used up. Only programs ask for this; a
library leaves the process as it is.
"""

import contextlib
import ctypes
import os
import subprocess
from collections.abc import Iterator

from tfstyle.errors import END_OTHERS
from tfstyle.errors import SetupError
from tfstyle.system.interpreter import start_python

_BAD_ALLOCATIONS = (b"St9bad_alloc", b"St20bad_array_new_length")
"""`std::bad_alloc` and its kinds, as the compiler names them."""
_WATCH = """
import sys

def count_kills():
    try:
        with open("/proc/vmstat") as file:
            lines = [line.split() for line in file]
    except OSError:
        return 0
    return sum(int(n) for name, n in lines if name == "oom_kill")

before = count_kills()
text = sys.stdin.buffer.read()  # until the process ends
if not text.endswith(b"\\0") and count_kills() > before:
    sys.stderr.buffer.write(text.rpartition(b"\\0")[2])
"""
_message = f"error: There is not enough memory. {END_OTHERS}\n".encode()
_pipe: int | None = None


def set_message(text: str) -> None:
    """Sets the line that is written to stderr if memory runs out."""
    global _message
    _message = f"{text}\n".encode(errors="replace")
    _send(b"\0" + _message)


@contextlib.contextmanager
def speaking_of_native_failures() -> Iterator[None]:
    """Writes the message if memory runs out in native code in the block.

    A C++ exception for lack of memory ends the process with status 1. For the
    kernel's SIGKILL a small child process waits for the end of this one, and
    speaks if the kernel has counted a victim meanwhile.
    """
    global _pipe
    with _handling_bad_allocations():
        try:
            child = start_python(
                ["-S", "-E", "-c", _WATCH],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C is not for it
                cwd="/",
            )
        except SetupError:  # there is no room for a process either
            yield
            return
        _pipe = child.stdin.fileno()
        _send(b"\0" + _message)
        try:
            yield
        finally:
            _send(b"\0")
            _pipe = None
            with contextlib.suppress(OSError):
                child.communicate()


def _send(data: bytes) -> None:
    if _pipe is not None:
        with contextlib.suppress(OSError):  # somebody ended the child
            os.write(_pipe, data)


@contextlib.contextmanager
def _handling_bad_allocations() -> Iterator[None]:
    """Replaces what C++ does where nobody catches a bad allocation."""
    try:
        library = ctypes.CDLL("libstdc++.so.6")
        set_terminate = library._ZSt13set_terminatePFvvE
        exception_type = getattr(library, "__cxa_current_exception_type")
    except (OSError, AttributeError):  # another C++ library
        yield
        return
    set_terminate.argtypes = [ctypes.c_void_p]
    set_terminate.restype = exception_type.restype = ctypes.c_void_p

    @ctypes.CFUNCTYPE(None)
    def terminate():
        if (kind := exception_type()) is not None:
            # `std::type_info` is a table of functions and a name.
            place = kind + ctypes.sizeof(ctypes.c_void_p)
            if ctypes.c_char_p.from_address(place).value in _BAD_ALLOCATIONS:
                os.write(2, _message)
                os._exit(1)
        ctypes.CFUNCTYPE(None)(before)()

    before = set_terminate(ctypes.cast(terminate, ctypes.c_void_p))
    try:
        yield
    finally:
        set_terminate(before)
