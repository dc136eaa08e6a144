"""The Compare tab: compares results and originals side by side."""

import html

import gradio as gr

from tfstyle.errors import ConfigError
from tfstyle.studio import dials
from tfstyle.studio import runs
from tfstyle.studio.runs import Run
from tfstyle.studio.widgets import DIRECT
from tfstyle.studio.widgets import escape_error
from tfstyle.studio.widgets import image_of
from tfstyle.studio.widgets import make_original
from tfstyle.studio.widgets import make_thumbnail
from tfstyle.studio.widgets import read_asset

ZOOMS = {"whole": 0, "1:1": 1, "2:1": 2, "4:1": 4, "8:1": 8, "16:1": 16}
"""Screen pixels per pixel of a picture; 0 fits it to the available space."""
SIDES = ("left", "middle", "right")
ORIGINAL = "/original"
"""Follows the name of a run, which has no slash, to choose its original."""
NONE = "/"
"""Chooses no picture."""
_PICTURES = read_asset("comparison.html")
_DIVIDE = read_asset("comparison.js")


class Comparison:
    """The Compare tab: compares two or three pictures under dividers.

    Each is the result of a run or its original, which is its content image.
    Gradio's ImageSlider cannot be operated by keyboard, so native range inputs
    move the dividers between the pictures.

    Args:
        root: the folder of runs.
        tab: the tab that contains it.
        shown: component with the name of the run that the Paint tab displays.
    """

    def __init__(self, root: str, tab: gr.Tab, shown: gr.Component):
        self._root = root
        self._names = gr.State([])  # names of the runs in the strip
        self._begun = gr.State(None)  # name of the run that it began with
        self._strip = gr.Gallery(
            label="Results: click one to see it right",
            columns=8,
            height="auto",
            allow_preview=False,
            object_fit="contain",
            elem_id="results",
        )
        with gr.Row():
            chosen = [
                gr.Dropdown(
                    label=side.capitalize(),
                    choices=[],
                    elem_id=side,
                    min_width=240,
                )
                for side in SIDES
            ]
        pictures = gr.HTML(
            "",
            html_template=_PICTURES,
            js_on_load=_DIVIDE,
            zoom=0,
            visible=False,
            elem_id="both",
        )
        zoom = gr.Radio(
            list(ZOOMS), value="whole", label="Zoom", elem_id="zoom"
        )
        differences = gr.HTML("", elem_id="differences")
        comparing = {
            "fn": self._compare,
            "inputs": chosen,
            "outputs": [pictures, differences],
            **DIRECT,
        }
        tab.select(
            self._list,
            [shown, self._begun, *chosen],
            [self._strip, self._names, self._begun, *chosen],
            **DIRECT,
        ).then(**comparing)
        self._strip.select(
            self._choose, self._names, chosen[-1], **DIRECT
        ).then(**comparing)
        for choice in chosen:
            choice.input(**comparing)
        zoom.input(
            lambda name: gr.HTML(zoom=ZOOMS[name]), zoom, pictures, **DIRECT
        )

    def _list(self, shown: str | None, begun: str | None, *chosen: str | None):
        """Lists all pictures; begins with those of the run shown in Paint."""
        found = [run for run in runs.list_runs(self._root) if run.picture]
        first = runs.find_run(self._root, shown)
        if first is None or not first.picture:
            first = next(iter(found), None)
        elif first.name not in [run.name for run in found]:
            found.append(first)  # too old to be listed
        choices = [(run.title, run.name) for run in found]
        choices += [
            (f"Original of {run.title}", run.name + ORIGINAL)
            for run in found
            if run.flags.get("content_image")
        ]
        names = [run.name for run in found]
        known = [NONE, *(name for _, name in choices)]
        first_name = first and first.name
        if first_name != begun or not set(chosen) <= set(known):
            chosen = _begin_with(first, found)
        none = [("none", NONE)]
        return (
            [(make_thumbnail(run.picture), run.title) for run in found],
            names,
            first_name,
            *(
                gr.Dropdown(
                    none + choices if side == "middle" else choices,
                    value=choice,
                )
                for side, choice in zip(SIDES, chosen, strict=True)
            ),
        )

    def _choose(self, names: list, event: gr.SelectData) -> str:
        """Returns the name of the clicked run."""
        return names[event.index]

    def _compare(self, *chosen: str | None):
        """Returns the chosen pictures, and what their runs differ in."""
        images, shown = [], {}
        for side, choice in zip(SIDES, chosen, strict=True):
            if choice == NONE:
                continue
            name = (choice or "").removesuffix(ORIGINAL)
            run = runs.find_run(self._root, name)
            is_original = name != choice
            path = run and (make_original(run) if is_original else run.picture)
            if not path:
                lost = f"The {side} picture no longer exists."
                told = escape_error(lost) if choice else ""
                return gr.HTML(visible=False), told
            what = "Original of" if is_original else "Result of"
            images.append(image_of(path, f"{what} {run.title}", side))
            if not is_original:
                shown.setdefault(run.name, (run, []))[1].append(side)
        return (
            gr.HTML("".join(images), visible=True),
            _describe([*shown.values()]),
        )


def _begin_with(first: Run | None, found: list[Run]) -> list[str | None]:
    """Returns what is compared first, from left to right.

    Args:
        first: the run to compare with its original, or else with another.
        found: all runs with a picture.
    """
    if first is None:
        return [None, NONE, None]
    if make_original(first):
        return [first.name + ORIGINAL, NONE, first.name]
    names = [run.name for run in found if run.name != first.name]
    return [next(iter(names), first.name), NONE, first.name]


def _describe(shown: list[tuple[Run, list[str]]]) -> str:
    """Renders what runs differ in as HTML.

    Args:
        shown: every run with a result, and the sides that it is on.
    """
    titles = [html.escape(run.title) for run, _ in shown]
    if len(shown) < 2:
        texts = [
            f"{title}: {html.escape(_describe_run(run))}."
            for title, (run, _) in zip(titles, shown, strict=True)
        ]
        return f"<p>{''.join(texts)}</p>"
    try:
        found = dials.describe_differences(*(run.arguments for run, _ in shown))
    except ConfigError as error:
        return escape_error(error)
    if not found:
        return "<p>All were made with the same pictures and dials.</p>"
    heads = "".join(
        f'<th scope="col">{" and ".join(sides).capitalize()}: {title}</th>'
        for title, (_, sides) in zip(titles, shown, strict=True)
    )
    rows = "".join(
        f'<tr><th scope="row">{html.escape(name)}</th>'
        + "".join(f"<td>{html.escape(text)}</td>" for text in texts)
        + "</tr>"
        for name, *texts in found
    )
    return (
        '<table class="differences"><thead><tr><td></td>'
        f"{heads}</tr></thead><tbody>{rows}</tbody></table>"
    )


def _describe_run(run: Run) -> str:
    """Describes the dials of a run in a few words."""
    found = dials.describe(run.arguments)
    return ", ".join(f"{name} {text}" for name, text in found.items())
