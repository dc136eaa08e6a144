"""The page: what it shows, and what its parts call."""

import dataclasses
import html
import os
import pathlib
import shlex
import tempfile

import gradio as gr
import numpy as np

from tfstyle.config.fields import kind_of
from tfstyle.config.validation import ConfigError
from tfstyle.errors import TfstyleError
from tfstyle.errors import one_line
from tfstyle.experiment.report import make_charts
from tfstyle.images import records
from tfstyle.images.files import read_image
from tfstyle.images.resize import fit_size
from tfstyle.images.resize import resize
from tfstyle.images.saving import write_image
from tfstyle.studio import dials
from tfstyle.studio import inputs
from tfstyle.studio import runs
from tfstyle.studio.dials import Dials
from tfstyle.studio.jobs import ASKED
from tfstyle.studio.jobs import Job
from tfstyle.studio.jobs import Jobs

NUM_STYLES = 4
MAX_PIXELS = 100_000_000
"""Of a picture that is brought to the page."""
MOST_PAIRS = 36
SMALL = 192
"""Long edge of the pictures of a table, pixels."""
REGION_COLORS = [(255, 120, 0), (0, 170, 60), (0, 90, 255)]
"""In which the second, third and fourth style's regions are painted."""
REGIONS_SIZE = 768
"""Long edge of the content that regions are painted on, pixels."""
STOPPING = 60.0
"""Seconds within which a run ends at its next step."""
SAMPLES = pathlib.Path(__file__).parents[1] / "samples"
FONTS = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif"]
FIXED_WIDTH = ["ui-monospace", "Menlo", "Consolas", "monospace"]
CSS = """
.preview img { width: 100%; max-height: 75vh; object-fit: contain;
  background: var(--background-fill-secondary); }
.preview p { min-height: 16em; display: grid; place-items: center;
  color: var(--body-text-color-subdued); text-align: center; }
.said progress { width: 100%; height: 10px; accent-color: var(--primary-600); }
.fault { color: var(--error-text-color); font-weight: 600; }
.fault:empty { display: none; }
.charts iframe { width: 100%; height: 640px; border: 0; }
#strip .grid-container { max-height: 20em; overflow-y: auto;
  grid-template-columns: repeat(auto-fill, minmax(130px, 1fr)); }
.many table { width: 100%; border-collapse: collapse; }
.many :is(th, td) { padding: 4px; vertical-align: top; }
.many img { width: 100%; max-width: 256px; }
.pixels img { image-rendering: pixelated; }
table.differences { width: 100%; border-collapse: collapse; }
table.differences :is(th, td) { text-align: left; padding: 4px 8px;
  border-bottom: 1px solid var(--border-color-primary); }
"""
BEFORE = '<p role="status">Stopped before the first step.</p>'
EMPTY = "<p>Choose a picture and a style, then press Paint.</p>"


def make_page(jobs: Jobs, root: str) -> tuple[gr.Blocks, dict]:
    """Returns the page, and the look that it is launched with.

    Args:
        jobs: what is painted, and what waits.
        root: the folder of runs.
    """
    look = {
        "theme": gr.themes.Default(font=FONTS, font_mono=FIXED_WIDTH),
        "css": CSS,
    }
    with gr.Blocks(
        title="tfstyle studio",
        analytics_enabled=False,
        delete_cache=(3600, 24 * 3600),
    ) as page:
        gr.Markdown("# tfstyle studio")
        with gr.Tab("Paint"):
            _Painting(jobs, root, page)
        with gr.Tab("Compare") as tab:
            _Comparison(root, tab)
        with gr.Tab("Many"):
            _Table(jobs, root)
    return page, look


