"""Expansion of command line arguments: flagfiles, presets and pictures.

Flagfiles and presets are expanded in place, so that later flags win.
"""

import collections
import os
import re

from tfstyle.config import lines
from tfstyle.config.fields import item_kind_of
from tfstyle.config.fields import kind_of
from tfstyle.config.validation import check_is_local
from tfstyle.errors import ConfigError
from tfstyle.errors import one_line
from tfstyle.flags import flagfile
from tfstyle.flags.named_files import read_bytes
from tfstyle.flags.values import FIELDS
from tfstyle.flags.values import parse_text
from tfstyle.flags.values import suggest_field
from tfstyle.system.paths import expand_path

MAX_FLAGFILE = 10**7
"""Maximum size of a flagfile, bytes; a larger file is refused."""
_OTHERS = ("flagfile", "flags_from", "preset", "verbosity", "v", "print_flags")
"""Flags that are not fields of RunConfig."""
_DASHES = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212"
_QUOTES = "\u201c\u201d\u201e\u201f\u2018\u2019"


def expand(arguments: list[str], flagfiles: list[str]) -> list[str]:
    """Replaces flagfiles, presets and pictures by the flags in them.

    Args:
        arguments: command line arguments, such as `--seed=1`.
        flagfiles: output; the paths of the flagfiles read are appended.

    Raises:
        ConfigError: if a file cannot be read, or a list is given twice.
    """
    for argument in arguments:
        _check_typing(argument)
    arguments = _join_values(arguments)
    _check_twice(arguments, "")
    expanded = _drop_retired(_expand_files(arguments, [], flagfiles))
    return _insert_picture_flags(expanded)


def read_picture_flags(path: str) -> list[str]:
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
    check_is_local("flags_from", path)
    try:
        text = sidecar.read_text(path) or ""
    except ImageError as error:
        raise ConfigError(f"`flags_from`: {error}") from error
    if not text.startswith(flagfile.FIRST_LINE):
        raise ConfigError(
            "`flags_from` must be a picture that tfstyle made. Received:"
            f" {path!r}, which does not say how it was made."
        )
    known = {
        name
        for name, field in FIELDS.items()
        if field.metadata["scope"] != "run"
    }
    known |= flagfile.RETIRED.keys()
    said, _ = flagfile.parse_text(text)
    said = flagfile.modernize({n: v for n, v in said.items() if n in known})
    return [f"--{name}={value}" for name, value in said.items()]


def _check_typing(argument: str) -> None:
    """Checks that a flag has no typographic dashes or quotes.

    Raises:
        ConfigError: if it has, e.g. after pasting from a word processor.
    """
    if argument and argument[0] in _DASHES:
        plain = argument.lstrip(_DASHES + "-")
        raise ConfigError(
            f"Flags begin with two hyphens. Received: {argument!r:.200}, with a"
            f" dash as in print. Type --{plain:.100}."
        )
    value = argument.partition("=")[2]
    is_quoted = len(value) > 1 and {value[0], value[-1]} <= set(_QUOTES)
    if is_quoted and not os.path.lexists(value):
        raise ConfigError(
            f"A value needs no quotes as in print. Received: {argument!r:.200}."
            " Take them out."
        )


def _check_value(argument: str) -> None:
    """Checks the name and value of a flag, while its line number is known.

    Raises:
        ConfigError: if the name is unknown or the value invalid.
    """
    name, is_given, value = argument.lstrip("-").partition("=")
    is_known = name in FIELDS or name.removeprefix("no") in FIELDS
    if not is_known and name not in (*_OTHERS, *flagfile.RETIRED):
        hint = suggest_field(name[:80].lower(), "See --help.")
        raise ConfigError(f"{one_line(name, 80)!r} is no flag. {hint}")
    if is_given and name in FIELDS:
        parse_text(name, value)


def _join_values(arguments: list[str]) -> list[str]:
    """Joins `--name value` to `--name=value` for flags that take a value."""
    joined = []
    rest = iter(arguments)
    for argument in rest:
        name = argument.lstrip("-")
        field = FIELDS.get(name)
        takes_value = name in _OTHERS and name != "print_flags"
        if field is not None:
            takes_value = kind_of(field) is not bool
        if argument.startswith("-") and takes_value:
            value = next(rest, None)
            if value is None:
                raise ConfigError(f"`{name}` has no value. Give --{name}=...")
            argument = f"--{name}={value}"
        joined.append(argument)
    return joined


