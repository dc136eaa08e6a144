"""The Paint tab: the form, and the progress and picture of a run."""

import gradio as gr

from tfstyle.studio import last_table
from tfstyle.studio import runs
from tfstyle.studio import widgets
from tfstyle.studio.downloads import Downloads
from tfstyle.studio.film_view import describe_film_progress
from tfstyle.studio.film_view import show_film
from tfstyle.studio.form import Form
from tfstyle.studio.jobs import Jobs
from tfstyle.studio.widgets import DIRECT
from tfstyle.studio.widgets import escape_error
from tfstyle.studio.widgets import image_of
from tfstyle.studio.widgets import showing_errors

STOPPING = 60.0
"""Timeout for a run to stop at its next step, seconds."""
_PICTURES = ("--content_image=", "--style_images=")


class Painting:
    """The Paint tab: the form, and the progress and picture of a run.

    Args:
        jobs: the queue of jobs.
        root: the folder of runs.
        page: the page that contains the tab.

    Attributes:
        form: form with the pictures and dials.
        shown: component with the name of the displayed run.
    """

    def __init__(self, jobs: Jobs, root: str, page: gr.Blocks):
        self._jobs = jobs
        self._root = root
        self._seen = gr.State(None)  # state that the page shows already
        with gr.Row():
            with gr.Column(scale=2, min_width=320):
                self.form = Form(root)
            with gr.Column(scale=3, min_width=320):
                self._make_view()
                self._keeping = Downloads(
                    root, self.form, self.shown, self._fault
                )
        self._connect(page)

    def _make_view(self) -> None:
        with gr.Row():
            self._paint = gr.Button("Paint", variant="primary", elem_id="paint")
            self.form.pictures.clips.paint.render()
            self._go_on = gr.Button(
                "Apply the dials", visible=False, elem_id="go-on"
            )
            self._resume = gr.Button(
                "Go on with it", visible=False, elem_id="resume"
            )
            self._stop = gr.Button("Stop", interactive=False, elem_id="stop")
        self._fault = gr.HTML("", elem_classes="fault", elem_id="fault")
        # Screen readers announce changes of the state, but not each number.
        self._state = gr.HTML(
            "",
            html_template='<p role="status">${value}</p>',
            elem_classes="state",
            elem_id="state",
        )
        self._progress = gr.HTML(
            "", elem_classes="progress-of-run", elem_id="progress"
        )
        self._preview = gr.HTML(
            widgets.EMPTY, elem_classes="preview", elem_id="preview"
        )
        self.shown = gr.Dropdown(
            [],
            label="Run",
            info="all runs in the folder, including those of the command line",
            allow_custom_value=True,
            elem_id="run",
        )
        with gr.Accordion("Losses", open=False):
            self._charts = gr.HTML("", elem_classes="charts")

    def _connect(self, page: gr.Blocks) -> None:
        form, keeping = self.form, self._keeping
        given = {self.shown, *form.components}
        began = [self.shown, self._fault]
        self._paint.click(self._start_painting, given, began, **DIRECT)
        form.pictures.clips.paint.click(
            self._start_film, given, began, **DIRECT
        )
        self._resume.click(self._resume_film, self.shown, began, **DIRECT)
        self._go_on.click(self._change_dials, given, began, **DIRECT)
        moved = [
            getattr(dial, "release", dial.input)
            for dial in form.options.dials.values()
        ]
        for event in (*moved, form.options.preset_applied.then):
            event(
                self._follow_dials,
                given,
                began,
                **DIRECT,
                trigger_mode="always_last",
            )
        self._stop.click(self._stop_job, self.shown, **DIRECT)
        page.load(
            self._show_first,
            outputs=[self.shown, self._fault, *form.components],
            **DIRECT,
        )
        watched = {
            "fn": self._show,
            "inputs": [self.shown, keeping.form_of_file, self._seen],
            "outputs": [
                *(self._state, self._progress, self._preview, self._charts),
                *(self._go_on, self._resume, self._stop),
                *(self.shown, self._seen),
                *keeping.watched,
            ],
            **DIRECT,
        }
        keeping.form_of_file.input(**watched)
        gr.Timer(1.0).tick(**watched)

    def show_run(self, name: str | None) -> gr.Dropdown:
        """Returns the list of runs with one of them selected."""
        return gr.Dropdown(self._choices(self._list_names(name)), value=name)

    def _list_names(self, name: str | None) -> list[str]:
        """Returns the names of all runs and unfinished jobs.

        Args:
            name: name of the displayed run, listed even without a folder.
        """
        names = [name] if name else []
        names += [job.name for job in self._jobs.unfinished()]
        names += [run.name for run in runs.list_runs(self._root)]
        return list(dict.fromkeys(names))

    def _choices(self, names: list[str]) -> list[tuple[str, str]]:
        """Returns titles and names of runs."""
        found = [(runs.find_run(self._root, name), name) for name in names]
        return [(run.title if run else name, name) for run, name in found]

    @showing_errors
    def _start_painting(self, values) -> dict:
        """Submits a job for the pictures and dials of the form."""
        return self._submit(self.form.arguments(values))

    @showing_errors
    def _start_film(self, values) -> dict:
        """Submits a job for the film."""
        return self._submit(self.form.arguments(values, of_film=True))

    @showing_errors
    def _resume_film(self, name: str | None) -> dict:
        """Goes on with a film that was stopped."""
        self._jobs.resume(name)
        return {self._fault: ""}

    def _follow_dials(self, values) -> dict:
        """Applies moved dials to the displayed run, if its pictures match."""
        if self._is_of_table(values[self.shown]):
            return {self._fault: gr.skip()}
        return self._continue(values, True)

    def _change_dials(self, values) -> dict:
        """Stops the displayed run and continues it with the form's values."""
        return self._continue(values, False)

    @showing_errors
    def _continue(self, values, must_match: bool) -> dict:
        """Stops the displayed run; a new one starts from its picture.

        Args:
            values: values of the form and of `shown`.
            must_match: True to do nothing if the form has other pictures.
        """
        job = self._jobs.find(values[self.shown])
        if job is None or job.has_ended or job.is_film:
            return {self._fault: gr.skip()}
        arguments = self.form.arguments(values)
        if must_match and not _have_same_pictures(job.arguments, arguments):
            return {self._fault: gr.skip()}
        self._jobs.stop(job)
        self._jobs.wait(job, STOPPING)
        run = runs.Run(job.workdir)
        if run.picture:
            is_free = not any("--num_levels" in x for x in arguments)
            arguments.append(f"--init={run.picture}")
            if is_free and runs.is_at_finest_level(run):
                arguments.append("--num_levels=1")
        return self._submit(arguments)

    def _submit(self, arguments: list[str]) -> dict:
        """Submits a job; returns updates that show its run."""
        job = self._jobs.submit(arguments)
        return {self.shown: self.show_run(job.name), self._fault: ""}

    def _stop_job(self, name: str | None) -> None:
        job = self._jobs.find(name)
        if job is not None:
            self._jobs.stop(job)

    def _is_of_table(self, name: str) -> bool:
        """True if a run is a small picture of the table in the Many tab."""
        return name in [row[-1] for row in last_table.read(self._root)]

    def _show_first(self) -> dict:
        """Shows the current job with its dials, or else the newest run."""
        jobs = self._jobs.unfinished()
        found = jobs or runs.list_runs(self._root, 1)
        name = found[0].name if found else None
        shown = {self.shown: self.show_run(name)}
        if not jobs or self._is_of_table(name):
            return shown
        return shown | self.form.show(name, self._fault)

    def _show(self, name, form_of_file, seen) -> dict:
        """Returns updates that show the state of a run, if it has changed."""
        names, seen = self._list_names(name), seen or {}
        if names != seen.get("names"):
            # No value is set, as the user may choose another run meanwhile.
            return {
                self.shown: gr.Dropdown(self._choices(names)),
                self._seen: seen | {"names": names},
            }
        run, job = runs.find_run(self._root, name), self._jobs.find(name)
        if run is None:
            if job is None or not job.has_ended:
                return {self._seen: seen}
            return {
                self._state: "Stopped before the first step",
                self._go_on: gr.Button(visible=False),
                self._resume: gr.Button(visible=False),
                self._stop: gr.Button(interactive=False),
            }
        is_busy = not job.has_ended if job else run.is_at_work
        before = self._jobs.num_before(job) if job else 0
        now = [name, form_of_file, is_busy, before, run.changed]
        now += [job.state, job.is_stopping] if job else []
        if now == seen.get("run"):
            return {self._seen: seen}
        updates = {
            self._seen: seen | {"run": now},
            self._state: widgets.describe_state(run, job, is_busy, before),
            self._progress: describe_film_progress(run, is_busy)
            if run.is_film
            else widgets.describe_progress(run, is_busy),
            self._charts: widgets.charts_of(run),
            self._go_on: gr.Button(
                visible=bool(is_busy and job and not job.is_film)
            ),
            self._resume: gr.Button(visible=run.is_resumable and not is_busy),
            self._stop: gr.Button(interactive=bool(is_busy and job)),
        }
        # The previous picture stays visible until there is a new one.
        if film := show_film(run, is_busy):
            updates[self._preview] = film
        elif path := run.preview or run.picture:
            updates[self._preview] = image_of(path, "The picture as it is")
        if job is not None and job.state == "failed":
            updates[self._fault] = escape_error(job.error)
        return updates | self._keeping.update(
            None if is_busy else run, form_of_file
        )


def _have_same_pictures(first: list[str], second: list[str]) -> bool:
    """True if two command lines do not name different pictures."""
    ours, theirs = (
        dict(x.split("=", 1) for x in arguments if x.startswith(_PICTURES))
        for arguments in (first, second)
    )
    return all(ours[name] == theirs[name] for name in ours.keys() & theirs)
