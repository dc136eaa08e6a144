"""The tab where contents meet styles, small, and one is painted large."""

import html
import os

import gradio as gr

from tfstyle.config.validation import ConfigError
from tfstyle.errors import TfstyleError
from tfstyle.studio import dials
from tfstyle.studio import inputs
from tfstyle.studio import runs
from tfstyle.studio.dials import Dials
from tfstyle.studio.jobs import Jobs
from tfstyle.studio.shown import MAX_PIXELS
from tfstyle.studio.shown import escape_error
from tfstyle.studio.shown import image_of

MOST_PAIRS = 36
SMALL = 192
"""Long edge of the pictures of a table, pixels."""


class ContactTable:
    """The tab where contents meet styles, small, and one is painted large."""

    def __init__(self, jobs: Jobs, root: str):
        self._jobs = jobs
        self._root = root
        with gr.Row():
            self.contents, self.styles = (
                gr.File(
                    label=label,
                    file_count="multiple",
                    file_types=["image"],
                    height=160,
                    elem_id=place,
                )
                for label, place in (
                    ("Contents, the rows", "contents"),
                    ("Styles, the columns", "styles"),
                )
            )
        self.begin = gr.Button("Paint the table", variant="primary")
        self.fault = gr.HTML("", elem_classes="fault")
        self.pairs = gr.State([])
        self.table = gr.HTML("", elem_classes="many", elem_id="many")
        with gr.Row():
            self.pick = gr.Dropdown([], label="The best one", elem_id="pick")
            self.size = gr.Dropdown(
                list(dials.SIZES), value=1024, label="Long edge, pixels"
            )
            self.large = gr.Button("Paint it large")
        self.begin.click(
            self._begin,
            [self.contents, self.styles],
            [self.pairs, self.pick, self.fault],
        )
        self.large.click(
            self._paint_large, [self.pairs, self.pick, self.size], self.fault
        )
        gr.Timer(1.0).tick(
            self._show,
            self.pairs,
            self.table,
            show_progress="hidden",
            concurrency_limit=None,
            queue=False,
        )

    def _begin(self, contents, styles):
        """Adds a small picture for every pair."""
        contents, styles = contents or [], styles or []
        number = len(contents) * len(styles)
        if not 0 < number <= MOST_PAIRS:
            said = (
                f"Give contents and styles for 1 to {MOST_PAIRS} pictures."
                f" Received: {len(contents)} and {len(styles)}."
            )
            return [], gr.skip(), escape_error(ConfigError(said))
        try:
            kept = [
                [inputs.keep(self._root, path, MAX_PIXELS) for path in paths]
                for paths in (contents, styles)
            ]
            small = Dials(size=SMALL, quality="Quick")
            pairs = []
            for content in kept[0]:
                for style in kept[1]:
                    asked = dials.make_arguments(
                        small, {}, content, [style], [1.0]
                    )
                    job = self._jobs.submit(asked)
                    name = os.path.basename(job.workdir)
                    pairs.append((content, style, name))
        except (TfstyleError, OSError) as error:
            return [], gr.skip(), escape_error(error)
        names = [_name_pair(*pair) for pair in pairs]
        return pairs, gr.Dropdown(names, value=names[0]), ""

    def _paint_large(self, pairs, pick, size):
        """Adds a large picture of the pair that was picked."""
        for content, style, name in pairs:
            if _name_pair(content, style, name) == pick:
                asked = dials.make_arguments(
                    Dials(size=size), {}, content, [style], [1.0]
                )
                self._jobs.submit(asked)
                return "It is painted next; the first tab shows it."
        return escape_error(
            ConfigError("Paint the table first, and choose one.")
        )

    def _show(self, pairs):
        """Returns the table as it is."""
        if not pairs:
            return gr.skip()
        styles = list(dict.fromkeys(style for _, style, _ in pairs))
        rows = {}
        for content, _, name in pairs:
            rows.setdefault(content, []).append(name)
        heads = "".join(
            f'<th scope="col">{_stem(style)}</th>' for style in styles
        )
        body = "".join(
            f'<tr><th scope="row">{_stem(content)}</th>'
            + "".join(f"<td>{self._cell(name)}</td>" for name in names)
            + "</tr>"
            for content, names in rows.items()
        )
        return (
            f"<table><thead><tr><td></td>{heads}</tr></thead>"
            f"<tbody>{body}</tbody></table>"
        )

    def _cell(self, name: str) -> str:
        run = runs.find_run(self._root, name)
        if run and (image := image_of(run, name)):
            return image
        job = self._jobs.find(os.path.join(self._root, name))
        return html.escape(job.error or job.state) if job else ""


def _stem(path: str) -> str:
    """Returns the name that a kept picture was brought with."""
    stem = os.path.splitext(os.path.basename(path))[0]
    return html.escape(stem.rpartition("-")[0])


def _name_pair(content: str, style: str, name: str) -> str:
    return f"{_stem(content)} in {_stem(style)} ({name})"
