"""The form: the pictures and dials that a painting is made from."""

import dataclasses
import re
from collections.abc import Mapping
from typing import Any

import gradio as gr
import numpy as np

from tfstyle.config.fields import kind_of
from tfstyle.config.validation import INITS
from tfstyle.config.validation import ConfigError
from tfstyle.errors import TfstyleError
from tfstyle.images.files import read_image
from tfstyle.images.resize import fit_size
from tfstyle.images.resize import resize
from tfstyle.studio import dials
from tfstyle.studio import inputs
from tfstyle.studio.dials import Dials
from tfstyle.studio.parts import DIRECT
from tfstyle.studio.parts import escape_error
from tfstyle.studio.runs import Run

NUM_STYLES = 4
REGION_COLORS = [(255, 120, 0), (0, 170, 60), (0, 90, 255)]
"""RGB, of the regions of the second, third and fourth style."""
SAMPLES = ("scene.jpg", "strokes.jpg")
REGIONS_SIZE = 768
"""Long edge of the content image that regions are painted on, pixels."""

Values = Mapping[Any, Any]
"""Values by component, as Gradio passes them."""

# Gradio would open uploads by Pillow; only our own reader does. It makes new
# components for every visitor, and writes a file beside a subclass' source.
gr.Image.preprocess = lambda self, payload: payload and payload.path
gr.ImageEditor.preprocess = lambda self, payload: [
    layer.path for layer in (payload.layers if payload else ())
]


