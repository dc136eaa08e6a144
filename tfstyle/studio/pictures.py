"""The part of the form with the pictures: content, styles, regions, start."""

import html
import os

import gradio as gr
import numpy as np

from tfstyle.config import lines
from tfstyle.errors import ConfigError
from tfstyle.errors import TfstyleError
from tfstyle.image_files.reading import read_image
from tfstyle.images.resize import fit_size
from tfstyle.images.resize import resize
from tfstyle.studio import inputs
from tfstyle.studio.clips import Clips
from tfstyle.studio.widgets import DIRECT
from tfstyle.studio.widgets import NoStub
from tfstyle.studio.widgets import escape_error

NUM_STYLES = 4
REGION_COLORS = [(255, 120, 0), (0, 170, 60), (0, 90, 255)]
"""RGB colours of the regions of the second, third and fourth style."""
KEPT_COLOR = (120, 120, 120)
"""RGB colour of the region that no style paints."""
OPACITY = 0.55
"""Opacity of painted regions, under which the picture stays visible."""
SAMPLES = ("scene.jpg", "strokes.jpg")
REGIONS_SIZE = 768
"""Long edge of the content image in the regions editor, pixels."""
SOFT = 2
"""Initial width of the soft edge of regions, percent of the long edge."""


class Upload(gr.Image, metaclass=NoStub):
    """An image whose value is the path of the uploaded file.

    `gr.Image` would open it with Pillow; only our own reader should.
    """

    is_template = True  # browsers show it as a gr.Image

    def preprocess(self, payload):
        """Returns the path of the uploaded file, or None."""
        return payload and payload.path


class Regions(gr.ImageEditor, metaclass=NoStub):
    """An image editor whose value is the paths of the painted layers."""

    is_template = True

    def preprocess(self, payload):
        """Returns the paths of the layers, lowest first."""
        return [layer.path for layer in payload.layers] if payload else []


