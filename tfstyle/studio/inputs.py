"""Uploaded pictures: validates them and stores them in the folder of runs."""

import functools
import hashlib
import os
import pathlib
import re
import shutil
from collections.abc import Sequence

import numpy as np
from PIL import Image
from PIL import ImageFilter

from tfstyle.errors import ImageError
from tfstyle.errors import TfstyleError
from tfstyle.errors import raising_write_errors
from tfstyle.image_files import signatures
from tfstyle.image_files.reading import read_image
from tfstyle.image_files.writing import write_image
from tfstyle.images.picture import Picture
from tfstyle.system import atomic_file
from tfstyle.system.file_hash import hash_file
from tfstyle.system.paths import is_address

FOLDER = "inputs"
"""Subfolder of the folder of runs with the input images of all jobs."""
UPLOADS = "uploads"
"""Subfolder of the folder of runs with uploads, which Gradio removes after a
day, and copies of results in other formats."""
LONGEST_NAME = 40
PAINTED = 50
"""Opacity, 0 to 255, from which a pixel of the regions counts as painted."""
SAMPLES = pathlib.Path(__file__).parents[1] / "samples"
"""Folder of the sample pictures in the package."""
MAX_PIXELS = 100_000_000
"""Maximum size of an uploaded picture, pixels."""
SHOWN_ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".avif")
"""Endings of image files that browsers can display."""
SHOWN_KINDS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "AVIF")
"""Formats that browsers can display."""


def find_regions(
    layers: Sequence[str], colors: Sequence[tuple[int, int, int]]
) -> np.ndarray | None:
    """Finds the painted region of every pixel by its colour.

    Args:
        layers: paths of the painted layers, lowest first.
        colors: RGB colours of the regions.

    Returns:
        int `[H, W]`, the number of the nearest colour, from 1, or 0 if not
        painted; None if nothing was painted.

    Raises:
        ImageError: if a layer cannot be read.
    """
    found = None
    for path in layers:
        layer = _read(path)
        if layer.alpha is None:
            continue
        away = [
            np.abs(layer.pixels.astype(int) - color).sum(axis=2)
            for color in colors
        ]
        here = np.where(layer.alpha > PAINTED, 1 + np.argmin(away, axis=0), 0)
        if found is None:
            found = np.zeros_like(here)
        found = np.where(here > 0, here, found)
    return None if found is None or not found.any() else found


def keep_mask(root: str, inside: np.ndarray, softness: int = 0) -> str:
    """Stores a mask in a file named by its hash; returns its path.

    A mask with a soft edge is stored without it, too, see `without_soft_edge`.

    Args:
        root: the folder of runs.
        inside: bool `[H, W]`, True inside the region.
        softness: width of the soft edge, percent of the long edge; part of the
            file's name, see `softness_of`.

    Raises:
        ImageError: if the file cannot be written.
    """
    light = np.where(inside, 255, 0).astype(np.uint8)
    described = f"{light.shape} ".encode() + light.tobytes()
    digest = hashlib.sha256(described).hexdigest()[:8]
    ending = f"-soft{softness}" if softness else ""
    path = os.path.join(root, FOLDER, f"mask-{digest}{ending}.png")
    if not os.path.exists(path):
        if softness:
            keep_mask(root, inside)
        # A Gaussian edge is about four deviations wide.
        radius = softness / 100 * max(light.shape) / 4
        blur = ImageFilter.GaussianBlur(radius)
        soft = np.asarray(Image.fromarray(light).filter(blur))
        write_image(path, np.repeat(soft[..., np.newaxis], 3, axis=2))
    return path


def softness_of(path: str) -> int:
    """Returns the width of a mask's soft edge, percent of the long edge."""
    found = re.search(r"-soft(\d{1,2})\.png$", path)
    return int(found[1]) if found else 0


def without_soft_edge(path: str) -> str:
    """Returns the path of the same mask with a hard edge, if it is stored."""
    hard = re.sub(r"-soft\d{1,2}\.png$", ".png", path)
    return hard if os.path.exists(hard) else path


