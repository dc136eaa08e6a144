"""The Paint tab: a form that belongs to a run, next to the displayed run."""

import contextlib
import dataclasses
import os

import gradio as gr

from tfstyle.errors import TfstyleError
from tfstyle.experiment.workdir_files import OUTPUT
from tfstyle.flags.command_line import read_config
from tfstyle.studio import drafts
from tfstyle.studio import estimates
from tfstyle.studio import last_table
from tfstyle.studio import notes
from tfstyle.studio import runs
from tfstyle.studio.display import Display
from tfstyle.studio.drafts import Draft
from tfstyle.studio.form import Form
from tfstyle.studio.jobs import Job
from tfstyle.studio.jobs import Jobs
from tfstyle.studio.notes import Notes
from tfstyle.studio.widgets import DIRECT
from tfstyle.studio.widgets import escape_error
from tfstyle.studio.widgets import read_asset
from tfstyle.studio.widgets import showing_errors

STOPPING = 60.0
"""Timeout for a run to stop at its next step, seconds."""
_BEGIN = ("--init=", "--num_levels=")
"""Flags that a run gets so that it continues another."""
_PICTURES = (
    "--content_image=",
    "--style_images=",
    "--content_masks=",
    _BEGIN[0],
)
_WATCH = read_asset("form.js")
_CHANGED = "() => window.formChanged()"
_NAME_PAGE = """() => {
  sessionStorage.page ||= Math.random().toString(36).slice(2, 12).padEnd(8, 0);
  return [sessionStorage.page];
}"""
"""Returns a random name of the page, which stays when it is reloaded."""


