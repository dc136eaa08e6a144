"""Presets that users made of their dials, stored in the folder of runs."""

import contextlib
import json
import os
import threading
from collections.abc import Sequence

from tfstyle.errors import ConfigError
from tfstyle.errors import WriteError
from tfstyle.errors import raising_write_errors
from tfstyle.studio import dials
from tfstyle.system import atomic_file

NAME = "presets.json"
"""File name in the folder of runs."""
LONGEST_NAME = 40
MOST = 50
_LOCK = threading.Lock()


def read(root: str) -> dict[str, list[str]]:
    """Returns the flags of all presets by name, the program's own first."""
    return dials.PRESETS | _read(root)


def keep(root: str, name: str, arguments: Sequence[str]) -> str:
    """Adds a preset, or replaces one of this name.

    Args:
        root: the folder of runs.
        name: name of the preset.
        arguments: its flags, without files.

    Returns:
        The name, without superfluous spaces.

    Raises:
        ConfigError: if the name cannot be used.
        WriteError: if the file cannot be written.
    """
    name = " ".join(name.split())
    if not 0 < len(name) <= LONGEST_NAME or name in dials.PRESETS:
        raise ConfigError(
            f"A preset needs a name of 1 to {LONGEST_NAME} characters, other"
            f" than {', '.join(dials.PRESETS)}. Received: {name!r:.80}."
        )
    with _LOCK:
        found = _read(root) | {name: [*arguments]}
        if len(found) > MOST:
            raise ConfigError(
                f"There are {MOST} presets already. Remove one first."
            )
        _write(root, found)
    return name


def remove(root: str, name: str) -> None:
    """Removes a preset, unless it is the program's own.

    Raises:
        WriteError: if the file cannot be written.
    """
    with _LOCK:
        found = _read(root)
        if found.pop(name, None) is not None:
            _write(root, found)


def _read(root: str) -> dict[str, list[str]]:
    """Returns the presets of the file whose flags are valid."""
    found = {}
    with (
        contextlib.suppress(OSError, ValueError, AttributeError),
        open(os.path.join(root, NAME), encoding="utf-8") as file,
    ):
        for name, arguments in json.load(file).items():
            with contextlib.suppress(ConfigError, TypeError):
                arguments = dials.without_files(map(str, arguments))
                dials.positions_of(arguments)
                found[name] = arguments
    return found


def _write(root: str, found: dict[str, list[str]]) -> None:
    path = os.path.join(root, NAME)
    if os.path.exists(path) and not _is_own(path):
        raise WriteError(
            f"{path!r} is not a file of presets. Move it to another folder."
        )
    with raising_write_errors(path):
        atomic_file.write_text(path, json.dumps(found, indent=1))


def _is_own(path: str) -> bool:
    """True if a file holds an object of lists."""
    with contextlib.suppress(ValueError), open(path, encoding="utf-8") as file:
        found = json.load(file)
        return isinstance(found, dict) and all(
            isinstance(x, list) for x in found.values()
        )
    return False
