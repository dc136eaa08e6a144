"""Masks of a film's regions: one for all frames, or a folder with one each."""

import os
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np

from tfstyle.errors import ImageError
from tfstyle.image_files.masks import read_mask
from tfstyle.image_files.masks import to_mask
from tfstyle.image_files.paths import expand_names
from tfstyle.image_files.reading import read_image
from tfstyle.images.image_set import describe_image
from tfstyle.system.file_hash import describe_files

Region: TypeAlias = np.ndarray | list[str]
"""Mask of all frames, uint8 `[H, W]`, or the path of the mask of each frame."""


def read_region(path: str, max_pixels: int) -> Region:
    """Reads a mask file, or lists the files of a folder of masks.

    Raises:
        ImageError: if the mask cannot be read, or the folder has none.
    """
    if os.path.isdir(path):
        return expand_names([path])
    return read_mask(path, max_pixels)


class RegionMasks:
    """The masks of each frame.

    Args:
        regions: the regions of the film.
        max_pixels: larger mask files are refused.
    """

    def __init__(self, regions: Sequence[Region], max_pixels: int):
        self._regions = regions
        self._max_pixels = max_pixels

    def describe(self) -> dict[str, str]:
        """Returns a hash of the masks of every region, by its number."""
        return {
            f"content_masks {number}": describe_files(region)
            if isinstance(region, list)
            else describe_image(region)
            for number, region in enumerate(self._regions, start=1)
        }

    def at(self, number: int) -> list[np.ndarray]:
        """Returns the masks of a frame, uint8 `[H, W]`, one per region.

        Raises:
            ImageError: if a mask is missing or cannot be read.
        """
        return [
            self._read(region, number) if isinstance(region, list) else region
            for region in self._regions
        ]

    def _read(self, paths: list[str], number: int) -> np.ndarray:
        """Reads the mask of a frame; black if it does not show the region."""
        if number > len(paths):
            raise ImageError(
                f"The folder {os.path.dirname(paths[0])!r} must have a mask for"
                f" every frame. Received: {len(paths)} masks, none for frame"
                f" {number}."
            )
        path = paths[number - 1]
        image = read_image(path, self._max_pixels)
        return to_mask(image.pixels, image.alpha, f"Mask {path!r}")