class Painting:
    """The Paint tab: a form that belongs to a run, next to the displayed run.

    The form belongs to a run until other pictures are chosen; while that run
    is displayed and painting, its dials change it.

    Args:
        jobs: the queue of jobs.
        root: the folder of runs.
        page: the page that contains the tab.

    Attributes:
        form: form with the pictures and dials.
        display: the displayed run.
        filled: components that `show_with_form` sets.
    """

    def __init__(self, jobs: Jobs, root: str, page: gr.Blocks):
        self._jobs = jobs
        self._root = root
        self.display = Display(root, jobs)
        self._of = gr.State(None)  # name of the run that the form belongs to
        self._page = gr.Textbox(visible=False)  # random name of the page
        self._make_bar()
        with gr.Row(elem_id="room"):
            with gr.Column(min_width=320, elem_id="form"):
                self._use = gr.Button(
                    "Use the pictures and dials of the picture shown",
                    size="sm",
                    visible=False,
                    elem_id="use",
                )
                self.form = Form(root)
            with gr.Column(min_width=320, elem_id="side"):
                self.display.make_side(self.form, self._fault)
        self._connect(page)

    def _make_bar(self) -> None:
        with gr.Row(elem_id="bar"):
            self._paint = gr.Button(
                "Paint", variant="primary", elem_id="paint", min_width=120
            )
            self._paint_film = gr.Button(
                "Paint the film",
                variant="primary",
                visible=False,
                elem_id="paint-film",
                min_width=120,
            )
            self.display.make_buttons()
            with gr.Column(elem_id="now", min_width=160):
                self.display.make_progress()
                self._estimate = gr.HTML("", elem_id="estimate")
        self._fault = gr.HTML("", elem_classes="fault", elem_id="fault")
        self._sure = gr.Button(
            "Paint without a style", visible=False, elem_id="sure", size="sm"
        )
        self._watcher = gr.HTML("", js_on_load=_WATCH, elem_id="watcher")

    def _connect(self, page: gr.Blocks) -> None:
        form, display = self.form, self.display
        given = {display.shown, self._of, self._page, self._fault}
        given |= form.components
        began = [display.shown, self._of, self._fault, self._sure]
        began.append(self._estimate)
        for button, begin in (
            (self._paint, self._start_painting),
            (self._sure, self._start_without_style),
            (self._paint_film, self._start_film),
        ):
            button.click(begin, given, began, **DIRECT)
        form.pictures.clips.connect(self._paint_film)
        self._watch_form()
        self._watcher.click(
            self._follow_form,
            given,
            began,
            **DIRECT,
            trigger_mode="always_last",
        )
        self.filled = [*began, *form.components]
        opened = page.load(
            self._show_first,
            self._page,
            [*self.filled, self._page],
            js=_NAME_PAGE,
            **DIRECT,
        )
        self._use.click(self.fill_form, {display.shown}, self.filled, **DIRECT)
        display.watch(
            opened,
            self._of,
            self._page,
            paint=self._paint,
            use=self._use,
        )

    def _watch_form(self) -> None:
        """Tells the page's script about every change by the user."""
        form = self.form
        for component in form.components:
            for name in ("input", "release", "upload", "clear"):
                if event := getattr(component, name, None):
                    event(None, js=_CHANGED, **DIRECT)
        form.options.preset_applied.then(None, js=_CHANGED, **DIRECT)
        for button in (form.pictures.samples, *self.display.keeping.uses):
            button.click(None, **DIRECT).then(None, js=_CHANGED, **DIRECT)

    @showing_errors
    def _start_painting(self, values) -> dict:
        """Submits a job for the pictures and dials of the form."""
        if not self.form.has_style(values):
            self.form.arguments(values)
            return {
                self._fault: escape_error(
                    "There is no Style. Without one the content is copied,"
                    " which takes as long as a painting."
                ),
                self._sure: gr.Button(visible=True),
            }
        return self._submit(values, self.form.arguments(values))

    @showing_errors
    def _start_without_style(self, values) -> dict:
        """Submits a job that reconstructs the content."""
        return self._submit(values, self.form.arguments(values))

    @showing_errors
    def _start_film(self, values) -> dict:
        """Submits a job for the film."""
        return self._submit(values, self.form.arguments(values, of_film=True))

    @showing_errors
    def _follow_form(self, values) -> dict:
        """Stores the changed form, and applies its dials to its run.

        With other pictures the form no longer belongs to the run.
        """
        updates: dict = {self._fault: "" if values[self._fault] else gr.skip()}
        if self.form.has_style(values):
            updates[self._sure] = gr.Button(visible=False)
        draft = self._note_form(values)
        of, error, arguments = values[self._of], None, draft
        try:
            arguments = self.form.arguments(values)
            updates[self._estimate] = self._estimate_needs(arguments)
        except (TfstyleError, OSError) as found:
            error, updates[self._estimate] = found, ""
        run = runs.find_run(self._root, of)
        if run and _pictures_of(run.arguments) != _pictures_of(arguments):
            updates[self._of] = None
            drafts.note(self._root, values[self._page], of=None)
        elif error is None and of == values[self.display.shown]:
            job = self._jobs.find(of)
            is_followed = job and not job.has_ended and not job.is_film
            if is_followed and not _is_same(arguments, job.arguments):
                updates |= self._continue(values, job, arguments)
        if error is not None and values[self._fault]:
            updates[self._fault] = escape_error(error)
        return updates

    def _continue(self, values, job: Job, arguments: list[str]) -> dict:
        """Stops a job; a new one in its place starts from its picture."""
        given = notes.read(job.workdir)
        place = self._jobs.place_of(job)
        with self._jobs.holding():
            self._jobs.stop(job)
            self._jobs.wait(job, STOPPING)
            updates = self._submit_after(values, job, arguments, place)
        if not os.path.isdir(job.workdir) and given != Notes():
            new = runs.find_run(self._root, updates[self._of])
            notes.write(new.workdir, given)
        return updates

    def _submit_after(
        self, values, job: Job, arguments: list[str], place: int
    ) -> dict:
        """Submits a job that starts from the picture of a stopped one."""
        run = runs.Run(job.workdir)
        begin = [x for x in job.arguments if x.startswith(_BEGIN)]
        if run.picture:
            is_free = not any("--num_levels" in x for x in arguments)
            begin = [f"--init={run.picture}"]
            if is_free and runs.is_at_finest_level(run):
                begin.append("--num_levels=1")
        begin = [x for x in begin if x not in arguments]
        return self._submit(values, [*arguments, *begin], place)

    def _submit(
        self, values, arguments: list[str], place: int | None = None
    ) -> dict:
        """Submits a job; returns updates that show its run.

        While another run is painting, that one stays displayed, unless the job
        replaces it.

        Args:
            values: values of the form.
            arguments: command line of the job.
            place: place in the queue of the job that it replaces, or None.
        """
        shown = self._jobs.find(values[self.display.shown])
        is_watched = shown is not None and not shown.has_ended
        job = self._jobs.submit(arguments, place)
        is_shown = place is not None or not is_watched
        name = job.name if is_shown else shown.name
        self._note_form(values, of=job.name, shown=name)
        return {
            self.display.shown: name,
            self._of: job.name,
            self._fault: "",
            self._sure: gr.Button(visible=False),
            self._estimate: self._estimate_needs(arguments),
        }

    def _note_form(self, values, **changes) -> list[str]:
        """Stores the form of the page, if its options are valid.

        Returns:
            Its command line, or an empty list.
        """
        clip = values[self.form.pictures.clips.clip]
        with contextlib.suppress(TfstyleError, OSError):
            changes["arguments"] = self.form.arguments(
                values, of_film=bool(clip), is_draft=True
            )
        drafts.note(self._root, values[self._page], **changes)
        return changes.get("arguments", [])

    def _estimate_needs(self, arguments: list[str]) -> str:
        """Renders the time and memory of a job, in words, as HTML."""
        needs = estimates.needs_of(self._root, arguments)
        if needs is None:
            return ""
        size = read_config(arguments).image_size
        text = f"{needs} at {size} px on this machine"
        if warning := estimates.warn_of_memory(needs):
            text += f'. <b role="alert">{warning}</b>'
        return f"<p>{text}</p>"

    def _is_of_table(self, name: str) -> bool:
        """True if a run is a small picture of the table in the Many tab."""
        return name in [row[-1] for row in last_table.read(self._root)]

    def _show_first(self, page: str) -> dict:
        """Fills a page that was opened, or brings it back after a reload.

        A new page shows the current job with its dials, or else the newest run.
        """
        jobs = self._jobs.unfinished()
        newest = runs.list_runs(self._root, 1)
        names = [found.name for found in (*jobs, *newest)]
        first = names[0] if names else None
        draft = drafts.read(self._root, page)
        if draft is None:
            draft = Draft(shown=first)
            if jobs and not self._is_of_table(first):
                arguments = runs.Run(jobs[0].workdir).chosen_arguments
                draft = Draft(arguments, first, first)
            drafts.note(self._root, page, **dataclasses.asdict(draft))
        if not runs.find_run(self._root, draft.shown):
            draft = dataclasses.replace(draft, shown=first)
        found = {
            self._page: page,
            self.display.shown: draft.shown,
            self.form.options.preset: self.form.options.show_presets(),
        }
        if not draft.arguments:
            return found  # the user may have chosen pictures meanwhile
        with contextlib.suppress(TfstyleError, OSError):
            found |= self.form.show(draft.arguments)
            found[self._of] = draft.of
            found[self._estimate] = self._estimate_needs(draft.arguments)
        return found

    def fill_form(self, values) -> dict:
        """Returns updates that fill the form with those of the shown run."""
        run = runs.find_run(self._root, values[self.display.shown])
        return self.show_with_form(run) if run else {self._fault: gr.skip()}

    @showing_errors
    def show_with_form(self, run: runs.Run) -> dict:
        """Returns updates that show a run, with its pictures and dials.

        They are for the components `filled`.
        """
        return {
            **self.form.show(run.chosen_arguments),
            self.display.shown: run.name,
            self._of: run.name,
            self._fault: "",
            self._estimate: self._estimate_needs(run.arguments),
        }


def _pictures_of(arguments: list[str]) -> set[str]:
    """Returns the flags that name pictures chosen by the user."""
    return {
        x
        for x in arguments
        if x.startswith(_PICTURES) and not x.endswith(f"/{OUTPUT}")
    }


def _is_same(arguments: list[str], of_job: list[str]) -> bool:
    """True if a job has these arguments, and else only those of its start."""
    more = set(of_job) - set(arguments)
    return set(arguments) <= set(of_job) and all(
        x.startswith(_BEGIN) for x in more
    )
