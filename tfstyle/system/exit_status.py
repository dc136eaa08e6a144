"""Exit status of a program: expected errors become one line of stderr."""

import sys
from collections.abc import Callable

from tfstyle.errors import TfstyleError
from tfstyle.errors import one_line
from tfstyle.system.out_of_memory import raising_out_of_memory_errors


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
