"""Reading of files named by flags."""

import os

from tfstyle.errors import ConfigError


def read_bytes(path: str, what: str, most: int) -> bytes:
    """Reads a regular file, up to a maximum size.

    Args:
        path: path of the file.
        what: name of the file in messages, such as "The flagfile".
        most: maximum size, bytes; of a larger file `most + 1` are returned.

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
            " relative to the current folder."
        ) from error
