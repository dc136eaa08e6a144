"""Films of the intermediate pictures of a run, as MP4, GIF or WebP.

GIF and WebP are written by Pillow, MP4 by PyAV.
"""

import itertools
import math
import os
from collections.abc import Iterator
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from absl import logging
from PIL import Image

from tfstyle.errors import ImageError
from tfstyle.errors import WriteError
from tfstyle.images.resize import fit_size
from tfstyle.reports import metric_writers
from tfstyle.system import atomic_file
from tfstyle.system.file_hash import hash_file
from tfstyle.video_files import animations
from tfstyle.video_files.containers import check_library
from tfstyle.video_files.writing import FilmWriter

ENDINGS = (".mp4", ".gif", ".webp")
MAX_PICTURES = 120
"""Maximum number of pictures for a film, besides the first, if
`image_every_steps` is not given."""
MAX_FRAMES = {".gif": MAX_PICTURES // 2 + 1, ".webp": MAX_PICTURES + 1}
"""Maximum number of frames, for formats that are encoded in memory."""
MAX_SIDE = {".mp4": 1920, ".gif": 480, ".webp": 800}
"""Maximum long edge, pixels. Phones decode such an MP4; such a GIF has less
than 10 MB."""
SECONDS = 6
"""Target duration of a film, seconds."""
SHORTEST, LONGEST = 50, 200
"""Minimum and maximum duration of a frame, milliseconds."""
HOLD = 2000
"""Duration of the last frame, milliseconds."""
RECORD = "film.sha256"
"""File of a workdir with the hashes of all films that its runs wrote."""


def choose_interval(num_steps: int) -> int:
    """Returns the number of steps between the pictures of a film."""
    return max(1, math.ceil(num_steps / MAX_PICTURES))


def check_encoder(path: str) -> None:
    """Checks that a film can be encoded, before the run starts.

    Raises:
        SetupError: if PyAV is not installed, which encodes an MP4.
    """
    if _ending(path) == ".mp4":
        check_library()


def was_written_by(folder: str, path: str) -> bool:
    """True if a film was written by a run in this workdir."""
    known = read_record(folder)
    return bool(known) and os.path.isfile(path) and hash_file(path) in known


def write_film(path: str, pictures: Sequence[str], folder: str) -> None:
    """Writes a film atomically; missing folders are created.

    Args:
        path: path of the film; its ending, one of ENDINGS, sets the format.
        pictures: paths of the frames, at least one, all of the same size.
        folder: the workdir, which records the hash of the film.

    Raises:
        ImageError: if a picture cannot be read.
        WriteError: if the film cannot be written.
    """
    ending = _ending(path)
    pictures = animations.choose(
        pictures, MAX_FRAMES.get(ending, len(pictures))
    )
    milliseconds = _frame_time(len(pictures))
    size = film_size(*metric_writers.read_picture(pictures[-1]).size, ending)
    count = "1 frame" if len(pictures) == 1 else f"{len(pictures)} frames"
    logging.info("Writing %s: %s of %dx%d pixels", path, count, *size)
    frames = (_read_frame(picture, size) for picture in pictures)
    try:
        os.makedirs(os.path.dirname(os.path.realpath(path)), exist_ok=True)
        with atomic_file.replacing(path) as temporary:
            _write(temporary, ending, frames, milliseconds)
            keep_hash(temporary, folder)
    except ImageError:
        raise
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise WriteError(
            f"Film {path!r} cannot be written ({reason})."
        ) from error


def film_size(width: int, height: int, ending: str) -> tuple[int, int]:
    """Returns the width and height of a film, pixels.

    An MP4 has even sides, as H.264 halves the resolution of the colours.

    Args:
        width: width of the pictures, pixels.
        height: height of the pictures, pixels.
        ending: ending of the film, one of ENDINGS.
    """
    longest = MAX_SIDE[ending]
    if max(width, height) > longest:
        height, width = fit_size(height, width, longest)
    if ending == ".mp4":
        return max(2, width - width % 2), max(2, height - height % 2)
    return width, height


def _frame_time(num_frames: int) -> int:
    """Returns the duration of a frame, ms, a multiple of 10 for GIF."""
    wanted = round(100 * SECONDS / num_frames) * 10
    return min(max(wanted, SHORTEST), LONGEST)


def _read_frame(path: str, size: tuple[int, int]) -> Image.Image:
    """Reads a picture as a frame; transparent pixels become white."""
    image = metric_writers.read_picture(path)
    if image.mode == "RGBA":
        ground = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(ground, image).convert("RGB")
    width, height = size
    if (image.width // 2, image.height // 2) == (width // 2, height // 2):
        return image.crop((0, 0, width, height))  # at most one pixel per side
    return image.resize(size, Image.Resampling.LANCZOS)


def _write(
    path: str, ending: str, frames: Iterator[Image.Image], milliseconds: int
) -> None:
    """Writes frames of one duration; the last is shown for HOLD."""
    if ending in animations.FORMATS:
        images = list(frames)
        times = [milliseconds] * (len(images) - 1) + [HOLD]
        animations.write_animation(path, ending, images, times)
        return
    first = next(frames)
    size, rate = (first.height, first.width), Fraction(1000, milliseconds)
    with FilmWriter(path, ending, size, rate, 1 / rate) as writer:
        number, image = 0, first
        for number, image in enumerate(itertools.chain([first], frames)):
            writer.write(np.asarray(image), None, number)
        for held in range(1, math.ceil(HOLD / milliseconds)):
            writer.write(np.asarray(image), None, number + held)
        writer.finish()


def read_record(folder: str) -> list[str]:
    """Returns the hashes of all films written by runs in a workdir."""
    record = os.path.join(folder, RECORD)
    if not os.path.isfile(record):
        return []
    with open(record, encoding="utf-8", errors="replace") as file:
        return file.read().split()


def keep_hash(path: str, folder: str) -> None:
    """Records the hash of a film, before the film gets its final name."""
    known = read_record(folder)
    digest = hash_file(path)
    if digest not in known:
        lines = "\n".join([*known, digest]) + "\n"
        atomic_file.write_text(os.path.join(folder, RECORD), lines)


def _ending(path: str) -> str:
    return os.path.splitext(path)[1].lower()
