"""Errors that are expected, and how they are printed."""

import contextlib
import re
from collections.abc import Iterator

LONGEST = 200
_CONTROLS = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]"
)


class TfstyleError(Exception):
    """Base class of expected errors: bad input, a full disk, a lost process.

    They are printed as one line, which includes the remedy. Anything else is a
    bug and keeps its traceback.

    Attributes:
        status: exit status of a program that ends with it.
        hint: a sentence that is added to the message, such as the place of a
            checkpoint.
    """

    status = 1
    hint = ""

    def __str__(self) -> str:
        return " ".join(filter(None, [super().__str__(), self.hint]))


class SetupError(TfstyleError, RuntimeError):
    """The machine or its settings cannot run the program."""


class WriteError(TfstyleError, OSError):
    """A file or directory cannot be written."""


class OutOfMemoryError(TfstyleError, MemoryError):
    """The machine has not enough memory for the run."""


class ImageError(TfstyleError, ValueError):
    """An image file cannot be read or written."""


class ConfigError(TfstyleError, ValueError):
    """An option has a value that it may not have, or options contradict."""

    status = 2


class WeightsError(TfstyleError, ValueError):
    """A weight file cannot be had, or is not one of VGG19's."""


class ClusterError(TfstyleError, RuntimeError):
    """The environment describes no valid cluster, or a process is gone."""


class CheckpointError(TfstyleError, ValueError):
    """A checkpoint is damaged, or is not of this run."""


class NotFiniteError(TfstyleError, ArithmeticError):
    """The loss or its gradient stopped being finite."""


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


def escape_controls(text: str) -> str:
    """Escapes what moves a terminal's cursor or turns the writing around.

    Args:
        text: of any origin; its line breaks and tabs stay.
    """
    return _CONTROLS.sub(lambda found: repr(found[0])[1:-1], text)


def one_line(text: str, longest: int = LONGEST) -> str:
    """Writes a text as one line that cannot steer a terminal.

    Args:
        text: of any origin.
        longest: characters; the rest is left out.
    """
    line = " ".join(text[: 2 * longest].split())
    line = "".join(c if c.isprintable() else repr(c)[1:-1] for c in line)
    return line if len(line) <= longest else f"{line[: longest - 3]}..."
