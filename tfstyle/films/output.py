"""The finished film, made from the painted frames of a workdir."""

import json
import os
from collections.abc import Iterable
from collections.abc import Mapping

import numpy as np
from absl import logging
from PIL import Image

from tfstyle.config.run_config import RunConfig
from tfstyle.errors import WriteError
from tfstyle.errors import one_line
from tfstyle.experiment import output_checks
from tfstyle.experiment import workdir_files
from tfstyle.experiment.run_directory import WorkdirError
from tfstyle.films.frame_files import FrameFiles
from tfstyle.images.transparency import lay_on_white
from tfstyle.reports import film as film_records
from tfstyle.reports.metric_writers import numbered_pictures
from tfstyle.system import atomic_file
from tfstyle.video_files import animations
from tfstyle.video_files.film import Film
from tfstyle.video_files.sound import Sound
from tfstyle.video_files.sound import find_left_out
from tfstyle.video_files.video_file import VideoFile
from tfstyle.video_files.writing import ALPHA_ENDINGS
from tfstyle.video_files.writing import FORMATS
from tfstyle.video_files.writing import FilmWriter

OUTPUT = "output.mp4"
"""Default name of the film in the workdir."""
ENDINGS = (*FORMATS, *animations.FORMATS)
"""Endings of output files; a path without an ending is a folder."""


def ending_of(path: str) -> str:
    """Returns the ending of a film; empty for a folder of frames."""
    return os.path.splitext(path)[1].lower()


def check_output(config: RunConfig) -> None:
    """Checks that the outputs of a film may be written.

    Raises:
        ConfigError: if the ending is unknown.
        WorkdirError: if an output exists and must not be replaced.
    """
    output_checks.check_film_output(config, ENDINGS)
    path = config.output_video
    if path is None or ending_of(path) or not os.path.isdir(path):
        return
    for _, name in numbered_pictures(path):
        if not config.overwrite and not workdir_files.is_output(name):
            raise WorkdirError(
                f"{name!r} already exists and was not created by a run. Choose"
                " another --output_video or add --overwrite."
            )


def warn_of_losses(config: RunConfig, film: Film) -> None:
    """Logs what of a film its output cannot hold."""
    ending = ending_of(config.output_video or OUTPUT)
    if not ending:
        return
    lost = []
    if film.facts.has_alpha and ending not in ALPHA_ENDINGS:
        lost.append("transparency, laid on white")
    if isinstance(film, VideoFile) and ending in FORMATS:
        lost += find_left_out(film.path, FORMATS[ending])
    if lost:
        logging.warning(
            "warning: %s cannot hold the film's %s. Choose another"
            " --output_video: .mov and .webm hold transparency, .mkv most"
            " sound and subtitles",
            ending,
            "; ".join(lost),
        )


def write_output(
    config: RunConfig,
    frames: FrameFiles,
    times: Mapping[int, int],
    film: Film,
    folder: str,
    *,
    is_part: bool,
) -> None:
    """Writes painted frames as a film, atomically, or as a folder of pictures.

    Args:
        config: options, including `output_video`.
        frames: the painted frames.
        times: time of each frame by its number, in units of the film's
            `time_base`.
        film: the film that was painted; its sound is copied.
        folder: the workdir, which records the hash of the file.
        is_part: True if the film goes on after the last frame, so that its
            sound ends there.

    Raises:
        WriteError: if the film cannot be written.
    """
    _write_metrics(folder, frames, times)
    path = config.output_video or os.path.join(folder, OUTPUT)
    ending = ending_of(path)
    try:
        if not ending:
            _copy_frames(path, frames, times, config.metadata)
        else:
            parent = os.path.dirname(os.path.realpath(path))
            os.makedirs(parent, exist_ok=True)
            with atomic_file.replacing(path) as temporary:
                if ending in animations.FORMATS:
                    _write_animation(temporary, ending, frames, times, film)
                else:
                    start, sound = _find_sound(film, times, is_part)
                    _write(temporary, ending, frames, times, film, start, sound)
                film_records.keep_hash(temporary, folder)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise WriteError(
            f"Film {path!r} cannot be written ({one_line(str(reason))})."
        ) from error
    logging.info("Wrote %s", path)


def _find_sound(
    film: Film, times: Mapping[int, int], is_part: bool
) -> tuple[int, Sound | None]:
    """Returns the time that becomes 0, and the sound of the frames, or None.

    A film keeps its times; a part of one begins at 0.
    """
    start, last = min(times.values()), max(times.values())
    if 1 in times:
        start = 0
    if not isinstance(film, VideoFile):
        return start, None
    base = film.facts.time_base
    end = last * base + 1 / film.facts.rate if is_part else None
    return start, Sound(film.path, start * base, end)


def _write(
    path: str,
    ending: str,
    frames: FrameFiles,
    times: Mapping[int, int],
    film: Film,
    start: int,
    sound: Sound | None,
) -> None:
    """Writes a film; `start` is the time that becomes 0."""
    facts, first = film.facts, frames.read(min(times))
    with FilmWriter(
        path,
        ending,
        first.pixels.shape[:2],
        facts.rate,
        facts.time_base,
        has_alpha=facts.has_alpha,
        sound=sound,
    ) as writer:
        for number, time in times.items():
            picture = frames.read(number)
            writer.write(picture.pixels, picture.alpha, time - start)
        writer.finish()


def _write_animation(
    path: str,
    ending: str,
    frames: FrameFiles,
    times: Mapping[int, int],
    film: Film,
) -> None:
    seconds = np.array([*times.values()]) * float(film.facts.time_base)
    seconds = np.append(seconds, seconds[-1] + 1 / float(film.facts.rate))
    # Differences of rounded times, so that errors do not add up.
    milliseconds = np.diff(np.rint(seconds * 100) * 10).astype(int)
    pictures = []
    for number in times:
        picture = frames.read(number)
        pictures.append(Image.fromarray(lay_on_white(*picture[:2])))
    write = animations.write_animation
    write(path, ending, pictures, np.maximum(milliseconds, 10).tolist())


def _copy_frames(
    path: str, frames: FrameFiles, numbers: Iterable[int], metadata: str
) -> None:
    """Copies painted frames to a folder."""
    os.makedirs(path, exist_ok=True)
    for number in numbers:
        target = os.path.join(path, os.path.basename(frames.path(number)))
        with atomic_file.replacing(target) as temporary:
            frames.copy(number, temporary, with_text=metadata != "none")


def _write_metrics(
    folder: str, frames: FrameFiles, numbers: Iterable[int]
) -> None:
    """Writes a line for each frame with its steps and losses."""
    lines = [
        json.dumps({"frame": number, **frames.losses(number)}) + "\n"
        for number in numbers
    ]
    path = os.path.join(folder, workdir_files.FRAME_METRICS)
    atomic_file.write_text(path, "".join(lines))
