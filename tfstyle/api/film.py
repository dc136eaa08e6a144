"""Films in the Python API: reads frames, yields their paintings."""

import os
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from typing import Any
from typing import TypeAlias

import numpy as np

from tfstyle.api import images as api_images
from tfstyle.api.images import ImageLike
from tfstyle.api.result import Result
from tfstyle.api.result import Source
from tfstyle.api.run import Given
from tfstyle.api.run import make_result
from tfstyle.api.run import read_images
from tfstyle.config.config import Config
from tfstyle.experiment import provenance
from tfstyle.experiment.session import Session
from tfstyle.images.picture import NOTHING
from tfstyle.images.resize import resize
from tfstyle.system.paths import expand_path
from tfstyle.system.prefetch import prefetch
from tfstyle.video_files.film import Frame
from tfstyle.video_files.opening import open_film
from tfstyle.video_files.selection import Selection

FilmLike: TypeAlias = str | os.PathLike[str] | Iterable[ImageLike]
"""A path of a film or of a folder of numbered pictures, or the frames."""


def paint_film(
    config: Config,
    session: Session,
    film: FilmLike,
    given: Given,
    masks: ImageLike | Sequence[ImageLike] | None,
    frames: str | None,
) -> Iterator[Result]:
    """Yields the painting of each frame; see `Stylizer.film`.

    Args:
        config: the requested options.
        session: the session that was started with `config`.
        film: the film.
        given: styles and their masks.
        masks: masks of the regions, or folders with one for each frame.
        frames: the frames to paint, such as 100-200; None for all.
    """
    from tfstyle.films.frames_to_paint import AHEAD
    from tfstyle.films.frames_to_paint import forget_oldest
    from tfstyle.films.frames_to_paint import frames_to_paint
    from tfstyle.films.painter import FramePainter
    from tfstyle.films.painter import complete_film_options
    from tfstyle.films.region_masks import RegionMasks

    config = complete_film_options(config)
    most = config.max_image_pixels
    if masks is None or not isinstance(masks, list | tuple):
        masks = [] if masks is None else [masks]
    regions = RegionMasks([_read_region(mask, most) for mask in masks], most)
    selection = Selection.parse(frames)
    images = read_images(given.to_lists(), most)
    prepared = prefetch(
        frames_to_paint(_read(film, selection, most), regions), AHEAD
    )
    painter = None
    recent: dict[int, np.ndarray] = {}
    for frame in prepared:
        if painter is None:
            images.content, images.content_masks = frame.picture, frame.masks
            painter = FramePainter(config, session, images)
            facts = provenance.describe_weights(painter.extractor)
            facts |= images.describe()
        made = painter.paint(frame, recent)
        recent[frame.number] = made.pixels
        forget_oldest(recent)
        content = resize(frame.picture.pixels, *made.pixels.shape[:2])
        alpha = frame.picture.alpha
        source = Source(facts, [], {}, alpha, NOTHING, content)
        yield make_result(made, painter.plan.config, source, [])


def _read(
    film: FilmLike, selection: Selection, max_pixels: int
) -> Iterator[Frame]:
    """Yields the selected frames of a film."""
    if isinstance(film, str | os.PathLike):
        path = expand_path(os.fspath(film))
        yield from open_film(path, max_pixels).frames(selection)
        return
    for number, image in selection.choose(film):
        picture = api_images.read_pixels(image, "film", max_pixels)
        yield Frame(number, picture, number)


def _read_region(mask: ImageLike, max_pixels: int) -> Any:
    """Reads a mask, or lists the files of a folder with one for each frame."""
    from tfstyle.films.region_masks import read_region

    if isinstance(mask, str | os.PathLike):
        return read_region(expand_path(os.fspath(mask)), max_pixels)
    return api_images.read_mask(mask, "content_masks", max_pixels)