class _Painting:
    """The tab where pictures are chosen and painted."""

    def __init__(self, jobs: Jobs, root: str, page: gr.Blocks):
        self._jobs = jobs
        self._root = root
        self.start = gr.State(None)  # the picture to start from
        with gr.Row():
            with gr.Column(scale=2, min_width=320):
                self._choose()
            with gr.Column(scale=3, min_width=320):
                self._paint()
                self._keep()
        self._connect(page)

    def _choose(self) -> None:
        plain = Dials()
        self.content = _make_picture(
            label="Content: the picture to paint",
            height=240,
            elem_id="content",
        )
        self.styles, self.weights = [], []
        for number in range(1, NUM_STYLES + 1):
            if number == 2:
                more = gr.Accordion("More styles and their blend", open=False)
                more.__enter__()
            self.styles.append(
                _make_picture(
                    label="Style: how to paint it"
                    if number == 1
                    else f"Style {number}",
                    height=200 if number == 1 else 140,
                    elem_id=f"style-{number}",
                )
            )
        for number in range(1, NUM_STYLES + 1):
            self.weights.append(
                gr.Slider(0, 1, 1, step=0.05, label=f"Share of style {number}")
            )
        more.__exit__()
        with gr.Accordion("Regions: paint where a style goes", open=False):
            gr.Markdown(
                "Where nothing is painted, the first style goes: paint in"
                " orange where the second one goes, in green the third, in blue"
                " the fourth."
            )
            self.show_regions = gr.Button("Take the content", size="sm")
            self.regions = gr.ImageEditor(
                label="Regions",
                type="filepath",
                sources=(),
                transforms=(),
                layers=False,
                brush=gr.Brush(
                    default_size=40,
                    colors=[f"rgb{color}" for color in REGION_COLORS],
                    default_color=f"rgb{REGION_COLORS[0]}",
                    color_mode="fixed",
                ),
                elem_id="regions",
            )
            self.regions.preprocess = lambda payload: [
                layer.path for layer in (payload.layers if payload else ())
            ]
        self.samples = gr.Button("Take the sample pictures", size="sm")
        self.preset = gr.Radio(
            list(dials.PRESETS), value=plain.preset, label="What it is to be"
        )
        self.dial_content = gr.Slider(
            *(0, 100, plain.content),
            step=1,
            label="How much of the content, %",
            info="to the left the painting rules, to the right the photograph",
        )
        self.dial_strokes = gr.Slider(
            *(0.25, 2, plain.strokes), step=0.05, label="Size of the strokes"
        )
        self.dial_size = gr.Dropdown(
            list(dials.SIZES), value=plain.size, label="Long edge, pixels"
        )
        self.dial_quality = gr.Radio(
            list(dials.QUALITIES), value=plain.quality, label="Quality"
        )
        self.dial_colors = gr.Dropdown(
            list(dials.COLORS), value=plain.colors, label="Colours"
        )
        self.dial_seed = gr.Number(
            plain.seed, precision=0, minimum=0, label="Seed"
        )
        self.others = {}
        with gr.Accordion("More options", open=False):
            group = None
            for field in dials.other_fields():
                if field.metadata["group"] != group:
                    group = field.metadata["group"]
                    gr.Markdown(f"### {group}")
                self.others[field.name] = _component_of(field)

    def _paint(self) -> None:
        with gr.Row():
            self.paint = gr.Button("Paint", variant="primary", elem_id="paint")
            self.stop = gr.Button("Stop", interactive=False, elem_id="stop")
        self.fault = gr.HTML("", elem_classes="fault", elem_id="fault")
        self.said = gr.HTML("", elem_classes="said", elem_id="said")
        self.preview = gr.HTML(EMPTY, elem_classes="preview", elem_id="preview")
        self.shown = gr.Dropdown(
            [],
            label="Run that is shown",
            info="of all in the folder, those of the command line, too",
            allow_custom_value=True,
            elem_id="run",
        )
        with gr.Accordion("Losses", open=False):
            self.charts = gr.HTML("", elem_classes="charts")

    def _keep(self) -> None:
        with gr.Row():
            self.form = gr.Dropdown(
                list(FORMS), value=next(iter(FORMS)), label="Format"
            )
            self.download = gr.DownloadButton(
                "Download the picture", interactive=False, elem_id="download"
            )
            self.flags = gr.DownloadButton(
                "Download the flagfile", interactive=False, elem_id="flags"
            )
        with gr.Row():
            self.as_content = gr.Button("Use as content", size="sm")
            self.as_style = gr.Button("Use as style", size="sm")
            self.from_here = gr.Button("Start from here", size="sm")
        self.command = gr.Textbox(
            label="Paint it large, on the command line",
            interactive=False,
            lines=2,
        )

    def _connect(self, page: gr.Blocks) -> None:
        given = [
            *(self.content, self.regions, *self.styles, *self.weights),
            *self._dials(),
            *self.others.values(),
        ]
        watched = [
            *(self.said, self.preview, self.charts, self.paint, self.stop),
            *(self.download, self.flags, self.command),
        ]
        asked = [self.shown, self.form]
        began = [self.shown, self.start, self.fault]
        self.samples.click(
            lambda: [str(SAMPLES / f"{n}.jpg") for n in ("scene", "strokes")],
            outputs=[self.content, self.styles[0]],
            show_progress="hidden",
        )
        self.show_regions.click(
            self._begin_regions,
            *(self.content, self.regions),
            show_progress="hidden",
        )
        self.paint.click(
            self._start_painting,
            [self.shown, self.start, *given],
            began,
            show_progress="hidden",
        )
        for dial in self._dials():
            moved = getattr(dial, "release", dial.input)
            moved(
                self._go_on,
                [self.shown, *given],
                began,
                show_progress="hidden",
                trigger_mode="always_last",
            )
        self.stop.click(self._stop, self.shown, show_progress="hidden")
        self.form.input(self._show, asked, watched, show_progress="hidden")
        for button, target in (
            (self.as_content, self.content),
            (self.as_style, self.styles[0]),
            (self.from_here, self.start),
        ):
            button.click(
                self._picture_of, self.shown, target, show_progress="hidden"
            )
        self.from_here.click(
            lambda: "The next picture starts from this one.",
            outputs=self.fault,
            show_progress="hidden",
        )
        page.load(self._find_shown, outputs=self.shown)
        self.shown.focus(
            self._list, self.shown, self.shown, show_progress="hidden"
        )
        timer = gr.Timer(1.0)
        timer.tick(
            self._show,
            asked,
            watched,
            show_progress="hidden",
            concurrency_limit=None,
            queue=False,
        )

    def _dials(self) -> list:
        return [
            *(self.preset, self.dial_content, self.dial_strokes),
            *(self.dial_size, self.dial_quality, self.dial_colors),
            self.dial_seed,
        ]

    def _start_painting(self, shown, start, *given):
        """Adds a job; if one is painted here, it goes on from its picture."""
        job = self._find_job(shown)
        if job is not None and not job.has_ended:
            return self._go_on(shown, *given)
        try:
            job = self._jobs.submit(self._make_arguments(given, start))
        except (TfstyleError, OSError) as error:
            return shown, start, _escape(error)
        return self._list(os.path.basename(job.workdir)), None, ""

    def _go_on(self, shown, *given):
        """Stops what is painted here, and goes on from it by other dials."""
        job = self._find_job(shown)
        if job is None or job.has_ended:
            return gr.skip(), gr.skip(), gr.skip()
        try:
            arguments = self._make_arguments(given, None)  # before it is ended
            self._jobs.stop(job)
            self._jobs.wait(job, STOPPING)
            run = runs.Run(job.workdir)
            if run.picture:
                arguments = self._make_arguments(given, run.picture)
                is_free = not any("--num_levels" in x for x in arguments)
                if is_free and runs.is_at_finest_level(run):
                    arguments.append("--num_levels=1")
            new = self._jobs.submit(arguments)
        except (TfstyleError, OSError) as error:
            return shown, None, _escape(error)
        return self._list(os.path.basename(new.workdir)), None, ""

    def _make_arguments(self, given, start: str | None) -> list[str]:
        content, layers, *rest = given
        styles, rest = rest[:NUM_STYLES], rest[NUM_STYLES:]
        weights, rest = rest[:NUM_STYLES], rest[NUM_STYLES:]
        names = [field.name for field in dataclasses.fields(Dials)]
        values = dict(zip(names, rest, strict=False))
        others = dict(zip(self.others, rest[len(names) :], strict=True))
        chosen = [
            (style, weight)
            for style, weight in zip(styles, weights, strict=True)
            if style and weight
        ]
        return dials.make_arguments(
            Dials(**values),
            {name: _to_text(value) for name, value in others.items()},
            content and inputs.keep(self._root, content, MAX_PIXELS),
            [inputs.keep(self._root, s, MAX_PIXELS) for s, _ in chosen],
            [weight for _, weight in chosen],
            start,
            self._make_masks(layers, len(chosen)),
        )

    def _make_masks(self, layers, number: int) -> list[tuple[str, str]]:
        """Returns a mask of the content and of the style for every style.

        Raises:
            ConfigError: if there are not as many regions as styles.
        """
        regions = inputs.find_regions(layers, REGION_COLORS)
        if regions is None:
            return []
        painted = int(regions.max()) + 1
        if painted != number or not all(
            (regions == place).any() for place in range(number)
        ):
            raise ConfigError(
                f"Every style needs a region. Received: {number} styles and"
                f" regions of {painted}. Paint what is missing, or wipe all"
                " regions for a blend."
            )
        whole = inputs.keep_mask(self._root, np.ones((16, 16), bool))
        return [
            (inputs.keep_mask(self._root, regions == place), whole)
            for place in range(number)
        ]

    def _begin_regions(self, content):
        """Returns the content, to be painted on."""
        if not content:
            return gr.skip()
        try:
            pixels = read_image(content, MAX_PIXELS).pixels
        except TfstyleError:
            return gr.skip()  # to be told when it is painted
        size = fit_size(*pixels.shape[:2], REGIONS_SIZE)
        return {
            "background": resize(pixels, *size),
            "layers": [],
            "composite": None,
        }

    def _stop(self, shown) -> None:
        job = self._find_job(shown)
        if job is not None:
            self._jobs.stop(job)

    def _find_job(self, shown: str | None) -> Job | None:
        return self._jobs.find(os.path.join(self._root, shown or ""))

    def _list(self, shown: str | None):
        """Returns the choice of runs, at one of them."""
        names = [run.name for run in runs.list_runs(self._root)]
        if shown and shown not in names:
            names.insert(0, shown)
        return gr.Dropdown(names, value=shown)

    def _find_shown(self):
        """Returns the run that a page shows at first: that at work."""
        job = self._jobs.current
        if job is not None:
            return self._list(os.path.basename(job.workdir))
        found = runs.list_runs(self._root, 1)
        return self._list(found[0].name if found else None)

    def _picture_of(self, shown) -> str | None:
        run = runs.find_run(self._root, shown or "")
        return run and (run.picture or run.preview)

    def _show(self, shown, form):
        """Returns how the run that is shown stands."""
        run, job = runs.find_run(self._root, shown or ""), self._find_job(shown)
        if run is None:
            said = BEFORE if job is not None and job.has_ended else gr.skip()
            return [said, *[gr.skip()] * 7]
        is_busy = not job.has_ended if job else run.is_at_work
        picture = None if is_busy else run.picture
        download, flags = picture and _convert(picture, form), None
        if picture:
            flags = next(
                filter(
                    os.path.exists,
                    (os.path.join(run.workdir, n) for n in FLAGFILES),
                ),
                None,
            )
        return [
            _describe(run, job, is_busy),
            _image_of(run),
            _charts_of(run),
            gr.Button("Go on with these dials" if is_busy and job else "Paint"),
            gr.Button(interactive=bool(is_busy and job)),
            gr.DownloadButton(value=download, interactive=bool(download)),
            gr.DownloadButton(value=flags, interactive=bool(flags)),
            _command_of(run.workdir) if flags else "",
        ]


