"""Exit status of a program; expected errors are printed as one line."""

import sys
from collections.abc import Callable

from tfstyle.errors import TfstyleError
from tfstyle.errors import one_line
from tfstyle.system.out_of_memory import raising_out_of_memory_errors
from tfstyle.system.remote_files import name_addresses


def status_of(work: Callable[[], int]) -> int:
    """Runs a function and returns its exit status; prints expected errors."""
    try:
        with raising_out_of_memory_errors():
            return work()
    except KeyboardInterrupt:
        return 130
    except TfstyleError as error:
        text = one_line(name_addresses(str(error)), 5000)
        print(f"error: {text}", file=sys.stderr)
        return error.status
