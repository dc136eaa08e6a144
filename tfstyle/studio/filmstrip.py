"""The filmstrip: all pictures, and what can be done with one of them."""

import dataclasses
import functools
import html
import os
import time

import gradio as gr

from tfstyle.errors import TfstyleError
from tfstyle.studio import dials
from tfstyle.studio import notes
from tfstyle.studio import runs
from tfstyle.studio.jobs import Jobs
from tfstyle.studio.runs import Run
from tfstyle.studio.widgets import DIRECT
from tfstyle.studio.widgets import image_of
from tfstyle.studio.widgets import make_thumbnail
from tfstyle.studio.widgets import read_asset
from tfstyle.studio.widgets import showing_errors

_LIST = read_asset("list.js")
UNSTARRED, STARRED = "☆ Star", "★ Starred"


class Filmstrip:
    """The filmstrip: all pictures, and what can be done with one of them.

    Args:
        root: the folder of runs.
        jobs: the queue of jobs.
        shown: state with the name of the displayed run.
        fault: component that shows errors.

    Attributes:
        strip: component with the list of runs.
        watched: components that `update` sets.
    """

    def __init__(self, root: str, jobs: Jobs, shown: gr.State, fault: gr.HTML):
        self._root = root
        self._jobs = jobs
        self._shown = shown
        self._fault = fault
        self._unfolded = gr.State([])  # names of runs whose steps are listed
        self._binned = gr.State([])  # paths by deletion, the last one last
        self.strip = gr.HTML(
            "", js_on_load=_LIST, elem_id="strip", elem_classes="strip"
        )
        with gr.Row(elem_id="of-run", visible=False) as self._part:
            self._title = gr.Textbox(
                label="Name of this picture", max_lines=1, elem_id="title"
            )
            self._star = gr.Button(UNSTARRED, size="sm", elem_id="star")
            self._delete = gr.Button("Delete", size="sm", elem_id="delete")
        self._undo = gr.Button(
            "Put it back", size="sm", visible=False, elem_id="put-back"
        )
        self.watched = [self._part, self._title, self._star, self._delete]
        self._connect()

    @property
    def inputs(self) -> list:
        """Components whose values `render` needs."""
        return [self._unfolded]

    def _connect(self) -> None:
        chosen = [self._shown, self._unfolded]
        self.strip.click(self._choose, chosen, chosen, **DIRECT)
        changed = [self._fault, self._title, self._star]
        for event in (self._title.submit, self._title.blur):
            event(self._rename, [self._shown, self._title], changed, **DIRECT)
        self._star.click(self._turn_star, self._shown, changed, **DIRECT)
        binned = [self._shown, self._binned, self._undo, self._fault]
        given = [*chosen, self._binned]
        self._delete.click(self._move_to_bin, given, binned, **DIRECT)
        self._undo.click(self._put_back, self._binned, binned, **DIRECT)

    def render(self, shown: str | None, unfolded: list) -> str:
        """Renders the list of runs as HTML.

        Args:
            shown: name of the displayed run.
            unfolded: names of runs whose earlier steps are listed too.
        """
        groups: dict[str, list[str]] = {"": [], "Unfinished": []}
        for group in runs.fold(runs.list_runs(self._root)):
            job = self._jobs.find(group[0].name)
            is_busy = not job.has_ended if job else group[0].is_at_work
            is_folded = group[0].name not in unfolded
            is_done = is_busy or _has_place(group[0])
            tiles = groups["" if is_done else "Unfinished"]
            # One that is not the first is shown even if it is folded.
            tiles += [
                self._tile(run, run.name == shown, is_busy and not number)
                for number, run in enumerate(group)
                if not (number and is_folded) or run.name == shown
            ]
            if len(group) > 1:
                tiles.append(_fold_button(group, is_folded))
        return "".join(
            (f"<h3>{title}</h3>" if title else "")
            + f"<ul>{''.join(tiles)}</ul>"
            for title, tiles in groups.items()
            if tiles
        )

    def update(self, run: Run | None, is_busy: bool) -> dict:
        """Returns updates of what can be done with the displayed run."""
        if run is None:
            return {self._part: gr.Row(visible=False)}
        star = STARRED if run.notes.is_starred else UNSTARRED
        return {
            self._part: gr.Row(visible=True),
            self._title: run.caption,
            self._star: gr.Button(star),
            self._delete: gr.Button(interactive=not is_busy),
        }

    def _tile(self, run: Run, is_shown: bool, is_busy: bool) -> str:
        tile = _describe(run.workdir, tuple(run.changed))
        image = "<span class='blank'>painting</span>"
        if not is_busy and tile.thumbnail:
            image = image_of(tile.thumbnail, "")
        elif not is_busy:
            image = "<span class='blank'>no picture</span>"
        current = ' aria-current="true"' if is_shown else ""
        caption, facts = html.escape(tile.caption), html.escape(tile.facts)
        return (
            f'<li><button type="button" data-run="{html.escape(run.name)}"'
            f' title="{caption}: {facts}"{current}>{image}<b>{caption}</b>'
            f"<small>{facts}</small></button></li>"
        )

    def _choose(self, shown, unfolded: list, event: gr.EventData):
        """Shows the pressed run, or lists or folds its earlier steps."""
        data = event._data or {}
        name = str(data.get("fold") or "")
        if name:
            is_open = name in unfolded
            others = [other for other in unfolded if other != name]
            return shown, others if is_open else [*others, name]
        name = str(data.get("run") or "")
        found = runs.find_run(self._root, name)
        return (name if found else gr.skip()), unfolded

    @showing_errors
    def _rename(self, shown: str | None, title: str | None) -> dict:
        """Names the displayed run; an empty name is that of its pictures."""
        run = runs.find_run(self._root, shown)
        title = " ".join((title or "").split())[: notes.LONGEST]
        if run is None or title == run.caption:
            return {self._fault: gr.skip()}
        changed = dataclasses.replace(run.notes, title=title)
        notes.write(run.workdir, changed)
        return {self._title: Run(run.workdir).caption}

    @showing_errors
    def _turn_star(self, shown: str | None) -> dict:
        run = runs.find_run(self._root, shown)
        if run is None:
            return {self._fault: gr.skip()}
        is_starred = not run.notes.is_starred
        changed = dataclasses.replace(run.notes, is_starred=is_starred)
        notes.write(run.workdir, changed)
        return {self._star: gr.Button(STARRED if is_starred else UNSTARRED)}

    @showing_errors
    def _move_to_bin(
        self, shown: str | None, unfolded: list, binned: list[list[str]]
    ) -> dict:
        """Moves the displayed run to the bin, with its folded steps."""
        listed = runs.list_runs(self._root)
        run = runs.find_run(self._root, shown)
        job = self._jobs.find(shown)
        if run is None or (job and not job.has_ended) or run.is_at_work:
            return {self._fault: gr.skip()}
        group = next(
            (
                group
                for group in runs.fold(listed)
                if group[0].name == shown and shown not in unfolded
            ),
            [run],
        )
        binned = [*binned, [runs.move_to_bin(member) for member in group]]
        names = [other.name for other in listed]
        gone = {member.name for member in group}
        left = [name for name in names if name not in gone]
        place = names.index(run.name) if run.name in names else 0
        after = [name for name in names[place:] if name not in gone]
        return {
            self._shown: next(iter([*after, *left]), None),
            **self._offer_back(binned),
        }

    @showing_errors
    def _put_back(self, binned: list[list[str]]) -> dict:
        """Puts the runs back that were deleted last."""
        names = [os.path.basename(path) for path in binned[-1]]
        for path in binned[-1]:
            runs.put_back(self._root, path)
        return {
            self._shown: next(iter(names), None),
            **self._offer_back(binned[:-1]),
        }

    def _offer_back(self, binned: list[list[str]]) -> dict:
        """Returns updates that offer to put the last deleted runs back."""
        last = Run(binned[-1][0]).caption if binned else ""
        return {
            self._binned: binned,
            self._undo: gr.Button(f"Put {last} back", visible=bool(binned)),
            self._fault: "",
        }