class _Comparison:
    """The tab where results are laid side by side."""

    def __init__(self, root: str, tab: gr.Tab):
        self._root = root
        self.strip = gr.Gallery(
            label="All results, the newest first",
            columns=8,
            allow_preview=False,
            object_fit="contain",
            elem_id="strip",
        )
        with gr.Row():
            self.left = gr.Dropdown(label="Left", choices=[], elem_id="left")
            self.right = gr.Dropdown(label="Right", choices=[], elem_id="right")
        self.pixels = gr.Checkbox(False, label="Show single pixels")
        self.both = gr.ImageSlider(
            label="Both; the wheel zooms",
            type="filepath",
            interactive=False,
            height=560,
            elem_id="both",
        )
        self.differences = gr.HTML("", elem_id="differences")
        chosen = [self.left, self.right]
        tab.select(
            self._list, chosen, [self.strip, *chosen], show_progress="hidden"
        ).then(self._compare, chosen, [self.both, self.differences])
        self.pixels.input(
            lambda on: gr.ImageSlider(elem_classes="pixels" if on else ""),
            *(self.pixels, self.both),
            show_progress="hidden",
        )
        self.strip.select(self._choose, self.right, chosen)
        for choice in chosen:
            choice.change(self._compare, chosen, [self.both, self.differences])

    def _list(self, left, right):
        found = [run for run in runs.list_runs(self._root) if run.picture]
        names = [run.name for run in found]
        right = right if right in names else next(iter(names), None)
        left = left if left in names else next(iter(names[1:]), right)
        return (
            [(run.picture, run.name) for run in found],
            gr.Dropdown(names, value=left),
            gr.Dropdown(names, value=right),
        )

    def _choose(self, right, event: gr.SelectData):
        """Lays the picture that was clicked on to the right."""
        return right, event.value["caption"]

    def _compare(self, left, right):
        pair = [runs.find_run(self._root, name or "") for name in (left, right)]
        if not all(run and run.picture for run in pair):
            return None, ""
        rows = "".join(
            f'<tr><th scope="row">{html.escape(name)}</th>'
            f"<td>{html.escape(ours)}</td><td>{html.escape(theirs)}</td></tr>"
            for name, ours, theirs in runs.differences(*pair)
        )
        table = (
            '<table class="differences"><thead><tr><th scope="col">Option</th>'
            f'<th scope="col">{html.escape(left)}</th>'
            f'<th scope="col">{html.escape(right)}</th></tr></thead>'
            f"<tbody>{rows}</tbody></table>"
        )
        same = "<p>They were made with the same options.</p>"
        return tuple(run.picture for run in pair), table if rows else same


