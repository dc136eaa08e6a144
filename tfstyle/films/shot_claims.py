"""Claims of shots, so that several processes paint one film."""

import contextlib
import os
from collections.abc import Iterator

from absl import logging

from tfstyle.experiment.run_directory import BusyError
from tfstyle.experiment.workdir_files import CLAIMS
from tfstyle.system import file_lock


class ShotClaims:
    """Locks shots while a process paints them.

    The lock of a killed process is free at once. Without locks on its disk, a
    film is painted by one process.

    Args:
        folder: the workdir.
    """

    def __init__(self, folder: str):
        self._folder = os.path.join(folder, CLAIMS)
        os.makedirs(self._folder, exist_ok=True)
        self._has_locks = file_lock.can_lock(self._folder)
        if not self._has_locks:
            logging.warning(
                "warning: the disk of %r does not support locks; start no"
                " second process there",
                folder,
            )

    @contextlib.contextmanager
    def claimed(self, name: str) -> Iterator[bool]:
        """Claims a shot in the block; yields False if another process has it.

        Args:
            name: name of the shot, valid as a file name.
        """
        if not self._has_locks:
            yield True
            return
        with contextlib.ExitStack() as stack:
            path = os.path.join(self._folder, name)
            try:
                stack.enter_context(file_lock.locked(path))
            except file_lock.LockedError:
                yield False
                return
            yield True


def check_unclaimed(folder: str) -> None:
    """Checks that no process paints a shot of this workdir.

    Raises:
        BusyError: if one does.
    """
    claims = os.path.join(folder, CLAIMS)
    if not os.path.isdir(claims) or not file_lock.can_lock(claims):
        return
    for name in os.listdir(claims):
        if file_lock.is_locked(os.path.join(claims, name)):
            raise BusyError(
                f"Another run is using {folder!r}. Wait until it ends, or"
                " choose another `workdir`."
            )
