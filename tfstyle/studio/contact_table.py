"""The Many tab: a table of small pictures, every content in every style."""

import dataclasses
import hashlib
import html
import os
import statistics

import gradio as gr
import numpy as np

from tfstyle.errors import ConfigError
from tfstyle.errors import ImageError
from tfstyle.flags.command_line import read_config
from tfstyle.flags.sources import read_flagfile
from tfstyle.image_files.reading import read_image
from tfstyle.image_files.writing import write_image
from tfstyle.images.transparency import lay_on_white
from tfstyle.studio import dials
from tfstyle.studio import inputs
from tfstyle.studio import last_table
from tfstyle.studio import runs
from tfstyle.studio.jobs import Job
from tfstyle.studio.jobs import Jobs
from tfstyle.studio.painting import Painting
from tfstyle.studio.runs import Run
from tfstyle.studio.sheet import draw_sheet
from tfstyle.studio.widgets import DIRECT
from tfstyle.studio.widgets import image_of
from tfstyle.studio.widgets import showing_errors
from tfstyle.system.loop_progress import describe_time

MOST_PAIRS = 36
SIZE, STEPS = 192, 40
"""Long edge of the small pictures in a table, pixels, and their steps."""
SMALL = [f"--image_size={SIZE}", f"--num_steps={STEPS}"]
"""Flags of the small pictures, which replace those of the dials."""
SHEET = "contact sheet.png"
"""File name of the table as one picture."""
_PICK = """
element.addEventListener('click', event => {
  const image = event.target.closest('td img');
  if (image) trigger('click', {run: image.parentElement.dataset.run});
});
"""


@dataclasses.dataclass(frozen=True)
class Cell:
    """A picture of the table.

    Attributes:
        content: path of the content image.
        style: path of the style image.
        name: name of the run.
        run: the run, or None if it was stopped before it began.
        job: job of the run, or None if an earlier studio had it.
    """

    content: str
    style: str
    name: str
    run: Run | None
    job: Job | None

    @property
    def picture(self) -> str | None:
        """Path of the finished or stopped picture, or None."""
        return self.run and self.run.picture

    @property
    def state(self) -> str:
        """One of `done`, `painting`, `waiting`, `failed` and `stopped`."""
        if self.job is not None and self.job.state != "done":
            return self.job.state
        return "done" if self.picture else "stopped"

    @property
    def seconds(self) -> float:
        """Time that the run has taken so far, seconds."""
        metrics = self.run.metrics if self.run else []
        return metrics[-1]["seconds"] if metrics else 0.0

    @property
    def text(self) -> str:
        """State of a cell that is not done, and its error; or empty."""
        if self.state == "failed":
            return f"failed: {self.job.error}"
        return "" if self.state == "done" else self.state


