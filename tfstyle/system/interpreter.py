"""The Python of this process, for child processes."""

import os
import sys


def find_python() -> str | None:
    """Returns the path of the Python that runs this process.

    None if it is another program that holds one, such as a painting program's
    or one that was frozen: started again, that would not run what it is told.
    """
    name = os.path.basename(sys.executable or "").lower()
    is_frozen = getattr(sys, "frozen", False)
    is_python = name.startswith(("python", "pypy")) and not is_frozen
    return sys.executable if is_python else None
