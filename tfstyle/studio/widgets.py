"""HTML fragments that show a run, and converted copies of its picture."""

import abc
import functools
import html
import importlib.resources
import os
import urllib.parse
from typing import Any

from gradio import component_meta

from tfstyle.errors import TfstyleError
from tfstyle.errors import one_line
from tfstyle.image_files import sidecar
from tfstyle.image_files.reading import read_image
from tfstyle.image_files.writing import write_image
from tfstyle.images.resize import fit_size
from tfstyle.images.resize import resize
from tfstyle.images.transparency import lay_on_white
from tfstyle.reports.report import make_charts
from tfstyle.studio import inputs
from tfstyle.studio import runs
from tfstyle.studio.jobs import Job

DIRECT: dict[str, Any] = {"show_progress": "hidden", "queue": False}
"""Arguments of every event: bypass Gradio's queue, which may lose the answer
of an event that arrives while the stream of the one before is closing."""
EMPTY = "<p>Choose a picture or film and a style, then press Paint.</p>"
FORMS = {
    "PNG, 16 bits": None,
    "PNG, 8 bits": ".png",
    "JPEG": ".jpg",
}
"""Formats of downloads with their endings; None needs no conversion."""
FILES = "/gradio_api/file="
"""Address at which Gradio serves the files of the folder of runs."""
THUMBNAIL_SIZE = 256
_COMPLETE = ("steps", "converged", "max_evaluations")


class NoStub(component_meta.ComponentMeta):
    """Makes component classes as Gradio does, but writes no `.pyi` files."""

    def __new__(cls, name, bases, attributes):
        """Makes a class that inherits the events of its base."""
        return abc.ABCMeta.__new__(cls, name, bases, attributes)


def read_asset(name: str) -> str:
    """Reads a style sheet, script or template of this package."""
    return importlib.resources.files(__package__).joinpath(name).read_text()


def convert_picture(picture: str, form: str) -> str:
    """Converts a picture to a format of FORMS, with its metadata.

    Returns:
        The path of the converted copy, or of the picture itself.
    """
    ending = FORMS[form]
    if ending is None:
        return picture
    name = os.path.basename(os.path.dirname(picture))
    path = _path_of_copy(picture, f"{name}{ending}")
    if not os.path.exists(path):
        file = read_image(picture)
        text = sidecar.read_text(picture) or ""
        write_image(path, file.pixels, file.alpha, text)
    return path


def make_thumbnail(picture: str) -> str:
    """Makes a small JPEG of a picture and returns its path."""
    path = _path_of_copy(picture, "thumbnail.jpg")
    if not os.path.exists(path):
        file = read_image(picture)
        pixels = lay_on_white(file.pixels, file.alpha)
        size = fit_size(*pixels.shape[:2], THUMBNAIL_SIZE)
        write_image(path, resize(pixels, *size))
    return path


def _path_of_copy(picture: str, name: str) -> str:
    """Returns the path of a picture's copy, which depends on its time."""
    root, run = os.path.split(os.path.dirname(picture))
    place = f"{run}-{os.stat(picture).st_mtime_ns}"
    return os.path.join(root, inputs.UPLOADS, place, name)


def escape_error(error: Exception | str) -> str:
    """Renders an error as HTML."""
    return f'<p role="alert">{html.escape(one_line(str(error), 1000))}</p>'


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
    if run.frames:
        return "Done" if run.is_whole else "Stopped"
    if run.ended is not None:
        return "Done" if run.ended in _COMPLETE else "Stopped"
    if run.picture:  # made by an older release
        return "Done"
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
        f' src="{address_of(path)}">'
    )


def address_of(path: str) -> str:
    """Returns the escaped address of a file in the folder of runs."""
    address = f"{FILES}{urllib.parse.quote(path)}?{os.stat(path).st_mtime_ns}"
    return html.escape(address)


def charts_of(run: runs.Run) -> str:
    """Renders the loss curves of a run as HTML."""
    metrics = run.metrics
    if len(metrics) < 2:
        return ""
    page = html.escape(make_charts(metrics))
    return f'<iframe title="Curves of the losses" srcdoc="{page}"></iframe>'
