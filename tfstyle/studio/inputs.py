"""Pictures that were brought to the page, kept beside the runs."""

import hashlib
import os
import re
import shutil
from collections.abc import Sequence

import numpy as np

from tfstyle.errors import raising_write_errors
from tfstyle.images.errors import ImageError
from tfstyle.images.files import read_image
from tfstyle.images.saving import write_image
from tfstyle.system import atomic_file
from tfstyle.system.file_hash import hash_file

FOLDER = "inputs"
"""Of the folder of runs."""
LONGEST_NAME = 40


def find_regions(
    layers: Sequence[str], colors: Sequence[tuple[int, int, int]]
) -> np.ndarray | None:
    """Returns which colour was painted where, int `[H, W]`; 0: none.

    Args:
        layers: paths of what was painted, the lowest first.
        colors: that it was painted in; the first is 1.

    Returns:
        None if nothing was painted.

    Raises:
        ImageError: if a layer cannot be read.
    """
    found = None
    for path in layers:
        layer = read_image(path)
        if layer.alpha is None:
            continue
        away = [
            np.abs(layer.pixels.astype(int) - color).sum(axis=2)
            for color in colors
        ]
        here = np.where(layer.alpha > 127, 1 + np.argmin(away, axis=0), 0)
        if found is None:
            found = np.zeros_like(here)
        found = np.where(here > 0, here, found)
    return None if found is None or not found.any() else found


def keep_mask(root: str, inside: np.ndarray) -> str:
    """Returns the path of a mask, which has its contents' name.

    Args:
        root: the folder of runs.
        inside: bool `[H, W]`.

    Raises:
        ImageError: if it cannot be written.
    """
    light = np.where(inside, 255, 0).astype(np.uint8)
    digest = hashlib.sha256(light.tobytes()).hexdigest()[:8]
    path = os.path.join(root, FOLDER, f"mask-{digest}.png")
    if not os.path.exists(path):
        write_image(path, np.repeat(light[..., np.newaxis], 3, axis=2))
    return path


def keep(root: str, path: str, max_pixels: int) -> str:
    """Returns the path of a picture's copy, which has its name and contents.

    Args:
        root: the folder of runs.
        path: of a file of any origin.
        max_pixels: of a picture that is taken.

    Raises:
        ImageError: if it is no picture that can be read.
        WriteError: if it cannot be kept.
    """
    try:
        read_image(path, max_pixels)
    except ImageError as error:
        # The file lies where the person did not put it.
        name = os.path.basename(path)
        raise ImageError(str(error).replace(path, name)) from error
    digest = hash_file(path)[:8]
    stem, ending = os.path.splitext(os.path.basename(path))
    stem = re.sub(r"[^\w-]+", "_", stem)[:LONGEST_NAME] or "picture"
    ending = re.sub(r"[^.\w]", "", ending.lower())[:8]
    kept = os.path.join(root, FOLDER, f"{stem}-{digest}{ending}")
    if not os.path.exists(kept):
        with raising_write_errors(kept):
            os.makedirs(os.path.dirname(kept), exist_ok=True)
            with atomic_file.replacing(kept) as temporary:
                shutil.copyfile(path, temporary)
    return kept