def _check_twice(arguments: list[str], where: str) -> None:
    """Checks that a source gives no list of strings twice.

    The first list would be lost. Of all other flags the last value wins.

    Raises:
        ConfigError: if a list is given twice; names it.
    """
    names = collections.Counter(
        argument.lstrip("-").partition("=")[0]
        for argument in arguments
        if not argument.endswith("=")  # an empty list resets an earlier one
    )
    for name, count in names.items():
        field = FIELDS.get(name)
        if field is None or kind_of(field) is not tuple:
            continue
        if count > 1 and item_kind_of(field) is str:
            raise ConfigError(
                f"`{name}` is given {count} times{where}. Give it once, its"
                f" values separated by commas: --{name}=first,second."
            )


def _expand_files(
    arguments: list[str], opened: list[str], flagfiles: list[str]
) -> list[str]:
    """Expands flagfiles and presets in place."""
    expanded = []
    for argument in arguments:
        name, _, value = argument.lstrip("-").partition("=")
        if not argument.startswith("-") or name not in ("flagfile", "preset"):
            expanded.append(argument)
        elif name == "preset":
            expanded += flagfile.read_preset(value)
        else:
            expanded += _read_flagfile(value, opened, flagfiles)
    return expanded


def _read_flagfile(
    path: str, opened: list[str], flagfiles: list[str]
) -> list[str]:
    """Returns a flagfile's arguments, with nested flagfiles expanded.

    Args:
        path: path of the flagfile.
        opened: real paths of the enclosing flagfiles, outermost first.
        flagfiles: output; the paths of this and nested flagfiles are appended.

    Raises:
        ConfigError: if it cannot be read, includes itself, or has an invalid
            line.
    """
    path = expand_path(path)
    check_is_local("flagfile", path)
    text = _read_flagfile_text(path)
    real = os.path.realpath(path)
    if real in opened:
        raise ConfigError(f"The flagfile {path!r} names itself. Take that out.")
    flagfiles.append(path)
    arguments = []
    for number, line in enumerate(re.split(r"\r\n|\r|\n", text), start=1):
        where = f"The flagfile {path!r}, line {number}:"
        try:
            argument = lines.read_line(line, FIELDS)
            if argument is None:
                continue
            _check_typing(argument)
            if argument.startswith("-"):
                _check_value(argument)
        except ConfigError as error:
            raise ConfigError(f"{where} {error}") from error
        if not argument.startswith("-"):
            raise ConfigError(
                f"{where} flags begin with --. Received:"
                f" {one_line(argument)!r}. Comments begin with #."
            )
        arguments.append(argument)
    _check_twice(arguments, f" in the flagfile {path!r}")
    return _expand_files(_join_values(arguments), [*opened, real], flagfiles)


def _read_flagfile_text(path: str) -> str:
    data = read_bytes(path, "The flagfile", MAX_FLAGFILE)
    is_wide = data[:2] in (b"\xff\xfe", b"\xfe\xff")
    try:
        text = data.decode("utf-16" if is_wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"The flagfile {path!r} is not a text file in UTF-8"
            f" ({error.reason}). Save it anew."
        ) from error
    if "\0" in text or len(data) > MAX_FLAGFILE:
        raise ConfigError(
            f"The flagfile {path!r} is not a text file of flags. Name another."
        )
    return text


def _drop_retired(arguments: list[str]) -> list[str]:
    """Removes flags of former releases.

    Raises:
        ConfigError: if one of them has a value that is no longer supported.
    """
    kept = []
    for argument in arguments:
        name, _, value = argument.lstrip("-").partition("=")
        if argument.startswith("-") and name in flagfile.RETIRED:
            flagfile.check_retired(name, value)
        else:
            kept.append(argument)
    return kept


def _insert_picture_flags(arguments: list[str]) -> list[str]:
    """Inserts a picture's flags before all others, which override them."""
    inserted = []
    for argument in arguments:
        name, _, path = argument.partition("=")
        if name in ("--flags_from", "-flags_from"):
            inserted += read_picture_flags(path)
    return [*inserted, *arguments]


def explain_leftover(leftover: list[str], arguments: list[str]) -> str:
    """Returns an error message about arguments that are not flags.

    Args:
        leftover: arguments that are not flags.
        arguments: all arguments, expanded.
    """
    said = one_line(" ".join(leftover))
    received = f"Flags begin with --. Received: {said!r}."
    first = arguments.index(leftover[0]) if leftover[0] in arguments else 0
    name = arguments[first - 1].lstrip("-").partition("=")[0] if first else ""
    field = FIELDS.get(name)
    if field is not None and field.metadata["is_path"]:
        return (
            f"{received} If the shell made them of a pattern, put it in"
            f" quotes: --{name}='folder/*.jpg'. A list has commas, a name with"
            " spaces stands in quotes."
        )
    return received
