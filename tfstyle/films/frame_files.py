"""Painted frames as files of the workdir, from which a film continues."""

import os
from collections.abc import Mapping

import numpy as np

from tfstyle.errors import ConfigError
from tfstyle.errors import one_line
from tfstyle.experiment.identity import RunIdentity
from tfstyle.experiment.resume import OtherRunError
from tfstyle.experiment.workdir_files import FRAMES
from tfstyle.image_files.reading import read_image
from tfstyle.image_files.reading import read_text
from tfstyle.image_files.writing import write_image
from tfstyle.images.picture import Picture
from tfstyle.training.plan import NOTHING_DECIDED
from tfstyle.video_files.selection import Selection


class FrameFiles:
    """Writes and finds the painted frames of a workdir.

    Args:
        folder: the workdir.
    """

    def __init__(self, folder: str):
        self._folder = os.path.join(folder, FRAMES)

    def path(self, number: int) -> str:
        """Returns the path of a painted frame, `frames/000001.png`."""
        return os.path.join(self._folder, f"{number:06d}.png")

    def find_painted(
        self, selection: Selection, asked: RunIdentity, resume: str
    ) -> tuple[list[int], Mapping[str, str]]:
        """Finds the frames that are painted already, without a gap.

        Args:
            selection: frames to paint.
            asked: identity of the requested film.
            resume: the option `resume`.

        Returns:
            The numbers of these frames, and the options decided for them.

        Raises:
            ConfigError: if there are any and `resume` is never.
            OtherRunError: if a frame belongs to another film or other options.
        """
        painted, decided = [], NOTHING_DECIDED
        for number in selection.numbers():
            path = self.path(number)
            if not os.path.isfile(path):
                break
            decided = self._check(path, asked)
            painted.append(number)
        if painted and resume == "never":
            raise ConfigError(
                f"`workdir` {os.path.dirname(self._folder)!r} contains a film,"
                " and `resume` is never. Choose another workdir, or use"
                " --resume=restart, which renames the old one."
            )
        return painted, decided

    def read(self, number: int) -> Picture:
        """Reads a painted frame."""
        return read_image(self.path(number))

    def write(
        self,
        number: int,
        pixels: np.ndarray,
        alpha: np.ndarray | None,
        text: str,
    ) -> None:
        """Writes a painted frame atomically.

        Args:
            number: number of the frame.
            pixels: uint8 or uint16 `[H, W, 3]`.
            alpha: uint8 `[H, W]` of any size, or None.
            text: flags and facts of the frame.
        """
        write_image(self.path(number), pixels, alpha, text)

    def _check(self, path: str, asked: RunIdentity) -> Mapping[str, str]:
        """Checks that a frame is of the requested film; returns its flags."""
        made = RunIdentity.from_text(read_text(path))
        differences = ["it is not a frame of a film"]
        if made is not None:
            differences = asked.differences(made)
            if asked.steps != made.steps:
                differences.append(
                    f"num_steps was {made.steps!s:.80}, now {asked.steps}"
                )
        if differences:
            raise OtherRunError(
                f"{path!r} belongs to another film:"
                f" {one_line('; '.join(differences), 1000)}. Use its flags,"
                " choose another --workdir, or use --resume=restart, which"
                " renames the old one."
            )
        return made.flags
