"""HTML fragments that show a run, and converted copies of its picture."""

import abc
import functools
import html
import importlib.resources
import os
import re
import urllib.parse
from typing import Any

from gradio import component_meta
from PIL import Image

from tfstyle.errors import ImageError
from tfstyle.errors import TfstyleError
from tfstyle.errors import one_line
from tfstyle.image_files.reading import read_image
from tfstyle.image_files.writing import write_image
from tfstyle.images.resize import fit_size
from tfstyle.images.resize import resize
from tfstyle.images.transparency import lay_on_white
from tfstyle.reports.report import make_charts
from tfstyle.studio import inputs
from tfstyle.studio import runs
from tfstyle.studio.jobs import Job
from tfstyle.system.paths import expand_path
from tfstyle.system.paths import is_address

DIRECT: dict[str, Any] = {"show_progress": "hidden", "queue": False}
"""Arguments of every event: bypass Gradio's queue, which may lose the answer
of an event that arrives while the stream of the one before is closing."""
FORMS = {
    "PNG, 8 bits": (".png", 8),
    "PNG, 16 bits": (".png", 16),
    "JPEG": (".jpg", 8),
}
"""Formats of downloads: their endings and bits per channel."""
FILES = "gradio_api/file="
"""Address at which Gradio serves the files of the folder of runs, relative to
the page, as all addresses here: a proxy may add a prefix."""
PICTURE = "picture"
"""Address at which the server answers with a picture of the folder of runs."""
PICTURE_TYPES = {".png": "image/png", ".jpg": "image/jpeg"}
"""Content types of the pictures that runs write, by ending."""
THUMBNAIL_SIZE = 256


class NoStub(component_meta.ComponentMeta):
    """Makes component classes as Gradio does, but writes no `.pyi` files."""

    def __new__(cls, name, bases, attributes):
        """Makes a class that inherits the events of its base."""
        return abc.ABCMeta.__new__(cls, name, bases, attributes)


def read_asset(name: str) -> str:
    """Reads a style sheet, script or template of this package."""
    return importlib.resources.files(__package__).joinpath(name).read_text()


def make_thumbnail(picture: str) -> str:
    """Makes a small JPEG of a picture and returns its path."""
    path = path_of_copy(picture, "thumbnail.jpg")
    if not os.path.exists(path):
        file = read_image(picture)
        pixels = lay_on_white(file.pixels, file.alpha)
        size = fit_size(*pixels.shape[:2], THUMBNAIL_SIZE)
        write_image(path, resize(pixels, *size))
    return path


def make_original(run: runs.Run) -> str | None:
    """Makes a JPEG of a run's content image, in the size of its picture.

    Returns:
        The path of the JPEG; None for films, textures, runs without a picture,
        and if the content image is missing or cannot be read.
    """
    picture = run.picture or run.preview
    content = expand_path(run.flags.get("content_image", ""))
    if run.is_film or not picture or not content or is_address(content):
        return None
    try:
        with Image.open(picture) as image:  # reads its size only
            width, height = image.size
        path = path_of_copy(picture, f"original-{width}x{height}.jpg", content)
        if not os.path.exists(path):
            file = read_image(content, inputs.MAX_PIXELS)
            pixels = lay_on_white(file.pixels, file.alpha)
            write_image(path, resize(pixels, height, width))
    except (ImageError, OSError, Image.DecompressionBombError):
        return None
    return path


def path_of_copy(picture: str, name: str, source: str | None = None) -> str:
    """Returns the path of a file that is made for a picture.

    Args:
        picture: path of the picture, in the workdir of its run.
        name: name of the file.
        source: file whose time the path depends on; None: the picture.
    """
    root, run = os.path.split(os.path.dirname(picture))
    place = f"{run}-{os.stat(source or picture).st_mtime_ns}"
    return os.path.join(root, inputs.UPLOADS, place, name)


