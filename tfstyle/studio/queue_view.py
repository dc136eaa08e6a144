"""The queue: what is painted and waits, and buttons to cancel and to move."""

import html

import gradio as gr

from tfstyle.studio import estimates
from tfstyle.studio import runs
from tfstyle.studio.jobs import Job
from tfstyle.studio.jobs import Jobs
from tfstyle.studio.widgets import DIRECT
from tfstyle.studio.widgets import read_asset
from tfstyle.system.loop_progress import describe_time

_LIST = read_asset("list.js")
MOVES = {"earlier": -1, "later": 1}


class QueueView:
    """The queue: what is painted and waits, and buttons to cancel and to move.

    Args:
        root: the folder of runs.
        jobs: the queue of jobs.
        shown: state with the name of the displayed run.

    Attributes:
        list: component with the list of jobs.
    """

    def __init__(self, root: str, jobs: Jobs, shown: gr.State):
        self._root = root
        self._jobs = jobs
        self._needs: dict[str, str] = {}  # estimates, by the name of the run
        self.list = gr.HTML(
            "", js_on_load=_LIST, elem_id="queue", elem_classes="queue"
        )
        self.list.click(self._act, shown, shown, **DIRECT)

    def render(self, shown: str | None) -> str:
        """Renders the unfinished jobs as HTML; "" if only the shown one is.

        Args:
            shown: name of the displayed run.
        """
        jobs = self._jobs.unfinished()
        if {job.name for job in jobs} <= {shown}:
            return ""
        waiting = [job for job in jobs if job.state == "waiting"]
        items = "".join(self._item(job, shown, waiting) for job in jobs)
        return f"<h3>Queue</h3><ol>{items}</ol>"

    def _item(self, job: Job, shown: str | None, waiting: list[Job]) -> str:
        run = runs.find_run(self._root, job.name)
        caption = html.escape(run.caption if run else job.name)
        name = html.escape(job.name)
        current = ' aria-current="true"' if job.name == shown else ""
        buttons = ""
        if job in waiting:
            for text, move, end in (
                ("↑", "earlier", waiting[0]),
                ("↓", "later", waiting[-1]),
            ):
                off = " disabled" if job is end else ""
                buttons += (
                    f'<button type="button" data-act="{move}"'
                    f' data-run="{name}" aria-label="Paint {caption} {move}"'
                    f"{off}>{text}</button>"
                )
        buttons += (
            f'<button type="button" data-act="cancel" data-run="{name}"'
            f' aria-label="Cancel {caption}">✕</button>'
        )
        state = "painting" if job not in waiting else self._estimate(job)
        return (
            f'<li><button type="button" class="job" data-act="show"'
            f' data-run="{name}"{current}>{caption}</button>'
            f"<span>{state}</span>{buttons}</li>"
        )

    def _estimate(self, job: Job) -> str:
        """Returns the time that a job will take, in words, or "waits"."""
        if job.name not in self._needs:
            needs = estimates.needs_of(self._root, job.arguments)
            seconds = needs and needs.seconds
            text = f"about {describe_time(seconds)}" if seconds else "waits"
            self._needs[job.name] = text
        return self._needs[job.name]

    def _act(self, shown: str | None, event: gr.EventData):
        """Shows, cancels or moves the job whose button was pressed."""
        data = event._data or {}
        job = self._jobs.find(str(data.get("run")))
        act = data.get("act")
        if job is None or job.has_ended:
            return gr.skip()
        if act == "show":
            return job.name
        if act == "cancel":
            self._jobs.stop(job)
        elif act in MOVES:
            self._jobs.move(job, MOVES[act])
        return gr.skip()
