"""The Many tab: a table of small pictures, every content in every style."""

import html

import gradio as gr

from tfstyle.errors import ConfigError
from tfstyle.studio import dials
from tfstyle.studio import inputs
from tfstyle.studio import last_table
from tfstyle.studio import runs
from tfstyle.studio.jobs import Jobs
from tfstyle.studio.painting import Painting
from tfstyle.studio.widgets import DIRECT
from tfstyle.studio.widgets import image_of
from tfstyle.studio.widgets import showing_errors

MOST_PAIRS = 36
SMALL = ["--image_size=192", "--num_steps=40"]
"""Flags of the small pictures in a table."""
_PICK = """
element.addEventListener('click', event => {
  const image = event.target.closest('img');
  if (image) trigger('click', {run: image.alt});
});
"""


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
        gr.Markdown("Every content in every style, with the dials of Paint.")
        with gr.Row():
            begin = gr.Button("Paint the table", variant="primary")
            stop = gr.Button("Stop the table")
        self._fault = gr.HTML("", elem_classes="fault")
        self._table = gr.HTML(
            "", js_on_load=_PICK, elem_classes="many", elem_id="many"
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
            {*chosen, self._size, *painting.form.components},
            [self._fault, painting.shown, tabs],
            **DIRECT,
        )
        page.load(self._load, outputs=chosen, **DIRECT)
        gr.Timer(1.0).tick(
            self._show,
            [self._pairs, self._seen],
            [self._table, self._seen],
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
            [inputs.keep(self._root, path) for path, _ in paths]
            for paths in (contents, styles)
        )
        asked = [
            (content, style, self._arguments(values, content, style, SMALL))
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
            (runs.title_of(name, content, [style]), name)
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
        """Submits a job for a large picture of the selected pair; shows it."""
        picked = values[self._pick]
        pair = next((p for p in values[self._pairs] if p[2] == picked), None)
        if pair is None:
            raise ConfigError("Paint the table first, and pick a picture.")
        size = [f"--image_size={values[self._size]}"]
        job = self._jobs.submit(self._arguments(values, *pair[:2], size))
        return {
            self._fault: "",
            self._painting.shown: self._painting.show_run(job.name),
            self._tabs: gr.Tabs(selected="paint"),
        }

    def _arguments(
        self, values, content: str, style: str, flags: list[str]
    ) -> list[str]:
        options = self._painting.form.options
        found = dials.make_arguments(
            values[options.base],
            options.positions(values),
            content=content,
            styles=[style],
        )
        return [*found, *flags]

    def _show(self, pairs: list, seen: str):
        """Returns the table as HTML, or no update if it is unchanged."""
        styles = dict.fromkeys(style for _, style, _ in pairs)
        heads = [_head(style, "col") for style in styles]
        rows = [["<td></td>", *heads]]
        for number, (content, _, name) in enumerate(pairs):
            if number % len(styles) == 0:
                rows.append([_head(content, "row")])
            rows[-1].append(f"<td>{self._cell(name)}</td>")
        body = "".join(f"<tr>{''.join(row)}</tr>" for row in rows)
        table = f"<table>{body}</table>" if pairs else ""
        return (gr.skip(), gr.skip()) if table == seen else (table, table)

    def _cell(self, name: str) -> str:
        run, job = runs.find_run(self._root, name), self._jobs.find(name)
        if run and (path := run.preview or run.picture):
            return image_of(path, name)
        return html.escape(job.error or job.state) if job else ""


def _head(path: str, scope: str) -> str:
    name = html.escape(inputs.stem_of(path))
    return f'<th scope="{scope}">{name}</th>'
