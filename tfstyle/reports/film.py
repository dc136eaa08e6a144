"""Films of the intermediate pictures of a run, as MP4, GIF or WebP.

GIF and WebP are written by Pillow, MP4 by ffmpeg from the package
imageio-ffmpeg.
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
PALETTE_FRAMES, PALETTE_SIDE = 16, 64
"""Number of frames, and their long edge in pixels, for a GIF's palette."""
RECORD = "film.sha256"
"""File of a workdir with the hashes of all films that its runs wrote."""


class FilmError(TfstyleError):
    """This machine cannot write the film."""


def choose_interval(num_steps: int) -> int:
    """Returns the number of steps between the pictures of a film."""
    return max(1, math.ceil(num_steps / MAX_PICTURES))


def check_encoder(path: str) -> None:
    """Checks that the encoder of a film is available, before the run starts.

    Raises:
        FilmError: if it is missing.
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
        RuntimeError: if ffmpeg is not found.
    """
    import imageio_ffmpeg

    return imageio_ffmpeg.get_ffmpeg_exe()


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


def choose(items: Sequence[Item], most: int) -> list[Item]:
    """Returns evenly spaced items, including the first and the last.

    Args:
        items: items to choose from, at least one.
        most: maximum number of items to return.
    """
    count = min(len(items), most)
    step = (len(items) - 1) / max(1, count - 1)
    return [items[round(number * step)] for number in range(count)]


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


def _write_gif(
    path: str, frames: Iterator[Image.Image], milliseconds: int
) -> None:
    """Writes a GIF with a single palette, which avoids flicker."""
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

    The first frames, where colours change most, and the last, which is shown
    longest, have more weight.
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
    """Writes an endless loop of frames with Pillow."""
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
    """Writes H.264 that every player supports: 4:2:0, BT.709, index first.

    ffmpeg reads from a pipe, so it ends even if this process is killed. Its own
    session shields it from Ctrl-C, which this process handles.
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
            with contextlib.suppress(BrokenPipeError):  # reason is in stderr
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
