"""Painting a film: from its options to the finished file.

Each painted frame is written to the workdir at once, and is all that the next
frame needs: an interrupted film continues to the same bytes.
"""

import dataclasses
import os
import shutil
from collections.abc import Sequence
from typing import NamedTuple

from absl import logging

from tfstyle.config.run_config import RunConfig
from tfstyle.experiment import inputs
from tfstyle.experiment import provenance
from tfstyle.experiment import remote_outputs
from tfstyle.experiment import resources
from tfstyle.experiment import run_directory
from tfstyle.experiment import workdir_files
from tfstyle.experiment.identity import RunIdentity
from tfstyle.experiment.session import Session
from tfstyle.films import output
from tfstyle.films.chunks import BlendedFrames
from tfstyle.films.chunks import Chunk
from tfstyle.films.chunks import make_chunks
from tfstyle.films.film_run import FilmRun
from tfstyle.films.frame_files import FrameFiles
from tfstyle.films.painter import FramePainter
from tfstyle.films.painter import complete_film_options
from tfstyle.films.region_masks import RegionMasks
from tfstyle.films.region_masks import read_region
from tfstyle.films.shot_claims import ShotClaims
from tfstyle.films.shot_claims import check_unclaimed
from tfstyle.films.shots import Scan
from tfstyle.films.shots import scan
from tfstyle.images.image_set import ImageSet
from tfstyle.images.resize import fit_size
from tfstyle.system import atomic_file
from tfstyle.system.signals import STOPPING
from tfstyle.system.signals import StopSignals
from tfstyle.video_files.film import Film
from tfstyle.video_files.opening import open_film
from tfstyle.video_files.selection import Selection

BYTES_PER_PIXEL = 2.3
"""Size of a painted frame and its share of the film, bytes per pixel."""


class FilmResult(NamedTuple):
    """Result of a run.

    Attributes:
        num_painted: number of frames that this run painted.
        num_frames: number of frames of the film.
        is_written: True if the whole film is painted and was written.
    """

    num_painted: int
    num_frames: int
    is_written: bool


def run_film(
    config: RunConfig, session: Session, stop_message: str = STOPPING
) -> int:
    """Paints a film.

    Args:
        config: the requested options.
        session: the TensorFlow session, with its networks.
        stop_message: line that is printed on the first signal to stop; empty
            for none.

    Returns:
        The number of the signal that ended the run, or 0.

    Raises:
        TfstyleError: as `paint_film`.
    """
    with (
        remote_outputs.staged(config) as config,
        StopSignals(stop_message) as signals,
    ):
        paint_film(config, session, signals)
        return signals.number or 0


def paint_film(
    config: RunConfig, session: Session, signals: StopSignals
) -> FilmResult:
    """Paints the frames of a film that are missing, and writes it.

    Args:
        config: the requested options.
        session: the TensorFlow session, with its networks.
        signals: stop signals; the film so far is then written.

    Raises:
        ConfigError: if options, film and images contradict each other.
        VideoError: if the film cannot be read.
        WorkdirError: if an output exists and must not be replaced.
    """
    config = complete_film_options(config)
    output.check_output(config)
    most = config.max_image_pixels
    film = open_film(config.content_video, most, config.frame_rate)
    for text in film.facts.warnings:
        logging.warning("warning: %r %s", film.path, text)
    output.warn_of_losses(config, film)
    selection = Selection.parse(config.frames)
    regions = [read_region(path, most) for path in config.content_masks]
    masks = RegionMasks(regions, most)
    images = inputs.read_images(
        config, next(film.frames()).picture, masks.at(selection.first)
    )
    facts = _describe(film, selection, config.chunk_frames, masks, images)
    if config.resume == "restart" and config.workdir:
        check_unclaimed(config.workdir)
    with run_directory.open_workdir(config, is_shared=True) as folder:
        claims = ShotClaims(folder)
        weights = session.hash_weights(config)
        asked = RunIdentity.of_request(config, images, weights)
        asked = dataclasses.replace(asked, images=facts)
        decided = FrameFiles(folder).check(asked, config.resume)
        found = scan(film, selection, signals)
        if signals.number:
            return FilmResult(0, len(found.times), False)
        chunks = make_chunks(found.shots, config.chunk_frames)
        num_left = sum(
            FrameFiles(folder, shared).count_missing(chunk)
            for chunk, shared in chunks
        )
        _log_film(config, film, found, chunks, num_left, folder)
        numbers, num_painted = [*found.times], 0
        if num_left:
            painter = FramePainter(config, session, images, decided)
            run = FilmRun(
                film, found.times, masks, painter, folder, num_left, facts
            )
            total = {"num_frames": str(len(numbers))}
            text = provenance.make_text(painter.plan.config, facts | total)
            flags = os.path.join(folder, workdir_files.FLAGS)
            atomic_file.write_text(flags, text)
            with resources.naming_flags_that_fit(painter.plan):
                num_painted = run.paint(chunks, claims, signals)
        files = BlendedFrames(folder, chunks)
        painted = files.find_painted(numbers)
        is_whole, is_written = painted == numbers, False
        if not is_whole and not signals.number:
            logging.info("Other processes paint the rest and join the film")
        elif painted:
            with claims.claimed("output") as is_ours:
                if is_ours:
                    times = {number: found.times[number] for number in painted}
                    goes_on = not is_whole or selection.last is not None
                    output.write_output(
                        config, files, times, film, folder, is_part=goes_on
                    )
                    is_written = is_whole
        return FilmResult(num_painted, len(numbers), is_written)


def _describe(
    film: Film,
    selection: Selection,
    chunk_frames: int | None,
    masks: RegionMasks,
    images: ImageSet,
) -> dict[str, str]:
    """Returns facts about the inputs, by which a film is recognised."""
    others = {
        name: fact
        for name, fact in images.describe().items()
        if not name.startswith("content_")  # those are of one frame
    }
    text = f"{film.describe()} frames={selection.first}/{selection.step}"
    if chunk_frames:
        text += f" chunks={chunk_frames}"
    film_fact = {"content_video": text}
    return film_fact | masks.describe() | others


def _log_film(
    config: RunConfig,
    film: Film,
    found: Scan,
    chunks: Sequence[Chunk],
    num_missing: int,
    folder: str,
) -> None:
    """Logs what will be painted, and the disk space that it needs."""
    height, width = film.facts.size
    painted_height, painted_width = fit_size(height, width, config.image_size)
    logging.info(
        "%s: %dx%d pixels, %.4g frames/s; %d frames and %d cuts; painted at"
        " %dx%d pixels, workdir %s",
        film.path,
        width,
        height,
        float(film.facts.rate),
        len(found.times),
        len(found.shots) - 1,
        painted_width,
        painted_height,
        folder,
    )
    num_paintings = sum(len(chunk.numbers) for chunk in chunks)
    if num_paintings > len(found.times):
        logging.info(
            "%d chunks, with %d frames painted twice",
            len(chunks),
            num_paintings - len(found.times),
        )
    if num_missing < num_paintings:
        logging.info(
            "%d frames are painted already", num_paintings - num_missing
        )
    need = num_missing * painted_height * painted_width * BYTES_PER_PIXEL
    free = shutil.disk_usage(folder).free
    logging.info(
        "Needs about %.2g GB of disk, %.3g GB are free", need / 1e9, free / 1e9
    )
    if need > free:
        logging.warning("warning: the disk may not suffice for all frames")
