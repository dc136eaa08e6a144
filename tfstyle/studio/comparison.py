"""The Compare tab: compares two results side by side."""

import html

import gradio as gr

from tfstyle.studio import runs
from tfstyle.studio.runs import Run
from tfstyle.studio.widgets import DIRECT
from tfstyle.studio.widgets import image_of
from tfstyle.studio.widgets import make_thumbnail
from tfstyle.studio.widgets import read_asset

ZOOMS = {"whole": 0, "1:1": 1, "2:1": 2, "4:1": 4, "8:1": 8, "16:1": 16}
"""Screen pixels per pixel of a picture; 0 fits it to the available space."""
_PAIR = read_asset("comparison.html")
_DIVIDE = read_asset("comparison.js")


class Comparison:
    """The Compare tab: compares two results side by side.

    Gradio's ImageSlider cannot be operated by keyboard, so a native range
    input moves the divider between the pictures.

    Args:
        root: the folder of runs.
        tab: the tab that contains it.
    """

    def __init__(self, root: str, tab: gr.Tab):
        self._root = root
        self._names = gr.State([])  # names of the runs in the strip
        self._strip = gr.Gallery(
            label="All results, the newest first",
            columns=8,
            height="auto",
            allow_preview=False,
            object_fit="contain",
            elem_id="strip",
        )
        with gr.Row():
            self._left = gr.Dropdown(label="Left", choices=[], elem_id="left")
            self._right = gr.Dropdown(
                label="Right", choices=[], elem_id="right"
            )
        self._both = gr.HTML(
            "",
            html_template=_PAIR,
            js_on_load=_DIVIDE,
            zoom=0,
            visible=False,
            elem_id="both",
        )
        self._zoom = gr.Radio(
            list(ZOOMS), value="whole", label="Zoom", elem_id="zoom"
        )
        self._differences = gr.HTML("", elem_id="differences")
        chosen = [self._left, self._right]
        shown = [self._both, self._differences]
        tab.select(
            self._list,
            chosen,
            [self._strip, self._names, *chosen],
            **DIRECT,
        ).then(self._compare, chosen, shown, **DIRECT)
        self._zoom.input(
            lambda name: gr.HTML(zoom=ZOOMS[name]),
            self._zoom,
            self._both,
            **DIRECT,
        )
        self._strip.select(
            self._choose,
            [self._names, self._right],
            chosen,
            **DIRECT,
        )
        for choice in chosen:
            choice.change(self._compare, chosen, shown, **DIRECT)

    def _list(self, left: str | None, right: str | None):
        found = [run for run in runs.list_runs(self._root) if run.picture]
        names = [run.name for run in found]
        right = right if right in names else next(iter(names), None)
        left = left if left in names else next(iter(names[1:]), right)
        choices = [(run.title, run.name) for run in found]
        return (
            [(make_thumbnail(run.picture), run.title) for run in found],
            names,
            gr.Dropdown(choices, value=left),
            gr.Dropdown(choices, value=right),
        )

    def _choose(self, names: list, right: str | None, event: gr.SelectData):
        """Moves the right picture left; shows the clicked one in its place."""
        return right, names[event.index]

    def _compare(self, left: str | None, right: str | None):
        pair = [runs.find_run(self._root, name) for name in (left, right)]
        if not all(run and run.picture for run in pair):
            return gr.HTML(visible=False), ""
        images = "".join(
            image_of(run.picture, f"{side}: {run.name}", side)
            for run, side in zip(pair, ("left", "right"), strict=True)
        )
        return gr.HTML(images, visible=True), _describe_differences(*pair)


def _describe_differences(left: Run, right: Run) -> str:
    found = runs.differences(left, right)
    if not found:
        return "<p>Both were made with the same options.</p>"
    rows = "".join(
        f'<tr><th scope="row">{html.escape(name)}</th>'
        f"<td>{html.escape(ours)}</td><td>{html.escape(theirs)}</td></tr>"
        for name, ours, theirs in found
    )
    return (
        '<table class="differences"><thead><tr><th scope="col">Option</th>'
        f'<th scope="col">{html.escape(left.name)}</th>'
        f'<th scope="col">{html.escape(right.name)}</th></tr></thead>'
        f"<tbody>{rows}</tbody></table>"
    )
