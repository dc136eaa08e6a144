"""Expected errors, and formatting of their messages."""

import contextlib
import re
from collections.abc import Iterator

LONGEST = 200
_CONTROLS = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]"
)


class TfstyleError(Exception):
    """Base class of expected errors: bad input, a full disk, a lost process.

    They are printed as one line, which includes a remedy. Any other exception
    is a bug and keeps its traceback.

    Attributes:
        status: exit status of a program that ends with this error.
        hint: sentence added to the message, such as the location of a
            checkpoint.
    """

    status = 1
    hint = ""

    @property
    def field(self) -> str:
        """The option or argument that the message begins with, or ""."""
        found = re.match(r"`(\w+)`", str(self))
        return found[1] if found else ""

    def __str__(self) -> str:
        text = super().__str__()
        return f"{text.rstrip('.')}. {self.hint}" if self.hint else text


class SetupError(TfstyleError, RuntimeError):
    """The machine or its settings cannot run the program."""


class WriteError(TfstyleError, OSError):
    """A file or directory cannot be written."""


class RemoteFileError(WriteError):
    """A file in a store, such as S3, cannot be read or written."""


class OutOfMemoryError(TfstyleError, MemoryError):
    """The machine does not have enough memory for the run."""


class ImageError(TfstyleError, ValueError):
    """An image file cannot be read or written."""


class ConfigError(TfstyleError, ValueError):
    """An option has an invalid value, or options contradict each other."""

    status = 2


class WeightsError(TfstyleError, ValueError):
    """A weight file cannot be loaded, or is not for VGG19."""


class ClusterError(TfstyleError, RuntimeError):
    """The environment describes no valid cluster, or a process is lost."""


class CheckpointError(TfstyleError, ValueError):
    """A checkpoint is damaged, or belongs to another run."""


class NotFiniteError(TfstyleError, ArithmeticError):
    """The loss or its gradient is no longer finite."""


@contextlib.contextmanager
def raising_write_errors(what: str) -> Iterator[None]:
    """Converts an `OSError` in the block to a `WriteError`.

    Args:
        what: name of the output in messages, such as "The workdir 'x'".

    Raises:
        WriteError: if the system refuses to write.
    """
    try:
        yield
    except TfstyleError:
        raise
    except OSError as error:
        raise WriteError(f"{what} cannot be written ({error}).") from error


def escape_controls(text: str) -> str:
    """Escapes terminal control characters and bidirectional overrides.

    Args:
        text: untrusted text; its line breaks and tabs are kept.
    """
    return _CONTROLS.sub(lambda found: repr(found[0])[1:-1], text)


def one_line(text: str, longest: int = LONGEST) -> str:
    """Formats a text as one line without terminal control characters.

    Args:
        text: untrusted text.
        longest: maximum length, characters; the rest is cut off.
    """
    line = " ".join(text[: 2 * longest].split())
    line = "".join(c if c.isprintable() else repr(c)[1:-1] for c in line)
    return line if len(line) <= longest else f"{line[: longest - 3]}..."
