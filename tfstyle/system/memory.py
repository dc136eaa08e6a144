"""Free memory of the machine, and of the control groups of this process."""

import os

import psutil


def free_memory() -> float:
    """Returns the bytes that this process may still take.

    That is the machine's free memory, or less if control groups limit it.
    """
    free = psutil.virtual_memory().available
    for folder in _control_groups():
        limit = _read_number(folder, "memory.max", "memory.limit_in_bytes")
        used = _read_number(folder, "memory.current", "memory.usage_in_bytes")
        if limit is not None and used is not None:
            free = min(free, max(0, limit - used + _reclaimable(folder)))
    return float(free)


def _control_groups() -> list[str]:
    """Returns the folders of the groups that this process is in."""
    folders = []
    with open("/proc/self/cgroup", encoding="utf-8") as file:
        for line in file:
            _, names, path = line.rstrip("\n").split(":", 2)
            if names and "memory" not in names.split(","):
                continue
            root = "/sys/fs/cgroup" + ("/memory" if names else "")
            while True:
                folders.append(os.path.join(root, path.strip("/")))
                if path in ("", "/"):
                    break
                path = os.path.dirname(path)
    return folders


def _read_number(folder: str, *names: str) -> int | None:
    """Reads the first file that is there; None if it sets no limit."""
    for name in names:
        try:
            with open(os.path.join(folder, name), encoding="ascii") as file:
                text = file.read().strip()
        except OSError:
            continue
        return int(text) if text.isdecimal() else None
    return None


def _reclaimable(folder: str) -> int:
    """Returns the bytes of files that a group gives back when asked."""
    try:
        with open(os.path.join(folder, "memory.stat"), encoding="ascii") as f:
            fields = dict(line.split() for line in f)
    except OSError:
        return 0
    return int(fields.get("inactive_file", 0))
