"""Downloads of a picture, and buttons to reuse it or to paint it large."""

import gradio as gr

from tfstyle.errors import ConfigError
from tfstyle.studio import dials
from tfstyle.studio import estimates
from tfstyle.studio import packing
from tfstyle.studio import repaint
from tfstyle.studio import runs
from tfstyle.studio.form import Form
from tfstyle.studio.jobs import Jobs
from tfstyle.studio.runs import Run
from tfstyle.studio.widgets import DIRECT
from tfstyle.studio.widgets import FORMS
from tfstyle.studio.widgets import showing_errors

LARGE_SIZES = ("1024", "2048", "4096")
"""Long edges of large pictures, pixels."""


class Downloads:
    """Downloads of a picture, and buttons to reuse it or to paint it large.

    Args:
        root: the folder of runs.
        jobs: the queue of jobs.
        form: form that pictures can be reused in.
        shown: state with the name of the displayed run.
        fault: component that shows errors.

    Attributes:
        format: component with the format of downloads.
        uses: buttons that put the picture into the form.
        watched: components that `update` sets.
    """

    def __init__(
        self,
        root: str,
        jobs: Jobs,
        form: Form,
        shown: gr.State,
        fault: gr.HTML,
    ):
        self._root = root
        self._jobs = jobs
        self._fault = fault
        with gr.Column(visible=False) as self._part:
            with gr.Row(elem_classes="keep"):
                self.format = gr.Dropdown(
                    list(FORMS),
                    value=next(iter(FORMS)),
                    label="Format",
                    min_width=120,
                )
                self._download = gr.DownloadButton(
                    "Download the picture", elem_id="download", min_width=160
                )
                self._pack = gr.DownloadButton(
                    "With its pictures and flags (.zip)",
                    elem_id="pack",
                    min_width=160,
                )
            with gr.Row() as uses:
                as_content = gr.Button("Use as content", size="sm")
                as_style = gr.Button("Use as style", size="sm")
                from_here = gr.Button("Start from here", size="sm")
            with gr.Accordion("Paint it large", open=False) as large:
                self._size = gr.Radio(
                    list(LARGE_SIZES),
                    value=LARGE_SIZES[0],
                    label="Large size: long edge, pixels",
                    elem_id="large-size",
                )
                paint = gr.Button("Paint it large", elem_id="paint-large")
                with gr.Accordion("For the terminal", open=False):
                    size = gr.Dropdown(
                        [*LARGE_SIZES, "8192"],
                        value="8192",
                        label="Size in the manifest: long edge, pixels",
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
        self.uses = (as_content, as_style, from_here)
        self._of_pictures = (self.format, self._pack, uses, large)
        self.watched = [self._part, self._download, self._size]
        self.watched += self._of_pictures
        pictures = form.pictures
        for button, target in (
            (as_content, pictures.content),
            (as_style, pictures.styles[0]),
            (from_here, pictures.start),
        ):
            button.click(self._find_picture, shown, target, **DIRECT)
        # Regions are of one content.
        as_content.click(lambda: None, outputs=pictures.regions, **DIRECT)
        from_here.click(
            lambda: gr.Accordion(open=True),
            outputs=pictures.start_part,
            **DIRECT,
        )
        paint.click(self._paint_large, [shown, self._size], fault, **DIRECT)
        add.click(
            self._add_to_manifest,
            [shown, size],
            [self._batch, fault],
            **DIRECT,
        )

    def update(self, run: Run | None, form: str) -> dict:
        """Returns updates that offer the picture or film of a run, if any.

        Args:
            run: a run that has ended, or None.
            form: format of downloads, a key of FORMS.
        """
        if run is None or not (run.film or run.picture):
            return {self._part: gr.Column(visible=False)}
        found = run.film or packing.convert_picture(run, form)
        what = "film" if run.film else "picture"
        updates = {
            self._part: gr.Column(visible=True),
            self._download: gr.DownloadButton(
                f"Download the {what}", value=found
            ),
            **{
                part: gr.update(visible=not run.film)
                for part in self._of_pictures
            },
        }
        if not run.film:
            updates[self._pack] = gr.DownloadButton(
                value=packing.pack(run), visible=True
            )
            updates[self._size] = gr.Radio(
                [(self._describe_size(run, x), x) for x in LARGE_SIZES]
            )
        return updates

    def _describe_size(self, run: Run, size: str) -> str:
        """Returns a size with the time and memory that it takes, in words."""
        arguments = repaint.arguments_for_size(run, size)
        needs = estimates.needs_of(self._root, arguments)
        if needs is None:
            return f"{size} px"
        warning = " (more than is free)" * bool(estimates.warn_of_memory(needs))
        return f"{size} px: {needs}{warning}"

    def _find_picture(self, name: str | None) -> str | None:
        run = runs.find_run(self._root, name)
        return run and run.picture

    @showing_errors
    def _paint_large(self, name: str | None, size: str) -> dict:
        """Submits a job that paints the displayed run again, larger."""
        run = runs.find_run(self._root, name)
        if run is None or size not in LARGE_SIZES:
            raise ConfigError("Choose a picture and a large size.")
        arguments = repaint.arguments_for_size(run, size)
        others = [x for x in arguments if x not in dials.FIXED]
        self._jobs.submit([*others, *dials.FIXED])
        return {self._fault: ""}

    @showing_errors
    def _add_to_manifest(self, name: str | None, size: str) -> dict:
        run = runs.find_run(self._root, name)
        command = run and repaint.add_to_manifest(self._root, run, size)
        return {self._batch: command, self._fault: ""}
