"""Sources of flags: flagfiles, presets and pictures, as lists of arguments."""

import collections
import os
import re

from tfstyle.config import lines
from tfstyle.config.fields import item_kind_of
from tfstyle.config.fields import kind_of
from tfstyle.config.validation import check_address
from tfstyle.errors import ConfigError
from tfstyle.errors import RemoteFileError
from tfstyle.errors import one_line
from tfstyle.flags import flagfile
from tfstyle.flags.values import FIELDS
from tfstyle.system import remote_files
from tfstyle.system.paths import expand_path

MAX_FLAGFILE = 10**7
"""Maximum size of a flagfile, bytes; a larger file is refused."""


def read_bytes(path: str, what: str, most: int) -> bytes:
    """Reads a regular file, up to a maximum size.

    Args:
        path: path or address of the file.
        what: name of the file in messages, such as "The flagfile".
        most: maximum size, bytes; of a larger file `most + 1` are returned.

    Raises:
        ConfigError: if it cannot be read.
        RemoteFileError: if it cannot be fetched.
    """
    try:
        local = remote_files.fetch(path, most)
        if os.path.exists(local) and not os.path.isfile(local):
            raise OSError("not a regular file")
        with open(local, "rb") as file:
            return file.read(most + 1)
    except RemoteFileError:
        raise
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(
            f"{what} {path!r} cannot be read ({reason}). Check the path; it is"
            " relative to the current folder."
        ) from error


def read_flagfile(path: str) -> list[str]:
    """Returns a flagfile's arguments; empty texts are blank lines and comments.

    Raises:
        ConfigError: if it cannot be read, or gives a list twice.
    """
    path = expand_path(path)
    check_address("flagfile", path)
    data = read_bytes(path, "The flagfile", MAX_FLAGFILE)
    is_wide = data[:2] in (b"\xff\xfe", b"\xfe\xff")
    try:
        text = data.decode("utf-16" if is_wide else "utf-8-sig")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text or len(data) > MAX_FLAGFILE:
        raise ConfigError(
            f"The flagfile {path!r} is not a text file in UTF-8. Save it as"
            " UTF-8, or choose another."
        )
    arguments = [
        lines.read_line(line, FIELDS) for line in re.split(r"\r\n|\r|\n", text)
    ]
    check_twice(arguments, f" in the flagfile {path!r}")
    return arguments


def read_picture(path: str) -> list[str]:
    """Returns the flags stored in a picture written by tfstyle.

    The text is untrusted: only lines `--name=value` are used whose name is a
    field that affects the pixels, so it can name no flagfile and no output
    path. Flags newer than the picture get their former defaults.

    Raises:
        ConfigError: if the picture cannot be read or contains no flags.
    """
    from tfstyle.errors import ImageError
    from tfstyle.image_files import sidecar

    path = expand_path(path)
    check_address("flags_from", path)
    try:
        text = sidecar.read_text(path) or ""
    except ImageError as error:
        raise ConfigError(f"`flags_from`: {error}") from error
    if not text.startswith(flagfile.FIRST_LINE):
        raise ConfigError(
            "`flags_from` must be a picture that tfstyle made. Received:"
            f" {path!r}, which contains no flags."
        )
    given, _ = flagfile.parse_text(text)
    known = {
        name: value
        for name, value in given.items()
        if name in flagfile.RETIRED
        or (name in FIELDS and FIELDS[name].metadata["scope"] != "run")
    }
    for name, value in known.items():
        if "://" in value:  # a stranger's picture opens no connection
            raise ConfigError(
                f"`flags_from` must be a picture without addresses. Received:"
                f" {path!r}, whose {name} is {one_line(value)!r}. Give its"
                " flags yourself."
            )
    return [f"--{n}={v}" for n, v in flagfile.modernize(known).items()]


SOURCES = {
    "flagfile": read_flagfile,
    "flags_from": read_picture,
    "preset": flagfile.read_preset,
}
"""Functions that read the flags of a source, by the flag that names it."""


def check_twice(arguments: list[str], where: str = "") -> None:
    """Checks that a source gives no list of strings twice.

    The first list would be lost. Of all other flags the last value wins.

    Raises:
        ConfigError: if a list is given twice; names it.
    """
    names = collections.Counter(
        argument.lstrip("-").partition("=")[0]
        for argument in arguments
        if argument.startswith("-") and not argument.endswith("=")
        # an empty list resets an earlier one
    )
    for name, field in FIELDS.items():
        is_list = kind_of(field) is tuple and item_kind_of(field) is str
        if is_list and names[name] > 1:
            raise ConfigError(
                f"`{name}` is given {names[name]} times{where}. Give it once,"
                f" with commas between the values: --{name}=first,second."
            )