class _Table:
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
            return [], gr.skip(), _escape(ConfigError(said))
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
            return [], gr.skip(), _escape(error)
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
        return _escape(ConfigError("Paint the table first, and choose one."))

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
        path = run and (run.preview or run.picture)
        if path is None:
            job = self._jobs.find(os.path.join(self._root, name))
            return html.escape(job.error or job.state) if job else ""
        changed = os.stat(path).st_mtime_ns
        return (
            f'<img alt="{html.escape(name)}"'
            f' src="/preview/{html.escape(name)}?{changed}">'
        )


def _stem(path: str) -> str:
    """Returns the name that a kept picture was brought with."""
    stem = os.path.splitext(os.path.basename(path))[0]
    return html.escape(stem.rpartition("-")[0])


def _name_pair(content: str, style: str, name: str) -> str:
    return f"{_stem(content)} in {_stem(style)} ({name})"


FLAGFILES = (ASKED, "flags.cfg")
FORMS = {
    "PNG, 16 bits": None,
    "PNG, 8 bits": ".png",
    "JPEG": ".jpg",
}
"""What a picture may be kept as, and the ending that it is converted to."""


def _convert(picture: str, form: str) -> str | None:
    """Returns the path of a picture in a format, with its text."""
    ending = FORMS[form]
    if ending is None:
        return picture
    made = os.stat(picture).st_mtime_ns
    name = os.path.basename(os.path.dirname(picture))
    folder = os.path.join(tempfile.gettempdir(), "tfstyle-studio", str(made))
    path = os.path.join(folder, f"{name}{ending}")
    if not os.path.exists(path):
        file = read_image(picture)
        text = records.read_text(picture) or ""
        write_image(path, file.pixels, file.alpha, text)
    return path