def size_of(path: str) -> tuple[int, int]:
    """Returns the height and width of a picture as it is shown, pixels.

    Raises:
        ImageError: if it cannot be read as a picture.
    """
    return _measure(path, _time_of(path))


@functools.lru_cache(256)
def _measure(path: str, time: int) -> tuple[int, int]:
    """Reads a picture for its size; `time` is that of the file."""
    height, width = _read(path).pixels.shape[:2]
    return height, width


def keep(root: str, path: str) -> str:
    """Copies a picture to the folder of runs; returns the path of the copy.

    The copy is named by the picture's name and hash. A picture that is already
    in the folder and not an upload is not copied.

    Args:
        root: the folder of runs.
        path: path of the picture.

    Raises:
        ImageError: if it cannot be read as a picture.
        WriteError: if the copy cannot be written.
    """
    size_of(path)
    return store(root, path)


def store(root: str, path: str) -> str:
    """Copies a file as `keep` does, whatever it is.

    Raises:
        WriteError: if the copy cannot be written.
    """
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


def to_shown(root: str, path: str) -> tuple[str, tuple[str, ...]]:
    """Returns a picture that browsers display as it is painted, and warnings.

    Other formats, and pictures with warnings, are converted to PNG.

    Args:
        root: the folder of runs.
        path: path of the picture.

    Returns:
        Path of the picture or its PNG, and the warnings, see `Picture`.

    Raises:
        ImageError: if it cannot be read as a picture, or the PNG cannot be
            written.
    """
    picture = _read(path)
    with open(path, "rb") as file:
        kind = signatures.find_kind(file.read(signatures.HEAD))
    is_known = os.path.splitext(path)[1].lower() in SHOWN_ENDINGS
    if is_known and kind in SHOWN_KINDS and not picture.warnings:
        return path, ()
    shown = os.path.join(root, FOLDER, f"{_name_of(path)}.png")
    if not os.path.exists(shown):
        write_image(shown, picture.pixels, picture.alpha)
    return shown, picture.warnings


def find_shown(root: str, path: str | None) -> str | None:
    """Returns a run's picture as browsers display it, or None.

    Args:
        root: the folder of runs; a picture outside is copied to it.
        path: path of the picture, or None.
    """
    try:
        kept = path and keep(root, path)
        return kept and to_shown(root, kept)[0]
    except (TfstyleError, OSError):
        return None  # the file no longer exists


def stem_of(path: str) -> str:
    """Returns the original name of a stored picture, without its ending."""
    stem = os.path.splitext(os.path.basename(path))[0]
    return re.sub(r"-[0-9a-f]{8}$", "", stem)


def _time_of(path: str) -> int:
    """Returns the modification time of a file, or 0 if it is missing."""
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return 0


def _read(path: str) -> Picture:
    if is_address(path):  # a visitor opens no connection from here
        raise ImageError(f"Image {path!r} is not an upload.")
    try:
        return read_image(path, MAX_PIXELS)
    except ImageError as error:
        raise ImageError(without_folder(error, path)) from error


def without_folder(error: Exception, path: str) -> str:
    """Returns a message with the name of a file in place of its path.

    The folder of an upload means nothing to the user.
    """
    return str(error).replace(path, os.path.basename(path))


@functools.lru_cache(256)
def _hash(path: str, time: int) -> str:
    """Returns the hash of a file in short; `time` is that of the file."""
    return hash_file(path)[:8]


def _name_of(path: str) -> str:
    """Returns a file name, without ending, from a file's name and hash."""
    stem = os.path.splitext(os.path.basename(path))[0]
    stem = re.sub(r"[^\w-]+", "_", stem) or "picture"
    digest = _hash(path, _time_of(path))
    stem = stem.removesuffix(f"-{digest}")  # Gradio copies stored pictures
    return f"{stem[:LONGEST_NAME]}-{digest}"
