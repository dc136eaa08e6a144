"""Errors that are expected, and how they are printed."""

import contextlib
import errno
import re
import sys
from collections.abc import Callable
from collections.abc import Iterator

LONGEST = 200
END_OTHERS = "End other programs, or give smaller images."
_SIGNS = re.compile(
    "failed to map|cannot allocate memory|out.of.memory|ALLOC_FAILED", re.I
)
"""Of errors of the loader, of CUDA and of its libraries."""
_REFUSED = re.compile(
    r"OOM when allocating tensor with shape\[[\d,]*\]|[Oo]ut of memory while"
    r" trying to allocate [\w.]+( bytes)?"
)
"""Within the texts of TensorFlow, which also tell where in the program."""
_CONTROLS = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]"
)


class TfstyleError(Exception):
    """Base class of expected errors: bad input, a full disk, a lost process.

    They are printed as one line, which includes the remedy. Anything else is a
    bug and keeps its traceback.

    Attributes:
        status: exit status of a program that ends with it.
    """

    status = 1


class SetupError(TfstyleError, RuntimeError):
    """The machine or its settings cannot run the program."""


class WriteError(TfstyleError, OSError):
    """A file or directory cannot be written."""


class OutOfMemoryError(TfstyleError, MemoryError):
    """The machine has not enough memory for the run."""


@contextlib.contextmanager
def raising_write_errors(what: str) -> Iterator[None]:
    """Raises a `WriteError` where the system refuses to write.

    Args:
        what: the thing that is written, such as "The workdir 'x'".
    """
    try:
        yield
    except TfstyleError:
        raise
    except OSError as error:
        raise WriteError(f"{what} cannot be written ({error}).") from error


@contextlib.contextmanager
def raising_out_of_memory_errors(remedy: str = END_OTHERS) -> Iterator[None]:
    """Raises an `OutOfMemoryError` where Python or TensorFlow lack memory.

    Args:
        remedy: what needs less memory, one sentence.
    """
    try:
        yield
    except TfstyleError:
        raise
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        raise OutOfMemoryError(
            f"There is not enough memory ({_describe(error)}). {remedy}"
        ) from error


def escape_controls(text: str) -> str:
    """Escapes what moves a terminal's cursor or turns the writing around.

    Args:
        text: of any origin; its line breaks and tabs stay.
    """
    return _CONTROLS.sub(lambda found: repr(found[0])[1:-1], text)


def is_out_of_memory(error: Exception) -> bool:
    """Returns whether an error of Python or TensorFlow is lack of memory."""
    if isinstance(error, MemoryError):
        return True
    if isinstance(error, OSError) and error.errno == errno.ENOMEM:
        return True
    kinds: tuple[type, ...] = (ImportError,)
    # TensorFlow may not be loaded yet, or only in part.
    errors = getattr(sys.modules.get("tensorflow"), "errors", None)
    if errors is not None:
        if isinstance(error, errors.ResourceExhaustedError):
            return True
        kinds += (errors.OpError,)
    is_of_system = isinstance(error, kinds)
    is_thread = str(error) == "can't start new thread"  # it has no stack
    return is_thread or (is_of_system and bool(_SIGNS.search(str(error))))


def _describe(error: Exception) -> str:
    """Returns what was refused, without the place in the program."""
    text = str(error) or type(error).__name__
    if found := _REFUSED.search(text):
        text = found[0]
    return one_line(text)


def one_line(text: str, longest: int = LONGEST) -> str:
    """Writes a text as one line that cannot steer a terminal.

    Args:
        text: of any origin.
        longest: characters; the rest is left out.
    """
    line = " ".join(text[: 2 * longest].split())
    line = "".join(c if c.isprintable() else repr(c)[1:-1] for c in line)
    return line if len(line) <= longest else f"{line[: longest - 3]}..."


def status_of(work: Callable[[], int]) -> int:
    """Returns the exit status of some work; expected errors are one line."""
    try:
        with raising_out_of_memory_errors():
            return work()
    except KeyboardInterrupt:
        return 130
    except TfstyleError as error:
        print(f"error: {one_line(str(error), 5000)}", file=sys.stderr)
        return error.status