class Form:
    """The pictures and dials that a painting is made from.

    Args:
        root: the folder of runs.

    Attributes:
        content: the component of the content image.
        styles: those of the style images.
        start: that of the picture to start from.
        start_part: the part of the page that `start` is in.
        dials: the components of the dials, by field of Dials.
        components: all components that have a value.
    """

    def __init__(self, root: str):
        self._root = root
        self._base = gr.State(dials.PRESETS["Photograph"])
        self._make_pictures()
        self._make_dials()
        self._make_options()
        self.components = {
            *(self._base, self._preset, self.content, self.start),
            *(self._regions, *self.styles, *self._weights),
            *self.dials.values(),
            *self._options.values(),
        }
        self._connect()

    def arguments(self, values: Values, start: str | None = None) -> list[str]:
        """Returns the command line of the painting.

        Args:
            values: of all components.
            start: path of the picture to start from, in place of the form's.

        Raises:
            ConfigError: if an option is wrong or a picture is missing.
            ImageError: if a picture cannot be read.
            WriteError: if a picture cannot be kept.
        """
        shares = [values[weight] for weight in self._weights]
        styles = [values[style] for style in self.styles]
        chosen = [
            (self._keep(style), share)
            for style, share in zip(styles, shares, strict=True)
            if style and share
        ]
        is_texture = values[self._preset] == dials.TEXTURE
        content = None if is_texture else values[self.content]
        start = start or values[self.start]
        return dials.make_arguments(
            values[self._base],
            self.positions(values),
            content=content and self._keep(content),
            styles=[style for style, _ in chosen],
            weights=[share for _, share in chosen],
            start=start and self._keep(start),
            masks=self._make_masks(values[self._regions], len(chosen)),
        )

    def positions(self, values: Values) -> Dials:
        """Returns the positions of the dials."""
        found = {name: values[dial] for name, dial in self.dials.items()}
        others = {
            name: dials.text_of(values[option])
            for name, option in self._options.items()
        }
        return Dials(**found, others=others)

    def base(self, values: Values) -> list[str]:
        """Returns the flags that the dials were moved from."""
        return values[self._base]

    def fill(self, run: Run) -> dict:
        """Returns updates that show the pictures and dials of a run.

        Raises:
            ConfigError: if this release cannot read its flags.
        """
        config = run.read_arguments()
        options = dials.without_files(run.arguments)
        preset, base = dials.find_base(options)
        styles = [self._find(path) for path in config.style_images]
        weights = [1.0] * len(styles)
        if config.style_blend_weights:
            most = max(config.style_blend_weights)
            weights = [weight / most for weight in config.style_blend_weights]
        content = self._find(config.content_image)
        start = None if config.init in INITS else self._find(config.init)
        masks = [self._find(path) for path in config.content_masks]
        found = {
            self._base: base,
            self._preset: preset,
            self.content: gr.Image(content, visible=preset != dials.TEXTURE),
            self.start: start,
            self._regions: None,
            **self._show_positions(Dials.of(options)),
        }
        for number, (style, weight) in enumerate(
            zip(self.styles, self._weights, strict=True)
        ):
            is_there = number < len(styles)
            found[style] = styles[number] if is_there else None
            found[weight] = weights[number] if is_there else 1.0
        if content and all(masks) and 1 < len(masks) <= NUM_STYLES:
            found[self._regions] = _show_regions(content, masks)
        return found

    def _make_pictures(self) -> None:
        self.content, self._content_fault = _make_picture(
            "Content: the picture to paint", 220, "content"
        )
        style = _make_picture("Style: how to paint it", 180, "style-1")
        self.styles, self._style_faults = [style[0]], [style[1]]
        self._samples = gr.Button("Try the sample pictures", size="sm")
        self._weights = []
        with gr.Accordion("Blend more styles", open=False):
            for number in range(2, NUM_STYLES + 1):
                style, fault = _make_picture(
                    f"Style {number}", 140, f"style-{number}"
                )
                self.styles.append(style)
                self._style_faults.append(fault)
            for number in range(1, NUM_STYLES + 1):
                self._weights.append(
                    gr.Slider(
                        *(0, 1, 1), step=0.05, label=f"Share of style {number}"
                    )
                )
        with gr.Accordion("Regions: a style for each part", open=False):
            gr.Markdown(
                "Load the content, then paint on it: orange areas take style 2,"
                " green ones style 3, blue ones style 4. The rest takes the"
                " first style."
            )
            self._load_regions = gr.Button("Load the content", size="sm")
            self._regions = gr.ImageEditor(
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
        self.start_part = gr.Accordion("Start from a picture", open=False)
        with self.start_part:
            self.start, self._start_fault = _make_picture(
                "Start: instead of the content image", 140, "start"
            )

    def _make_dials(self) -> None:
        plain = Dials.of(dials.PRESETS["Photograph"])
        self._preset = gr.Radio(
            list(dials.PRESETS), value="Photograph", label="Preset"
        )
        self.dials = {
            "content": gr.Slider(
                *(0, 100, plain.content),
                step=1,
                label="Content, %",
                info="0: almost only the style; 100: almost the photograph",
            ),
            "strokes": gr.Slider(
                *(0.1, 3, plain.strokes),
                step=0.05,
                label="Stroke size",
                info="1: as in the style image",
            ),
            "size": gr.Dropdown(
                list(dials.SIZES),
                value=plain.size,
                label="Size: long edge, pixels",
                allow_custom_value=True,
            ),
            "quality": gr.Radio(
                list(dials.QUALITIES),
                value=plain.quality,
                label="Quality",
                info="Quick takes a third of the time, Fine more than twice",
            ),
            "colors": gr.Dropdown(
                list(dials.COLORS), value=plain.colors, label="Colours"
            ),
            "seed": gr.Number(
                plain.seed,
                precision=0,
                minimum=0,
                label="Seed",
                info="another number, another variant",
            ),
        }

    def _make_options(self) -> None:
        self._options = {}
        with gr.Accordion("More options", open=False):
            group = None
            for field in dials.other_fields():
                if field.metadata["group"] != group:
                    group = field.metadata["group"]
                    gr.Markdown(f"### {group}")
                self._options[field.name] = _make_option(field)

    def _connect(self) -> None:
        self._samples.click(
            lambda: [str(inputs.SAMPLES / n) for n in SAMPLES],
            outputs=[self.content, self.styles[0]],
            **DIRECT,
        )
        pictures = [self.content, *self.styles, self.start]
        faults = [self._content_fault, *self._style_faults, self._start_fault]
        for picture, fault in zip(pictures, faults, strict=True):
            picture.change(
                self._check_picture,
                picture,
                [picture, fault],
                **DIRECT,
            )
        self._load_regions.click(
            self._begin_regions,
            *(self.content, self._regions),
            **DIRECT,
        )
        self.preset_applied = self._preset.input(
            self._apply_preset,
            self._preset,
            [
                *(self._base, self.content),
                *self.dials.values(),
                *self._options.values(),
            ],
            **DIRECT,
        )
        for name, option in self._options.items():
            if isinstance(option, gr.Textbox):
                option.blur(
                    lambda values, name=name: self._check_option(values, name),
                    self.components,
                    option,
                    **DIRECT,
                )

    def _check_picture(self, path: str | None):
        """Returns the picture as it can be shown, and what is wrong with it."""
        if not path:
            return gr.skip(), ""
        try:
            shown = inputs.to_shown(self._root, path)
        except (TfstyleError, OSError) as error:
            return gr.skip(), escape_error(error)
        return gr.skip() if shown == path else shown, ""

    def _check_option(self, values: Values, name: str):
        """Returns a text field, with what is wrong with its option."""
        about = dials.help_of(name)
        try:
            dials.read_options(self.base(values), self.positions(values))
        except ConfigError as error:
            if re.match(f"(Flag )?`{name}`", str(error)):
                return gr.Textbox(info=str(error), elem_classes="wrong")
        return gr.Textbox(info=about, elem_classes="")

    def _apply_preset(self, preset: str) -> dict:
        """Returns updates that move the dials; size, quality and seed stay."""
        base = dials.PRESETS[preset]
        found = self._show_positions(Dials.of(base))
        for name in ("size", "quality", "seed"):
            del found[self.dials[name]]
        return {
            self._base: base,
            self.content: gr.Image(visible=preset != dials.TEXTURE),
            **found,
        }

    def _show_positions(self, positions: Dials) -> dict:
        found = {
            dial: getattr(positions, name) for name, dial in self.dials.items()
        }
        for name, option in self._options.items():
            text = positions.others[name]
            is_switch = isinstance(option, gr.Checkbox)
            found[option] = text == "true" if is_switch else text
        return found

    def _keep(self, path: str) -> str:
        return inputs.keep(self._root, path)

    def _find(self, path: str | None) -> str | None:
        """Returns a picture of a run as a file of the folder, or None."""
        if not path:
            return None
        try:
            return inputs.to_shown(self._root, self._keep(path))
        except (TfstyleError, OSError):
            return None  # it is no longer there

    def _make_masks(self, layers, number: int) -> list[tuple[str, str]]:
        """Returns a mask of the content and of the style for every style.

        Raises:
            ConfigError: if there are not as many regions as styles.
        """
        regions = inputs.find_regions(layers or (), REGION_COLORS)
        if regions is None:
            return []
        painted = int(regions.max()) + 1
        if painted != number or not all(
            (regions == place).any() for place in range(number)
        ):
            raise ConfigError(
                f"Every style needs a region. Received: {number} styles and"
                f" regions of {painted}. Paint the missing ones, or erase all"
                " regions to blend the styles."
            )
        whole = inputs.keep_mask(self._root, np.ones((16, 16), bool))
        return [
            (inputs.keep_mask(self._root, regions == place), whole)
            for place in range(number)
        ]

    def _begin_regions(self, content: str | None):
        """Returns the content image, to be painted on."""
        if not content:
            return gr.skip()
        try:
            return _show_regions(content, [])
        except TfstyleError:
            return gr.skip()  # said below the content image


def _show_regions(content: str, masks: list[str]) -> dict:
    """Returns the value of the regions' editor.

    Args:
        content: path of the content image.
        masks: paths, of the first style and on.
    """
    pixels = read_image(content, inputs.MAX_PIXELS).pixels
    height, width = fit_size(*pixels.shape[:2], REGIONS_SIZE)
    painted = np.zeros((height, width, 4), np.uint8)
    for color, mask in zip(REGION_COLORS, masks[1:], strict=False):
        light = resize(read_image(mask).pixels, height, width)[..., 0]
        painted[light > 127] = (*color, 255)
    return {
        "background": resize(pixels, height, width),
        "layers": [painted] if masks else [],
        "composite": None,
    }


def _make_picture(label: str, height: int, elem_id: str):
    """Returns an image, and what shows its fault."""
    image = gr.Image(
        type="filepath",
        sources=["upload", "clipboard"],
        label=label,
        height=height,
        elem_id=elem_id,
    )
    return image, gr.HTML("", elem_classes="fault")


def _make_option(field: dataclasses.Field):
    """Returns the component of an option, made from its declaration."""
    text = dials.text_of(field.default)
    about = {
        "label": field.name,
        "info": dials.help_of(field.name),
        "elem_id": f"option-{field.name}",
    }
    if kind_of(field) is bool:
        return gr.Checkbox(field.default, **about)
    choices = INITS if field.name == "init" else field.metadata["choices"]
    if choices:
        return gr.Dropdown([str(c) for c in choices], value=text, **about)
    return gr.Textbox(text, **about)
