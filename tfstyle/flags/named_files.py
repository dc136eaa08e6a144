"""Files that flags name, read whole."""

import os

from tfstyle.errors import ConfigError


def read_bytes(path: str, what: str, most: int) -> bytes:
    """Reads a regular file, or its beginning.

    Args:
        path: from the current folder.
        what: the file is, in messages, such as "The flagfile".
        most: bytes; of a longer file one more than these are read.

    Raises:
        ConfigError: if it cannot be read.
    """
    try:
        if os.path.exists(path) and not os.path.isfile(path):
            raise OSError("not a regular file")
        with open(path, "rb") as file:
            return file.read(most + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(
            f"{what} {path!r} cannot be read ({reason}). Check the path; it is"
            " taken from the current folder."
        ) from error
