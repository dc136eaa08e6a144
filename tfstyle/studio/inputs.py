"""Pictures that were uploaded to the page, kept beside the runs."""

import hashlib
import os
import pathlib
import re
import shutil
from collections.abc import Sequence

import numpy as np

from tfstyle.errors import ImageError
from tfstyle.errors import raising_write_errors
from tfstyle.image_files.reading import read_image
from tfstyle.image_files.writing import write_image
from tfstyle.images.picture import Picture
from tfstyle.system import atomic_file
from tfstyle.system.file_hash import hash_file

FOLDER = "inputs"
"""Of the folder of runs: pictures that were painted or are to be."""
UPLOADS = "uploads"
"""Of the folder of runs: uploads, which Gradio removes after a day, and copies
of results in other formats."""
LONGEST_NAME = 40
SAMPLES = pathlib.Path(__file__).parents[1] / "samples"
"""Pictures that are shipped with the package."""
MAX_PIXELS = 100_000_000
"""Of an uploaded picture."""
SHOWN_ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".avif")
"""Of files that browsers show."""


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
    described = f"{light.shape} ".encode() + light.tobytes()
    digest = hashlib.sha256(described).hexdigest()[:8]
    path = os.path.join(root, FOLDER, f"mask-{digest}.png")
    if not os.path.exists(path):
        write_image(path, np.repeat(light[..., np.newaxis], 3, axis=2))
    return path


def keep(root: str, path: str) -> str:
    """Returns the path of a picture's copy in the folder of runs.

    Its name is made of the picture's name and contents. A picture that is
    there to stay already is not copied.

    Args:
        root: the folder of runs.
        path: of a file of any origin.

    Raises:
        ImageError: if it cannot be read as a picture.
        WriteError: if it cannot be written.
    """
    _read(path)
    place = os.path.realpath(path)
    is_inside, is_upload = (
        place.startswith(os.path.join(os.path.realpath(root), name, ""))
        for name in ("", UPLOADS)
    )
    if is_inside and not is_upload:
        return path
    folder = os.path.join(root, FOLDER)
    ending = os.path.splitext(path)[1].lower()
    ending = re.sub(r"[^.\w]", "", ending)[:8]
    kept = os.path.join(folder, f"{_name_of(path)}{ending}")
    if not os.path.exists(kept):
        with raising_write_errors(kept):
            os.makedirs(folder, exist_ok=True)
            with atomic_file.replacing(kept) as temporary:
                shutil.copyfile(path, temporary)
    return kept


def to_shown(root: str, path: str) -> str:
    """Returns the path of a picture that a browser shows: as it is, or a PNG.

    Args:
        root: the folder of runs.
        path: of a file of any origin.

    Raises:
        ImageError: if it cannot be read as a picture, or not written.
    """
    picture = _read(path)
    if os.path.splitext(path)[1].lower() in SHOWN_ENDINGS:
        return path
    shown = os.path.join(root, FOLDER, f"{_name_of(path)}.png")
    if not os.path.exists(shown):
        write_image(shown, picture.pixels, picture.alpha)
    return shown


def stem_of(path: str) -> str:
    """Returns the name that a kept picture was uploaded with."""
    stem = os.path.splitext(os.path.basename(path))[0]
    return re.sub(r"-[0-9a-f]{8}$", "", stem)


def _read(path: str) -> Picture:
    try:
        return read_image(path, MAX_PIXELS)
    except ImageError as error:
        # An upload lies in a folder that the person does not know.
        name = os.path.basename(path)
        raise ImageError(str(error).replace(path, name)) from error


def _name_of(path: str) -> str:
    """Returns a name without an ending, of a file's name and contents."""
    stem = os.path.splitext(os.path.basename(path))[0]
    stem = re.sub(r"[^\w-]+", "_", stem) or "picture"
    digest = hash_file(path)[:8]
    stem = stem.removesuffix(f"-{digest}")  # Gradio's copy of a copy
    return f"{stem[:LONGEST_NAME]}-{digest}"