class ContactTable:
    """The Many tab: a table of small pictures, every content in every style.

    One of them can be painted again, large.

    Args:
        jobs: the queue of jobs.
        root: the folder of runs.
        painting: the Paint tab, whose dials are used and which shows the large
            picture.
        page: the page that contains the tab.
        tabs: the tabs of the page; the Paint tab has the id `paint`.
    """

    def __init__(
        self,
        jobs: Jobs,
        root: str,
        painting: Painting,
        page: gr.Blocks,
        tabs: gr.Tabs,
    ):
        self._jobs = jobs
        self._root = root
        self._painting = painting
        self._tabs = tabs
        self._pairs = gr.State([])  # rows of content, style, name of the run
        self._seen = gr.State("")
        with gr.Row():
            self._contents, self._styles = (
                gr.Gallery(
                    label=label,
                    type="filepath",
                    file_types=["image"],
                    columns=4,
                    height=200,
                    object_fit="contain",
                    allow_preview=False,
                    interactive=True,
                    elem_id=place,
                )
                for label, place in (
                    ("Contents: the rows", "contents"),
                    ("Styles: the columns", "styles"),
                )
            )
        gr.Markdown(
            "Every content in every style, with the dials of Paint, but small:"
            f" {SIZE} px, {STEPS} steps each."
        )
        with gr.Row():
            begin = gr.Button("Paint the table", variant="primary")
            stop = gr.Button("Stop the table")
        self._fault = gr.HTML("", elem_classes="fault")
        self._progress = gr.HTML("", elem_id="many-progress")
        self._table = gr.HTML(
            "", js_on_load=_PICK, elem_classes="many", elem_id="many"
        )
        self._download = gr.DownloadButton(
            "Download the sheet", visible=False, size="sm", elem_id="sheet"
        )
        with gr.Row(elem_classes="keep"):
            self._pick = gr.Dropdown(
                [],
                label="Picture",
                info="or click on it in the table",
                elem_id="pick",
            )
            self._size = gr.Dropdown(
                list(dials.SIZES),
                value="1024",
                label="Large size",
                info="long edge, pixels",
                allow_custom_value=True,
            )
            large = gr.Button("Paint it large")
        chosen = [self._pairs, self._pick]
        begin.click(
            self._begin,
            {self._contents, self._styles, *painting.form.components},
            [*chosen, self._fault],
            **DIRECT,
        )
        stop.click(self._stop, self._pairs, **DIRECT)
        self._table.click(self._choose, self._pairs, self._pick, **DIRECT)
        large.click(
            self._paint_large,
            {*chosen, self._size},
            [self._fault, tabs, *painting.filled],
            **DIRECT,
        )
        page.load(self._load, outputs=chosen, **DIRECT)
        gr.Timer(1.0).tick(
            self._show,
            [self._pairs, self._seen],
            [self._progress, self._table, self._download, self._seen],
            **DIRECT,
        )

    @showing_errors
    def _begin(self, values) -> dict:
        """Submits a job for every pair of content and style."""
        contents = values[self._contents] or []
        styles = values[self._styles] or []
        if not 0 < len(contents) * len(styles) <= MOST_PAIRS:
            raise ConfigError(
                f"A table must have 1 to {MOST_PAIRS} pictures. Received:"
                f" {len(contents)} contents and {len(styles)} styles."
            )
        last_table.check(self._root)
        contents, styles = (
            dict.fromkeys(inputs.keep(self._root, path) for path, _ in paths)
            for paths in (contents, styles)
        )
        asked = [
            (content, style, self._arguments(values, content, style))
            for content in contents
            for style in styles
        ]
        pairs = [
            [content, style, self._jobs.submit(arguments).name]
            for content, style, arguments in asked
        ]
        last_table.write(self._root, pairs)
        return {**self._offer(pairs), self._fault: ""}

    def _load(self) -> dict:
        """Restores the last table when the page is loaded."""
        return self._offer(last_table.read(self._root))

    def _offer(self, pairs: list) -> dict:
        names = [
            (runs.title_of(name, runs.caption_of(content, [style])), name)
            for content, style, name in pairs
        ]
        first = names[0][1] if names else None
        return {
            self._pairs: pairs,
            self._pick: gr.Dropdown(names, value=first),
        }

    def _stop(self, pairs: list) -> None:
        """Stops all jobs of the table that are painting or waiting."""
        for _, _, name in reversed(pairs):  # last first, so that none starts
            if job := self._jobs.find(name):
                self._jobs.stop(job)

    def _choose(self, pairs: list, event: gr.EventData):
        """Selects the picture that was clicked."""
        names = [pair[2] for pair in pairs]
        return event.run if event.run in names else gr.skip()

    @showing_errors
    def _paint_large(self, values) -> dict:
        """Paints the selected picture large, and fills the form with it."""
        name = values[self._pick]
        known = [pair[2] for pair in values[self._pairs]]
        run = runs.find_run(self._root, name) if name in known else None
        if run is None or run.flagfile is None:
            raise ConfigError("Paint the table first, and pick a picture.")
        asked = [x for x in read_flagfile(run.flagfile) if x]
        if asked[-len(SMALL) :] == SMALL:
            asked = asked[: -len(SMALL)]
        config = read_config([*asked, f"--image_size={values[self._size]}"])
        job = self._jobs.submit([*asked, f"--image_size={config.image_size}"])
        return {
            **self._painting.show_with_form(Run(job.workdir)),
            self._tabs: gr.Tabs(selected="paint"),
        }

    def _arguments(self, values, content: str, style: str) -> list[str]:
        """Returns the command line of a small picture, with the dials."""
        options = self._painting.form.options
        found = dials.make_arguments(
            values[options.base],
            options.positions(values),
            content=content,
            styles=[style],
        )
        return [*found, *SMALL]

    def _show(self, pairs: list, seen: str) -> dict:
        """Returns updates that show the table, if it has changed."""
        cells = [
            Cell(
                content,
                style,
                name,
                runs.find_run(self._root, name),
                self._jobs.find(name),
            )
            for content, style, name in pairs
        ]
        progress, table = _describe_progress(cells), _make_table(cells)
        if progress + table == seen:
            return {self._seen: seen}
        sheet = self._make_sheet(cells, table)
        return {
            self._seen: progress + table,
            self._progress: progress,
            self._table: table,
            self._download: gr.DownloadButton(
                value=sheet, visible=sheet is not None
            ),
        }

    def _make_sheet(self, cells: list[Cell], table: str) -> str | None:
        """Draws the table as one picture; returns its path.

        None if no cell has a picture, one is still to be painted, or one cannot
        be read.

        Args:
            cells: cells of the table.
            table: the table as HTML, which depends on the times of the files.
        """
        is_busy = any(c.state in ("painting", "waiting") for c in cells)
        if is_busy or not any(cell.picture for cell in cells):
            return None
        rows = _rows_of(cells)
        place = hashlib.sha256(table.encode()).hexdigest()[:16]
        path = os.path.join(self._root, inputs.UPLOADS, place, SHEET)
        try:
            if not os.path.exists(path):
                pixels = draw_sheet(
                    [[_read(cell) for cell in row] for row in rows],
                    [inputs.stem_of(row[0].content) for row in rows],
                    [inputs.stem_of(cell.style) for cell in rows[0]],
                )
                write_image(path, pixels)
        except ImageError:
            return None
        return path


