"""Downloads of a picture, and buttons to reuse it or to paint it large."""

import gradio as gr

from tfstyle.studio import repaint
from tfstyle.studio import runs
from tfstyle.studio.form import Form
from tfstyle.studio.runs import Run
from tfstyle.studio.widgets import DIRECT
from tfstyle.studio.widgets import FORMS
from tfstyle.studio.widgets import convert_picture
from tfstyle.studio.widgets import showing_errors

LARGE_SIZES = ("2048", "4096", "8192")
"""Suggested long edges, pixels; any other can be typed."""


class Downloads:
    """Downloads of a picture, and buttons to reuse it or to paint it large.

    Args:
        root: the folder of runs.
        form: form that pictures can be reused in.
        shown: component with the name of the displayed run.
        fault: component that shows errors.

    Attributes:
        form_of_file: component with the format of downloads.
        watched: components that `update` sets.
    """

    def __init__(
        self, root: str, form: Form, shown: gr.Dropdown, fault: gr.HTML
    ):
        self._root = root
        self._fault = fault
        self._part = gr.Column(visible=False)
        with self._part:
            with gr.Row(elem_classes="keep"):
                self.form_of_file = gr.Dropdown(
                    list(FORMS), value=next(iter(FORMS)), label="Format"
                )
                self._download = gr.DownloadButton(
                    "Download the picture", elem_id="download"
                )
                self._flags = gr.DownloadButton(
                    "Download its flagfile", elem_id="flags"
                )
            with gr.Row() as uses:
                as_content = gr.Button("Use as content", size="sm")
                as_style = gr.Button("Use as style", size="sm")
                from_here = gr.Button("Start from here", size="sm")
            again = gr.Button("Use its pictures and dials", size="sm")
            with gr.Accordion("Paint it large", open=False) as large:
                size = gr.Dropdown(
                    list(LARGE_SIZES),
                    value="4096",
                    label="Large size: long edge, pixels",
                    allow_custom_value=True,
                )
                add = gr.Button("Add to the manifest", size="sm")
                self._batch = gr.Textbox(
                    label="Command for the manifest",
                    info="paints all pictures that were added, one after"
                    " another; for a terminal in the folder that the studio"
                    " was started in",
                    elem_id="batch",
                    interactive=False,
                    lines=2,
                    buttons=["copy"],
                )
        self._of_pictures = (self.form_of_file, uses, large)
        self.watched = [self._part, self._download, self._flags]
        self.watched += self._of_pictures
        for button, target in (
            (as_content, form.pictures.content),
            (as_style, form.pictures.styles[0]),
            (from_here, form.pictures.start),
        ):
            button.click(self._find_picture, shown, target, **DIRECT)
        from_here.click(
            lambda: gr.Accordion(open=True),
            outputs=form.pictures.start_part,
            **DIRECT,
        )
        again.click(
            lambda name: form.show(name, fault),
            shown,
            [fault, *form.components],
            **DIRECT,
        )
        add.click(
            self._add_to_manifest,
            [shown, size],
            [self._batch, fault],
            **DIRECT,
        )

    def update(self, run: Run | None, form_of_file: str) -> dict:
        """Returns updates that offer the picture or film of a run, if any.

        Args:
            run: a run that has ended, or None.
            form_of_file: format of downloads, a key of FORMS.
        """
        found = run and (run.film or run.picture)
        if run is None or found is None:
            return {self._part: gr.Column(visible=False)}
        what = "film" if run.film else "picture"
        if not run.film:
            found = convert_picture(found, form_of_file)
        flagfile = run.flagfile
        return {
            self._part: gr.Column(visible=True),
            self._download: gr.DownloadButton(
                f"Download the {what}", value=found
            ),
            **{
                part: gr.update(visible=not run.film)
                for part in self._of_pictures
            },
            self._flags: gr.DownloadButton(
                value=flagfile, interactive=flagfile is not None
            ),
        }

    def _find_picture(self, name: str | None) -> str | None:
        run = runs.find_run(self._root, name)
        return run and run.picture

    @showing_errors
    def _add_to_manifest(self, name: str | None, size: str) -> dict:
        run = runs.find_run(self._root, name)
        command = run and repaint.add_to_manifest(self._root, run, size)
        return {self._batch: command, self._fault: ""}
