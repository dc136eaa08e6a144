"""Linux control groups, which limit the memory and cores of a container."""

import os
import pathlib


def folders(controller: str) -> list[str]:
    """Returns the folders of this process' control groups.

    Args:
        controller: `memory` or `cpu`.

    Returns:
        Paths, innermost first; empty if there are no control groups.
    """
    try:
        with open("/proc/self/cgroup", encoding="utf-8") as file:
            lines = file.read().splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        _, names, path = line.split(":", 2)
        if names and controller not in names.split(","):
            continue
        root = "/sys/fs/cgroup" + (f"/{controller}" if names else "")
        innermost = pathlib.PurePosixPath(path)
        for group in (innermost, *innermost.parents):
            found.append(root + str(group).rstrip("/"))
    return found


def read_number(folder: str, *names: str) -> int | None:
    """Reads a number from the first existing file; None if not limited."""
    for name in names:
        if (text := read_text(folder, name)) is not None:
            return int(text) if text.isdecimal() else None
    return None


def read_text(folder: str, name: str) -> str | None:
    """Reads a file of a group; None if it cannot be read."""
    try:
        with open(os.path.join(folder, name), encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return None
