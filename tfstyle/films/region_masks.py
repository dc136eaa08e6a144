"""Masks of a film's regions: one for all frames, or a folder with one each."""

import os
from collections.abc import Sequence

import numpy as np

from tfstyle.errors import ImageError
from tfstyle.image_files.masks import read_mask
from tfstyle.image_files.masks import to_mask
from tfstyle.image_files.paths import expand_names
from tfstyle.image_files.reading import read_image
from tfstyle.images.image_set import describe_image
from tfstyle.system.file_hash import describe_files


class RegionMasks:
    """Reads the masks of each frame.

    Args:
        paths: one per region: a mask file, or a folder of masks whose n-th is
            that of frame n.
        max_pixels: larger masks are refused.

    Raises:
        ImageError: if a mask cannot be read.
    """

    def __init__(self, paths: Sequence[str], max_pixels: int):
        self._max_pixels = max_pixels
        self._regions: list[np.ndarray | list[str]] = [
            expand_names([path])
            if os.path.isdir(path)
            else read_mask(path, max_pixels)
            for path in paths
        ]
        self._paths = paths

    def describe(self) -> dict[str, str]:
        """Returns a hash of the masks of every region, by its number."""
        described = {}
        for number, region in enumerate(self._regions, start=1):
            if isinstance(region, np.ndarray):
                text = describe_image(region)
            else:
                text = describe_files(region)
            described[f"content_masks {number}"] = text
        return described

    def at(self, number: int) -> list[np.ndarray]:
        """Returns the masks of a frame, uint8 `[H, W]`, one per region.

        A mask of a folder may be black: the region is not in this frame.

        Raises:
            ImageError: if a mask is missing or cannot be read.
        """
        masks = []
        for path, region in zip(self._paths, self._regions, strict=True):
            if isinstance(region, np.ndarray):
                masks.append(region)
                continue
            if number > len(region):
                raise ImageError(
                    f"The folder of masks {path!r} must have one for each"
                    f" frame. Received: {len(region)}, none for frame"
                    f" {number}."
                )
            name = region[number - 1]
            image = read_image(name, self._max_pixels)
            if image.alpha is None and not image.pixels.any():
                masks.append(np.zeros(image.pixels.shape[:2], np.uint8))
            else:
                masks.append(
                    to_mask(image.pixels, image.alpha, f"Mask {name!r}")
                )
        return masks