class Pictures:
    """The part of the form with the pictures.

    Args:
        root: the folder of runs.

    Attributes:
        content: component of the content image.
        clips: the part of the form with the film.
        styles: components of the style images.
        weights: components of the blend weights, one per style.
        regions: component of the regions; its value is a list of layer paths.
        softness: component of the width of their soft edge.
        start: component of the initial image.
        start_part: part of the page that contains `start`.
    """

    def __init__(self, root: str):
        self._root = root
        self._notes: dict[str, str] = {}  # by the name of the picture shown
        self._make()

    @property
    def components(self) -> set:
        """All components that have a value."""
        return {
            *(self.content, self.start, self.regions, self.softness),
            *(self.clips.clip, self.clips.frames),
            *self.styles,
            *self.weights,
        }

    def region_flags(self, layers, number: int, softness: int) -> list[str]:
        """Stores masks of the painted regions; returns the flags for them.

        Args:
            layers: paths of the painted layers, or None.
            number: number of styles.
            softness: width of the soft edge, percent of the long edge.

        Returns:
            An empty list if nothing was painted.

        Raises:
            ConfigError: if the number of regions differs from `number`.
            ImageError: if a layer cannot be read.
        """
        colors = [*REGION_COLORS, KEPT_COLOR]
        regions = inputs.find_regions(layers or (), colors)
        if regions is None:
            return []
        is_kept = regions == len(colors)
        styled = np.where(is_kept, -1, regions)
        painted = sorted(set(np.unique(styled)) - {-1})
        if painted != [*range(number)]:
            names = ", ".join(f"Style {place + 1}" for place in painted)
            raise ConfigError(
                f"Regions: every style needs a region. Received: {number}"
                f" styles, and regions of {names or 'none'}. Paint the missing"
                " ones, or erase all regions to blend the styles."
            )
        masks = [
            inputs.keep_mask(self._root, styled == place, softness)
            for place in range(number)
        ]
        flags = [f"--content_masks={lines.write_list(masks)}"]
        return [*flags, "--keep_unmasked=true"] if is_kept.any() else flags

    def show_regions(self, content: str, masks: list[str]) -> dict:
        """Returns the value of the regions editor.

        Args:
            content: path of the content image.
            masks: paths of the content masks, one per style, or empty.
        """
        pixels = read_image(content, inputs.MAX_PIXELS).pixels
        height, width = fit_size(*pixels.shape[:2], REGIONS_SIZE)
        painted = np.zeros((height, width, 4), np.uint8)
        opacity = round(255 * OPACITY)
        if masks:
            painted[:] = (*KEPT_COLOR, opacity)
        for number, mask in enumerate(masks):
            light = resize(read_image(mask).pixels, height, width)[..., 0]
            color = (*REGION_COLORS[number - 1], opacity) if number else 0
            painted[light > 127] = color
        return {
            "background": resize(pixels, height, width),
            "layers": [painted] if masks else [],
            "composite": None,
        }

    def _make(self) -> None:
        with gr.Row(elem_id="pair"):
            with gr.Column(min_width=130):
                self.content = self._make_picture("Content", 190, "content")
            with gr.Column(min_width=130):
                style = self._make_picture("Style", 190, "style-1")
        self.samples = gr.Button(
            "Try the sample pictures", size="sm", elem_id="samples"
        )
        self.styles = [style]

    def make_more(self) -> None:
        """Makes the components that are shown below the dials."""
        with gr.Accordion("Blend more styles", open=False):
            with gr.Row():
                self.styles += [
                    self._make_picture(
                        f"Style {number}", 140, f"style-{number}"
                    )
                    for number in range(2, NUM_STYLES + 1)
                ]
            self.weights = [
                gr.Slider(0, 1, 1, step=0.05, label=f"Share of style {number}")
                for number in range(1, NUM_STYLES + 1)
            ]
        with gr.Accordion("Regions: a style for each part", open=False) as part:
            gr.Markdown(
                "Paint on the content: orange areas use style 2, green ones"
                " style 3, blue ones style 4; grey ones stay as they are."
                " Everything else uses the first style."
            )
            self.regions = Regions(
                label="Regions",
                sources=(),
                transforms=(),
                layers=False,
                brush=gr.Brush(
                    default_size=40,
                    colors=[_to_css(color) for color in _BRUSHES],
                    default_color=_to_css(_BRUSHES[0]),
                    color_mode="fixed",
                ),
                elem_id="regions",
            )
            self.softness = gr.Slider(
                *(0, 20, SOFT),
                step=1,
                label="Soft edge of the regions, % of the long edge",
            )
            load = gr.Button("Clear the regions", size="sm")
        begun = [self.content, self.regions]
        part.expand(self._begin_regions, begun, self.regions, **DIRECT)
        load.click(self._load_content, self.content, self.regions, **DIRECT)
        # Regions are of one content.
        self.content.input(self._load_content, begun[:1], begun[1:], **DIRECT)
        self.start_part = gr.Accordion("Start from a picture", open=False)
        with self.start_part:
            self.start = self._make_picture(
                "Start, instead of the content", 140, "start"
            )
        self.clips = Clips(self._root, self.content)
        self.samples.click(
            lambda: [str(inputs.SAMPLES / n) for n in SAMPLES] + 6 * [None],
            outputs=[
                *(self.content, *self.styles, self.start, self.regions),
                self.clips.clip,
            ],
            **DIRECT,
        )

    def _make_picture(self, label: str, height: int, elem_id: str) -> Upload:
        """Makes an image component, with its error below it."""
        image = Upload(
            sources=["upload", "clipboard"],
            label=label,
            height=height,
            elem_id=elem_id,
        )
        fault = gr.HTML("", elem_classes="fault")
        image.change(self._check_picture, image, [image, fault], **DIRECT)
        return image

    def _check_picture(self, path: str | None):
        """Returns a picture in a format for browsers, and a note if any.

        The note is an error, or warnings; they stay when the browser checks the
        picture that is shown instead.
        """
        if not path:
            return gr.skip(), ""
        try:
            shown, warnings = inputs.to_shown(self._root, path)
        except (TfstyleError, OSError) as error:
            return gr.skip(), escape_error(error)
        name = os.path.basename(shown)
        if warnings:
            notes = (f"{os.path.basename(path)} {text}" for text in warnings)
            text = html.escape(" ".join(notes))
            self._notes[name] = f'<p role="alert" class="note">{text}</p>'
        return gr.skip() if shown == path else shown, self._notes.get(name, "")

    def _begin_regions(self, content: str | None, layers):
        """Loads the content into the editor, unless regions are painted."""
        return gr.skip() if layers else self._load_content(content)

    def _load_content(self, content: str | None):
        """Loads the content image into the regions editor, without regions."""
        if not content:
            return None
        try:
            return self.show_regions(content, [])
        except TfstyleError:
            return None  # the error is shown below the content image


_BRUSHES = [*REGION_COLORS, KEPT_COLOR]


def _to_css(color: tuple[int, int, int]) -> str:
    return f"rgba{(*color, OPACITY)}"
