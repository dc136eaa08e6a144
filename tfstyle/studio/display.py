"""The displayed run: its state, progress and picture, and the lists of runs."""

from functools import partial

import gradio as gr

from tfstyle.studio import drafts
from tfstyle.studio import runs
from tfstyle.studio import viewer
from tfstyle.studio import widgets
from tfstyle.studio.downloads import Downloads
from tfstyle.studio.film_view import describe_film_progress
from tfstyle.studio.filmstrip import Filmstrip
from tfstyle.studio.form import Form
from tfstyle.studio.jobs import Job
from tfstyle.studio.jobs import Jobs
from tfstyle.studio.queue_view import QueueView
from tfstyle.studio.widgets import DIRECT
from tfstyle.studio.widgets import escape_error
from tfstyle.studio.widgets import showing_errors


class Display:
    """The displayed run: its state, progress, picture, and the lists of runs.

    Each `make_` method makes a part of the page, at the place of its call.

    Args:
        root: the folder of runs.
        jobs: the queue of jobs.

    Attributes:
        shown: state with the name of the displayed run.
        keeping: the part with the downloads.
    """

    def __init__(self, root: str, jobs: Jobs):
        self._root = root
        self._jobs = jobs
        self.shown = gr.State(None)
        self._seen = gr.State({})  # state that the page shows already
        self._has_charts = gr.State(False)

    def make_buttons(self) -> None:
        """Makes the buttons that stop the run or go on with it."""
        self._resume = gr.Button(
            "Go on with it", visible=False, elem_id="resume", min_width=120
        )
        self._stop = gr.Button(
            "Stop", interactive=False, elem_id="stop", min_width=80
        )

    def make_progress(self) -> None:
        """Makes the state and progress of the run."""
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

    def make_side(self, form: Form, fault: gr.HTML) -> None:
        """Makes the picture, and below it the lists, downloads and curves.

        Args:
            form: the form, into which pictures can be put.
            fault: component that shows errors.
        """
        self._fault = fault
        self._viewer = viewer.make_viewer()
        with gr.Column(elem_id="shelf"):
            self._queue = QueueView(self._root, self._jobs, self.shown)
            self._strip = Filmstrip(self._root, self._jobs, self.shown, fault)
            self.keeping = Downloads(
                self._root, self._jobs, form, self.shown, fault
            )
            with gr.Accordion("Losses", open=False) as losses:
                self._charts = gr.HTML("", elem_classes="charts")
        for event, is_open in ((losses.expand, True), (losses.collapse, False)):
            event(partial(bool, is_open), None, self._has_charts, **DIRECT)

    def watch(
        self,
        opened,
        of: gr.State,
        page: gr.Textbox,
        *,
        paint: gr.Button,
        use: gr.Button,
    ) -> None:
        """Keeps the display, and two buttons, as the run is.

        Args:
            opened: event fired once an opened page knows its run.
            of: name of the run that the form belongs to.
            page: random name of the page.
            paint: button that begins a picture or adds it to the queue.
            use: button that fills the form with the displayed run's.
        """
        self._paint, self._use = paint, use
        self._resume.click(self._resume_film, self.shown, self._fault, **DIRECT)
        self._stop.click(self._stop_job, self.shown, **DIRECT)
        keeping, strip = self.keeping, self._strip
        watched = {
            "fn": self._show,
            "inputs": [
                *(self.shown, of, page, self._seen),
                *(self._has_charts, keeping.format, *strip.inputs),
            ],
            "outputs": [
                *(self._state, self._progress, self._viewer, self._charts),
                *(self._paint, self._resume, self._stop, self._use),
                *(self._seen, self._fault),
                *(self._queue.list, strip.strip),
                *(*strip.watched, *keeping.watched),
            ],
            **DIRECT,
        }
        gr.Timer(1.0).tick(**watched)
        opened.then(**watched)
        # A press is answered at once, not at the next tick.
        for event in (
            keeping.format.input,
            strip.strip.click,
            self._queue.list.click,
        ):
            event(None, **DIRECT).then(**watched)

    @showing_errors
    def _resume_film(self, name: str | None) -> dict:
        """Goes on with a film that was stopped."""
        self._jobs.resume(name)
        return {self._fault: ""}

    def _stop_job(self, name: str | None) -> None:
        job = self._jobs.find(name)
        if job is not None:
            self._jobs.stop(job)

    def _show(
        self, name, of, page, seen: dict, has_charts, format_of_file, unfolded
    ) -> dict:
        """Returns updates that show the state of a run, if it has changed."""
        run, job = runs.find_run(self._root, name), self._jobs.find(name)
        is_busy = not job.has_ended if job else bool(run and run.is_at_work)
        before = self._jobs.num_before(job) if job else 0
        now = [name, format_of_file, is_busy, before, run and run.changed]
        now += [job.state, job.is_stopping] if job else []
        parts = {
            "run": now,
            "charts": [has_charts, name, run and run.changed],
            "queue": self._queue.render(name),
            "strip": self._strip.render(name, unfolded),
            "form": [of == name or name is None, bool(self._jobs.unfinished())],
        }
        changed = {part for part in parts if parts[part] != seen.get(part)}
        updates: dict = {self._seen: parts if changed else gr.skip()}
        if "queue" in changed:
            updates[self._queue.list] = parts["queue"]
        if "strip" in changed:
            updates[self._strip.strip] = parts["strip"]
        if has_charts and "charts" in changed:
            updates[self._charts] = widgets.charts_of(run) if run else ""
        if "form" in changed:
            is_own, has_jobs = parts["form"]
            updates[self._use] = gr.Button(visible=not is_own)
            updates[self._paint] = "Add to queue" if has_jobs else "Paint"
        if "run" in changed:
            updates |= self._show_run(run, job, is_busy, before)
            updates |= self._strip.update(run, is_busy)
            updates |= self.keeping.update(
                None if is_busy else run, format_of_file
            )
            if name != (seen.get("run") or [None])[0]:
                drafts.note(self._root, page, shown=name)
        return updates

    def _show_run(
        self, run: runs.Run | None, job: Job | None, is_busy: bool, before: int
    ) -> dict:
        """Returns updates that show the state and picture of a run."""
        if run is None:
            state = "Stopped before the first step" if job else ""
            return {
                self._state: state,
                self._progress: "",
                self._viewer: gr.HTML(**viewer.NOTHING),
                self._resume: gr.Button(visible=False),
                self._stop: gr.Button(interactive=False),
            }
        updates = {
            self._state: widgets.describe_state(run, job, is_busy, before),
            self._progress: describe_film_progress(run, is_busy)
            if run.is_film
            else widgets.describe_progress(run, is_busy),
            self._resume: gr.Button(visible=run.is_resumable and not is_busy),
            self._stop: gr.Button(interactive=bool(is_busy and job)),
            self._viewer: viewer.view(run, is_busy),
        }
        if job is not None and job.state == "failed":
            updates[self._fault] = escape_error(job.error)
        return updates