def _make_picture(**settings) -> gr.Image:
    """Returns an image that is taken as it was brought.

    Its file is opened by our own reader alone.
    """
    image = gr.Image(
        type="filepath", sources=["upload", "clipboard"], **settings
    )
    image.preprocess = lambda payload: payload and payload.path
    return image


def _component_of(field: dataclasses.Field):
    """Returns a component for an option, made of its declaration."""
    about = {"label": field.name, "info": field.metadata["help"]}
    if kind_of(field) is bool:
        return gr.Checkbox(field.default, **about)
    if field.metadata["choices"]:
        choices = [str(choice) for choice in field.metadata["choices"]]
        return gr.Dropdown(choices, value=dials.text_of(field), **about)
    return gr.Textbox(dials.text_of(field), **about)


def _to_text(value) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value or "")


def _escape(error: Exception) -> str:
    return f'<p role="alert">{html.escape(one_line(str(error), 1000))}</p>'


def _describe(run: runs.Run, job: Job | None, is_busy: bool) -> str:
    """Says how a run stands, with a bar."""
    share, left = runs.progress_of(run)
    metrics = run.metrics()
    if job is not None and job.state == "failed":
        return f'<p role="alert">{html.escape(job.error)}</p>'
    if job is not None and job.state == "waiting":
        return '<p role="status">Waits for its turn.</p>'
    if not metrics and is_busy:
        return '<p role="status">Begins.</p>'
    if not metrics:
        return "" if job is None else BEFORE
    last = metrics[-1]
    facts = [
        f"{last['width']} x {last['height']} pixels",
        f"step {last['step']}",
        f"loss {last['total']:.4g}",
        f"{last['seconds']:.0f} s",
    ]
    if not is_busy:
        end = "Stopped" if job is not None and job.is_stopping else "Done"
        return f'<p role="status">{end}: {", ".join(facts)}</p>'
    if job is not None and job.is_stopping:
        facts.append("stops after this step")
    elif left is not None:
        facts.append(f"about {left:.0f} s left")
    return (
        f'<progress aria-label="made so far" max="1" value="{share:.3f}">'
        f'</progress><p role="status">{", ".join(facts)}</p>'
    )


def _image_of(run: runs.Run):
    """Returns the picture as it is, as a part of the page."""
    path = run.preview or run.picture
    if path is None:
        return gr.skip()  # the picture before stays until there is one
    changed = os.stat(path).st_mtime_ns
    return (
        f'<img alt="the picture as it is"'
        f' src="/preview/{html.escape(run.name)}?{changed}">'
    )


def _charts_of(run: runs.Run) -> str:
    metrics = run.metrics()
    if len(metrics) < 2:
        return ""
    page = html.escape(make_charts(metrics))
    return f'<iframe title="the curves of the losses" srcdoc="{page}"></iframe>'


def _command_of(workdir: str) -> str:
    """Returns the command that paints a run again, larger."""
    place = os.path.relpath(workdir)
    asked = os.path.join(place, ASKED)
    if not os.path.exists(asked):
        return ""
    return (
        f"python -m tfstyle.main --flagfile={shlex.quote(asked)}"
        f" --image_size=4096 --workdir={shlex.quote(f'{place}-4096')}"
    )
