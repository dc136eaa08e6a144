"""Painted frames as files of the workdir, from which a film continues."""

import itertools
import os
import struct
from collections.abc import Collection
from collections.abc import Iterable
from collections.abc import Mapping

import numpy as np

from tfstyle.errors import ConfigError
from tfstyle.errors import one_line
from tfstyle.experiment.identity import RunIdentity
from tfstyle.experiment.resume import OtherRunError
from tfstyle.experiment.workdir_files import FRAMES
from tfstyle.experiment.workdir_files import OVERLAPS
from tfstyle.flags import flagfile
from tfstyle.image_files.reading import read_image
from tfstyle.image_files.reading import read_text
from tfstyle.image_files.writing import write_image
from tfstyle.images.picture import Picture
from tfstyle.reports import metric_writers
from tfstyle.system import atomic_file
from tfstyle.training.plan import NOTHING_DECIDED

PNG = b"\x89PNG\r\n\x1a\n"
"""Signature of a PNG; chunks follow, each with size, kind and checksum."""


class FrameFiles:
    """Writes and finds the painted frames of a workdir.

    Args:
        folder: the workdir.
        shared: numbers of frames that another chunk writes to `frames/`; they
            are in `overlaps/`.
    """

    def __init__(self, folder: str, shared: Collection[int] = ()):
        self._folder = folder
        self._shared = shared

    def path(self, number: int) -> str:
        """Returns the path of a painted frame, `frames/000001.png`."""
        name = OVERLAPS if number in self._shared else FRAMES
        return os.path.join(self._folder, name, f"{number:06d}.png")

    def find_painted(self, numbers: Iterable[int]) -> list[int]:
        """Returns the numbers up to the first frame that is not painted."""
        return list(
            itertools.takewhile(
                lambda number: os.path.isfile(self.path(number)), numbers
            )
        )

    def count_missing(self, numbers: Iterable[int]) -> int:
        """Counts the frames that are not painted."""
        return sum(not os.path.isfile(self.path(n)) for n in numbers)

    def remove_partial(self, number: int) -> None:
        """Removes what a killed process left of a frame."""
        atomic_file.remove_partial(*os.path.split(self.path(number)))

    def losses(self, number: int) -> dict[str, float]:
        """Returns the steps, evaluations and losses of a painted frame."""
        _, facts = flagfile.parse_text(read_text(self.path(number)) or "")
        pairs = (pair.split("=") for pair in facts["result"].split())
        return {name: float(value) for name, value in pairs}

    def check(self, asked: RunIdentity, resume: str) -> Mapping[str, str]:
        """Checks that painted frames belong to the requested film.

        Args:
            asked: identity of the requested film.
            resume: the option `resume`.

        Returns:
            The options decided for them; none if there are no frames.

        Raises:
            ConfigError: if there are any and `resume` is never.
            OtherRunError: if a frame belongs to another film or other options.
        """
        decided = NOTHING_DECIDED
        for name in (FRAMES, OVERLAPS):
            folder = os.path.join(self._folder, name)
            if not os.path.isdir(folder):
                continue
            for _, path in metric_writers.numbered_pictures(folder):
                decided = self._check(path, asked)
                if resume == "never":
                    raise ConfigError(
                        f"`workdir` {self._folder!r} contains a film, and"
                        " `resume` is never. Choose another workdir, or use"
                        " --resume=restart, which renames the old one."
                    )
        return decided

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

    def copy(self, number: int, target: str, *, with_text: bool) -> None:
        """Copies a painted frame, with or without its flags and facts.

        Raises:
            OSError: if it cannot be written.
        """
        with (
            open(self.path(number), "rb") as source,
            open(target, "wb") as file,
        ):
            file.write(source.read(len(PNG)))
            while head := source.read(8):
                size, kind = struct.unpack(">I4s", head)
                chunk = source.read(size + 4)  # with its checksum
                if with_text or kind != b"iTXt":
                    file.write(head + chunk)

    def _check(self, path: str, asked: RunIdentity) -> Mapping[str, str]:
        """Checks that a frame is of the requested film; returns its flags."""
        made = RunIdentity.from_text(read_text(path))
        differences = ["it is not a frame of a film"]
        if made is not None:
            differences = asked.differences(made)
            if asked.weights != made.weights:
                differences.append("weights are others")
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