def _rows_of(cells: list[Cell]) -> list[list[Cell]]:
    """Returns the rows of the table, one per content."""
    rows: dict[str, list[Cell]] = {}
    for cell in cells:
        rows.setdefault(cell.content, []).append(cell)
    return [*rows.values()]


def _read(cell: Cell) -> np.ndarray | str:
    """Returns the picture of a cell, uint8 `[H, W, 3]`, or else its state."""
    if cell.picture is None:
        return cell.text
    file = read_image(cell.picture)
    return lay_on_white(file.pixels, file.alpha)


def _describe_progress(cells: list[Cell]) -> str:
    """Renders how much of the table is painted as HTML."""
    states = [cell.state for cell in cells]
    facts = [f"{states.count('done')} of {len(cells)} done"]
    facts += [
        f"{states.count(state)} {state}"
        for state in ("failed", "stopped")
        if state in states
    ]
    num_left = states.count("waiting") + states.count("painting")
    if num_left and "done" in states:
        each = statistics.median(c.seconds for c in cells if c.state == "done")
        spent = sum(c.seconds for c in cells if c.state == "painting")
        left = max(0.0, num_left * each - spent)
        facts.append(f"about {describe_time(left)} left")
    return f"<p>{', '.join(facts)}</p>" if cells else ""


def _make_table(cells: list[Cell]) -> str:
    """Renders the table as HTML."""
    if not cells:
        return ""
    rows = _rows_of(cells)
    heads = [_head(cell.style, "col") for cell in rows[0]]
    body = "".join(
        f"<tr>{_head(row[0].content, 'row')}"
        f"{''.join(map(_describe_cell, row))}</tr>"
        for row in rows
    )
    return f"<table><tr><td></td>{''.join(heads)}</tr>{body}</table>"


def _describe_cell(cell: Cell) -> str:
    """Renders a cell of the table as HTML: its picture, and its state."""
    run, shown = cell.run, ""
    if run and (path := run.preview or run.picture):
        shown = image_of(path, run.title)
    text = html.escape(cell.text)
    return (
        f'<td class="{cell.state}" data-run="{html.escape(cell.name)}">'
        f"{shown}{text and f'<p>{text}</p>'}</td>"
    )


def _head(path: str, scope: str) -> str:
    name = html.escape(inputs.stem_of(path))
    return f'<th scope="{scope}">{name}</th>'