@dataclasses.dataclass(frozen=True)
class _Tile:
    """What a tile of the strip shows: thumbnail, caption and facts."""

    thumbnail: str | None
    caption: str
    facts: str


@functools.lru_cache(1024)
def _describe(workdir: str, changed: tuple[float, ...]) -> _Tile:
    """Describes a run; `changed` are the times of its files."""
    run = Run(workdir)
    thumbnail = None
    try:
        picture = run.picture or next(iter(run.frames[-1:]), None)
        thumbnail = picture and make_thumbnail(picture)
        facts = dials.describe(run.chosen_arguments)
    except (TfstyleError, OSError):
        facts = {}  # of another program, or being written
    said = [
        value if name == "size" else f"{name} {value}"
        for name, value in facts.items()
    ]
    star = "★ " if run.notes.is_starred else ""
    caption = run.caption or _describe_time(run.workdir)
    return _Tile(thumbnail, star + caption, ", ".join(said))


def _describe_time(path: str) -> str:
    return time.strftime("%d %b, %H:%M", time.localtime(os.stat(path).st_mtime))


def _has_place(run: Run) -> bool:
    """True if a run is listed with the finished ones."""
    return run.is_complete or run.notes.is_starred


def _fold_button(group: list[Run], is_folded: bool) -> str:
    count = len(group) - 1
    steps = "1 step" if count == 1 else f"{count} steps"
    text = f"{steps} before" if is_folded else "Fold"
    return (
        f'<li><button type="button" class="fold" aria-expanded="'
        f'{str(not is_folded).lower()}" data-fold="'
        f'{html.escape(group[0].name)}">{text}</button></li>'
    )
