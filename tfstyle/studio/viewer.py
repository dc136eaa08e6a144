"""The picture of a run: fitted, in single pixels, on the full screen."""

import os

import gradio as gr

from tfstyle.studio import inputs
from tfstyle.studio import runs
from tfstyle.studio.film_view import show_film
from tfstyle.studio.runs import Run
from tfstyle.studio.widgets import address_of
from tfstyle.studio.widgets import make_original
from tfstyle.studio.widgets import read_asset

NOTHING = {"picture": "", "original": "", "film": "", "run": ""}
"""Values of a viewer that shows no run."""
_PAGE = read_asset("viewer.html")
_SHOW = read_asset("viewer.js")


def make_viewer() -> gr.HTML:
    """Makes the component that shows the picture of a run."""
    unknown = {**NOTHING, "run": None}
    return gr.HTML(
        "", html_template=_PAGE, js_on_load=_SHOW, elem_id="viewer", **unknown
    )


def view(run: Run, is_busy: bool) -> gr.HTML:
    """Returns an update that shows the picture or film of a run.

    Before its first picture, a run is shown by the picture that it began from,
    or else by its content.

    Args:
        run: the displayed run.
        is_busy: True if the run is waiting or painting.
    """
    original = make_original(run)
    root = os.path.dirname(run.workdir)
    before = runs.find_run(root, run.continues)
    picture = run.preview if is_busy else run.picture or run.preview
    picture = picture or (before and before.picture) or original
    picture = picture or inputs.find_shown(root, run.content)
    return gr.HTML(
        picture=address_of(picture) if picture else "",
        original=address_of(original) if original else "",
        film=show_film(run, is_busy),
        run=run.name,
    )
