"""The tab where pictures are chosen and painted."""

import dataclasses
import os
import pathlib

import gradio as gr
import numpy as np

from tfstyle.config.config import to_text
from tfstyle.config.fields import kind_of
from tfstyle.config.validation import ConfigError
from tfstyle.errors import TfstyleError
from tfstyle.images.files import read_image
from tfstyle.images.resize import fit_size
from tfstyle.images.resize import resize
from tfstyle.studio import dials
from tfstyle.studio import inputs
from tfstyle.studio import runs
from tfstyle.studio.dials import Dials
from tfstyle.studio.jobs import Job
from tfstyle.studio.jobs import Jobs
from tfstyle.studio.shown import BEFORE
from tfstyle.studio.shown import EMPTY
from tfstyle.studio.shown import FLAGFILES
from tfstyle.studio.shown import FORMS
from tfstyle.studio.shown import MAX_PIXELS
from tfstyle.studio.shown import charts_of
from tfstyle.studio.shown import command_of
from tfstyle.studio.shown import convert_picture
from tfstyle.studio.shown import describe_run
from tfstyle.studio.shown import escape_error
from tfstyle.studio.shown import image_of

NUM_STYLES = 4
REGION_COLORS = [(255, 120, 0), (0, 170, 60), (0, 90, 255)]
"""In which the second, third and fourth style's regions are painted."""
REGIONS_SIZE = 768
"""Long edge of the content that regions are painted on, pixels."""
STOPPING = 60.0
"""Seconds within which a run ends at its next step."""
SAMPLES = pathlib.Path(__file__).parents[1] / "samples"


class Painting:
    """The tab where pictures are chosen and painted."""

    def __init__(self, jobs: Jobs, root: str, page: gr.Blocks):
        self._jobs = jobs
        self._root = root
        self.start = gr.State(None)  # the picture to start from
        self.seen = gr.State(None)  # what the page shows already
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
            *(self.download, self.flags, self.command, self.seen),
        ]
        asked = [self.shown, self.form, self.seen]
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
            return shown, start, escape_error(error)
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
            return shown, None, escape_error(error)
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
            {n: "" if v is None else to_text(v) for n, v in others.items()},
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

    def _show(self, shown, form, seen):
        """Returns how the run that is shown stands, if that has changed."""
        run, job = runs.find_run(self._root, shown or ""), self._find_job(shown)
        if run is None:
            said = BEFORE if job is not None and job.has_ended else gr.skip()
            return [said, *[gr.skip()] * 8]
        is_busy = not job.has_ended if job else run.is_at_work
        now = [shown, form, is_busy, run.changed]
        now += [job.state, job.is_stopping] if job else []
        if now == seen:
            return [gr.skip()] * 9
        picture = None if is_busy else run.picture
        download, flags = picture and convert_picture(picture, form), None
        if picture:
            flags = next(
                filter(
                    os.path.exists,
                    (os.path.join(run.workdir, n) for n in FLAGFILES),
                ),
                None,
            )
        return [
            describe_run(run, job, is_busy),
            # The picture before stays until there is one.
            image_of(run, "the picture as it is") or gr.skip(),
            charts_of(run),
            gr.Button("Go on with these dials" if is_busy and job else "Paint"),
            gr.Button(interactive=bool(is_busy and job)),
            gr.DownloadButton(value=download, interactive=bool(download)),
            gr.DownloadButton(value=flags, interactive=bool(flags)),
            command_of(run.workdir) if flags else "",
            now,
        ]


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
