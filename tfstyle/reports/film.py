"""The film of a run: its pictures, one after the other, as MP4, GIF or WebP.

Pillow writes GIF and WebP; ffmpeg, which comes with the package imageio-ffmpeg,
writes MP4.
"""

import contextlib
import itertools
import math
import os
import subprocess
from collections.abc import Iterator
from collections.abc import Sequence
from typing import TypeVar

from absl import logging
from PIL import Image

from tfstyle.errors import ImageError
from tfstyle.errors import TfstyleError
from tfstyle.errors import WriteError
from tfstyle.errors import one_line
from tfstyle.images.resize import fit_size
from tfstyle.reports import metric_writers
from tfstyle.system import atomic_file
from tfstyle.system.file_hash import hash_file
from tfstyle.system.interpreter import describe_end

Item = TypeVar("Item")
ENDINGS = (".mp4", ".gif", ".webp")
MAX_PICTURES = 120
"""After the first; taken for a film unless `image_every_steps` says when."""
MAX_FRAMES = {".gif": MAX_PICTURES // 2 + 1, ".webp": MAX_PICTURES + 1}
"""Of a film that is held in memory while it is written."""
MAX_SIDE = {".mp4": 1920, ".gif": 480, ".webp": 800}
"""Pixels. Phones decode such an MP4; such a GIF has less than 10 MB."""
SECONDS = 6
"""That a film takes if its frames are neither too few nor too many."""
SHORTEST, LONGEST = 50, 200
"""Milliseconds of a frame."""
HOLD = 2000
"""Milliseconds of the last frame."""
PALETTE_FRAMES, PALETTE_SIDE = 16, 64
"""Frames, and pixels of their long edge, that a GIF's colours are of."""
RECORD = "film.sha256"
"""File of a workdir: the hashes of the films that its runs wrote."""


class FilmError(TfstyleError):
    """A film cannot be written on this machine."""


def choose_interval(num_steps: int) -> int:
    """Returns the steps between the pictures of a film of a run."""
    return max(1, math.ceil(num_steps / MAX_PICTURES))


def check_encoder(path: str) -> None:
    """Finds out before the work whether the encoder of a film is there.

    Raises:
        FilmError: if it is not.
    """
    if _ending(path) != ".mp4":
        return
    try:
        described = subprocess.run(
            [find_ffmpeg(), "-hide_banner", "-h", "encoder=libx264"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
        ).stdout
    except (ImportError, RuntimeError, OSError):
        described = b""
    if b"Encoder libx264" not in described:
        raise FilmError(
            f"`film` {path!r} needs ffmpeg with libx264: pip install"
            " 'tfstyle[film]'. A .gif or .webp needs none."
        )


def find_ffmpeg() -> str:
    """Returns the path of ffmpeg.

    Raises:
        ImportError: if imageio-ffmpeg, which finds it, is not installed.
        RuntimeError: if there is none.
    """
    import imageio_ffmpeg

    return imageio_ffmpeg.get_ffmpeg_exe()


def was_written_by(folder: str, path: str) -> bool:
    """Returns whether a film is one that a run of a workdir wrote."""
    known = read_record(folder)
    return bool(known) and os.path.isfile(path) and hash_file(path) in known


def write_film(path: str, pictures: Sequence[str], folder: str) -> None:
    """Writes the film, atomically; missing folders are made.

    Args:
        path: its ending, one of ENDINGS, chooses the format.
        pictures: paths of the frames, all of one size; at least one.
        folder: the workdir, which keeps the hash of the film.

    Raises:
        ImageError: if a picture cannot be read.
        WriteError: if the film cannot be written.
    """
    ending = _ending(path)
    pictures = choose(pictures, MAX_FRAMES.get(ending, len(pictures)))
    milliseconds = _frame_time(len(pictures))
    size = film_size(*metric_writers.read_picture(pictures[-1]).size, ending)
    count = "1 frame" if len(pictures) == 1 else f"{len(pictures)} frames"
    logging.info("Writing %s: %s of %dx%d pixels", path, count, *size)
    frames = (_read_frame(picture, size) for picture in pictures)
    write = {".mp4": _write_mp4, ".gif": _write_gif, ".webp": _write_webp}
    try:
        os.makedirs(os.path.dirname(os.path.realpath(path)), exist_ok=True)
        with atomic_file.replacing(path) as temporary:
            write[ending](temporary, frames, milliseconds)
            _keep_hash(temporary, folder)
    except ImageError:
        raise
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise WriteError(
            f"Film {path!r} cannot be written ({reason})."
        ) from error


def film_size(width: int, height: int, ending: str) -> tuple[int, int]:
    """Returns the width and height of a film of pictures of a size.

    Those of an MP4 are even: H.264 has half as many pixels for the colours.
    """
    longest = MAX_SIDE[ending]
    if max(width, height) > longest:
        height, width = fit_size(height, width, longest)
    if ending == ".mp4":
        return max(2, width - width % 2), max(2, height - height % 2)
    return width, height


def choose(items: Sequence[Item], most: int) -> list[Item]:
    """Returns items at even distances, the first and the last among them.

    Args:
        items: at least one.
        most: that are wanted.
    """
    count = min(len(items), most)
    step = (len(items) - 1) / max(1, count - 1)
    return [items[round(number * step)] for number in range(count)]


def _frame_time(num_frames: int) -> int:
    """Returns the milliseconds of a frame, tens of them as in a GIF."""
    wanted = round(100 * SECONDS / num_frames) * 10
    return min(max(wanted, SHORTEST), LONGEST)


def _read_frame(path: str, size: tuple[int, int]) -> Image.Image:
    """Reads a picture as a frame; where it is transparent, that is white."""
    image = metric_writers.read_picture(path)
    if image.mode == "RGBA":
        ground = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(ground, image).convert("RGB")
    width, height = size
    if (image.width // 2, image.height // 2) == (width // 2, height // 2):
        return image.crop((0, 0, width, height))  # of an odd side, one pixel
    return image.resize(size, Image.Resampling.LANCZOS)


def _write_gif(
    path: str, frames: Iterator[Image.Image], milliseconds: int
) -> None:
    """Writes a GIF of one palette, so that still parts do not flicker."""
    images = list(frames)
    palette = _make_palette(images)
    _save_all(
        path,
        [
            image.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG)
            for image in images
        ],
        milliseconds,
        format="GIF",
    )


def _make_palette(images: list[Image.Image]) -> Image.Image:
    """Returns a picture with the palette of a film.

    The first steps change the colours most, and the last frame stays longest.
    """
    chosen = choose(images, PALETTE_FRAMES)
    chosen += images[1:4] + images[-1:] * 3
    height, width = fit_size(chosen[0].height, chosen[0].width, PALETTE_SIDE)
    strip = Image.new("RGB", (width * len(chosen), height))
    for number, image in enumerate(chosen):
        small = image.resize((width, height), Image.Resampling.NEAREST)
        strip.paste(small, (width * number, 0))
    return strip.quantize(256, kmeans=1)


def _write_webp(
    path: str, frames: Iterator[Image.Image], milliseconds: int
) -> None:
    _save_all(path, list(frames), milliseconds, format="WEBP", quality=85)


def _save_all(
    path: str, images: list[Image.Image], milliseconds: int, **options
) -> None:
    """Writes frames that Pillow repeats for ever."""
    images[0].save(
        path,
        save_all=True,
        append_images=images[1:],
        duration=[milliseconds] * (len(images) - 1) + [HOLD],
        loop=0,
        **options,
    )


def _write_mp4(
    path: str, frames: Iterator[Image.Image], milliseconds: int
) -> None:
    """Writes H.264 as every player reads it: 4:2:0, BT.709, index first.

    A pipe feeds ffmpeg, which ends with it, however this process ends. In a
    session of its own it does not hear a Ctrl-C, which is for us.
    """
    first = next(frames)
    command = [
        *(find_ffmpeg(), "-v", "error", "-y"),
        *("-f", "rawvideo", "-pix_fmt", "rgb24"),
        *("-s", f"{first.width}x{first.height}"),
        *("-framerate", f"1000/{milliseconds}", "-i", "pipe:0"),
        "-vf",
        "scale=out_color_matrix=bt709:out_range=tv"
        ":flags=accurate_rnd+full_chroma_int,format=yuv420p,setparams="
        "range=tv:colorspace=bt709:color_primaries=bt709:color_trc=bt709",
        *("-c:v", "libx264", "-crf", "18"),
        *("-movflags", "+faststart", "-f", "mp4", f"file:{path}"),
    ]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        try:
            with contextlib.suppress(BrokenPipeError):  # stderr says why
                for frame in itertools.chain([first], frames):
                    data = frame.tobytes()
                    process.stdin.write(data)
                for _ in range(math.ceil(HOLD / milliseconds) - 1):
                    process.stdin.write(data)
            _, said = process.communicate()
        except BaseException:
            process.kill()
            raise
    if process.returncode:
        lines = said.decode(errors="replace").split("\n")
        end = f"it {describe_end(process.returncode)}"
        reason = next((line for line in lines if line.strip()), end)
        raise OSError(f"ffmpeg: {one_line(reason)}")


def read_record(folder: str) -> list[str]:
    """Returns the hashes of the films that runs of a workdir wrote."""
    record = os.path.join(folder, RECORD)
    if not os.path.isfile(record):
        return []
    with open(record, encoding="utf-8", errors="replace") as file:
        return file.read().split()


def _keep_hash(path: str, folder: str) -> None:
    """Adds a film to the record, before it has its name: so it always has."""
    known = read_record(folder)
    digest = hash_file(path)
    if digest not in known:
        lines = "\n".join([*known, digest]) + "\n"
        atomic_file.write_text(os.path.join(folder, RECORD), lines)


def _ending(path: str) -> str:
    return os.path.splitext(path)[1].lower()