LABELS = {
    "content_image": "Content",
    "content_masks": "Regions",
    "content_video": "Film",
    "content_weight": "Content, %",
    "frames": "Frames to paint",
    "image_size": "Size",
    "init": "Start",
    "num_steps": "Quality",
    "preserve_colors": "Colours",
    "seed": "Seed",
    "style_blend_weights": "Share of style",
    "style_images": "Style",
    "style_scale": "Stroke size",
}
"""Names on the page by option; other options have their own names there."""


def escape_error(error: Exception | str) -> str:
    """Renders an error as HTML, with the options' names on the page."""
    text = one_line(str(error), 1000)
    text = re.sub(r"`(\w+)`", lambda x: LABELS.get(x[1], x[0]), text)
    text = re.sub(
        r"--(\w+)=",
        lambda x: f"{LABELS[x[1]]} " if x[1] in LABELS else x[0],
        text,
    )
    return f'<p role="alert">{html.escape(text)}</p>'


def showing_errors(handle):
    """Decorates an event handler: expected errors are shown in `_fault`."""

    @functools.wraps(handle)
    def handle_event(self, *values):
        try:
            return handle(self, *values)
        except (TfstyleError, OSError) as error:
            return {self._fault: escape_error(error)}

    return handle_event


def describe_state(
    run: runs.Run, job: Job | None, is_busy: bool, num_before: int
) -> str:
    """Describes the state of a run in a few words.

    Args:
        run: the displayed run.
        job: job of the run, or None if this studio has none.
        is_busy: True if the run is waiting or painting.
        num_before: number of jobs ahead of it in the queue.
    """
    if job is not None and job.state == "waiting":
        number = "1 picture" if num_before == 1 else f"{num_before} pictures"
        return f"Waiting for {number} before it"
    if is_busy:
        if job is not None and job.is_stopping:
            return "Stopping after this step"
        return "Painting" if run.metrics or run.frames else "Starting"
    if job is not None and job.state == "failed":
        return "Failed"
    if run.is_complete:
        return "Done"
    if run.ended is not None or run.frames:
        return "Stopped"
    return "Interrupted" if run.metrics else "Stopped before the first step"


def describe_progress(run: runs.Run, is_busy: bool) -> str:
    """Renders a progress bar and the numbers of a run as HTML."""
    metrics = run.metrics
    if not metrics:
        return ""
    last = metrics[-1]
    facts = [
        f"{last['width']} x {last['height']} pixels",
        f"step {last['step']}",
        f"loss {last['total']:.4g}",
        f"{last['seconds']:.0f} s",
    ]
    if not is_busy:
        return f"<p>{', '.join(facts)}</p>"
    share, left = runs.progress_of(run)
    if left is not None:
        facts.append(f"about {left:.0f} s left")
    return (
        f'<progress aria-label="Progress" max="1" value="{share:.3f}">'
        f"</progress><p>{', '.join(facts)}</p>"
    )


def image_of(path: str, text: str, side: str = "") -> str:
    """Renders a picture in the folder of runs as HTML.

    Args:
        path: path of the picture.
        text: description of the picture, for screen readers.
        side: its class, such as `left`.
    """
    return (
        f'<img class="{side}" alt="{html.escape(text)}"'
        f' src="{html.escape(address_of(path))}">'
    )


def address_of(path: str) -> str:
    """Returns the address of a file in the folder of runs, not escaped."""
    time = os.stat(path).st_mtime_ns
    if os.path.splitext(path)[1].lower() in PICTURE_TYPES:
        return f"{PICTURE}?path={urllib.parse.quote(path)}&time={time}"
    return f"{FILES}{urllib.parse.quote(path)}?{time}"


def charts_of(run: runs.Run) -> str:
    """Renders the loss curves of a run as HTML."""
    metrics = run.metrics
    if len(metrics) < 2:
        return ""
    page = html.escape(make_charts(metrics))
    return f'<iframe title="Curves of the losses" srcdoc="{page}"></iframe>'
