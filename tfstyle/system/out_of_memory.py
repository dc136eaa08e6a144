"""Detection of out-of-memory errors, which libraries report in many ways."""

import contextlib
import errno
import re
import sys
from collections.abc import Iterator

from tfstyle.errors import OutOfMemoryError
from tfstyle.errors import TfstyleError
from tfstyle.errors import one_line

END_OTHERS = "Close other programs, or use smaller images."
_SIGNS = re.compile(
    "failed to map|cannot allocate memory|out.of.memory|ALLOC_FAILED", re.I
)
"""Error messages of the dynamic loader, of CUDA and its libraries."""
_REFUSED = re.compile(
    r"OOM when allocating tensor with shape\[[\d,]*\]|[Oo]ut of memory while"
    r" trying to allocate [\w.]+( bytes)?"
)
"""Part of TensorFlow's messages that describes the failed allocation."""


@contextlib.contextmanager
def raising_out_of_memory_errors(remedy: str = END_OTHERS) -> Iterator[None]:
    """Converts out-of-memory errors in the block to `OutOfMemoryError`.

    Args:
        remedy: advice for using less memory, one sentence.

    Raises:
        OutOfMemoryError: if Python or TensorFlow run out of memory.
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


def is_out_of_memory(error: Exception) -> bool:
    """True if an error of Python or TensorFlow means lack of memory."""
    if isinstance(error, MemoryError):
        return True
    if isinstance(error, OSError) and error.errno == errno.ENOMEM:
        return True
    kinds: tuple[type, ...] = (ImportError,)
    # TensorFlow may not be imported yet, or only partly.
    errors = getattr(sys.modules.get("tensorflow"), "errors", None)
    if errors is not None:
        if isinstance(error, errors.ResourceExhaustedError):
            return True
        kinds += (errors.OpError,)
    is_of_system = isinstance(error, kinds)
    is_thread = str(error) == "can't start new thread"  # no room for its stack
    return is_thread or (is_of_system and bool(_SIGNS.search(str(error))))


def _describe(error: Exception) -> str:
    """Returns the failed allocation, without its location."""
    text = str(error) or type(error).__name__
    if found := _REFUSED.search(text):
        text = found[0]
    return one_line(text)
