"""The part of the form with the dials and all other options."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import gradio as gr

from tfstyle.config.fields import kind_of
from tfstyle.config.validation import INITS
from tfstyle.errors import ConfigError
from tfstyle.studio import dials
from tfstyle.studio.widgets import DIRECT

Values = Mapping[Any, Any]
"""Values by component, as Gradio passes them."""


class Options:
    """The part of the form with the dials and all other options.

    Args:
        content: component of the content image, hidden for textures.

    Attributes:
        base: component with the base flags, which the dials change.
        preset: component of the preset.
        dials: components of the dials, by option.
        components: all components that have a value.
        preset_applied: event fired once the dials show a chosen preset.
    """

    def __init__(self, content: gr.Image):
        self._content = content
        self.base = gr.State(dials.PRESETS["Photograph"])
        self._make_dials()
        self._make_options()
        self._all = self.dials | self._options
        self.components = {self.base, self.preset, *self._all.values()}
        self._connect()

    def positions(self, values: Values) -> dials.Positions:
        """Returns the positions of all options."""
        return {name: values[option] for name, option in self._all.items()}

    def show_positions(self, positions: dials.Positions) -> dict:
        """Returns updates that move the dials and all other options."""
        return {option: positions[name] for name, option in self._all.items()}

    def _make_dials(self) -> None:
        plain = dials.positions_of(dials.PRESETS["Photograph"])
        self.preset = gr.Radio(
            list(dials.PRESETS), value="Photograph", label="Preset"
        )
        self.dials = {
            "content_weight": gr.Slider(
                *(0, 100, plain["content_weight"]),
                step=1,
                label="Content, %",
                info="0: almost only the style; 100: almost the photograph",
            ),
            "style_scale": gr.Slider(
                *(0.1, 3, plain["style_scale"]),
                step=0.05,
                label="Stroke size",
                info="1: as in the style image",
            ),
            "image_size": gr.Dropdown(
                list(dials.SIZES),
                value=plain["image_size"],
                label="Size: long edge, pixels",
                allow_custom_value=True,
            ),
            "num_steps": gr.Radio(
                list(dials.QUALITIES),
                value=plain["num_steps"],
                label="Quality",
                info="Quick takes a third of the time, Fine three times that",
            ),
            "preserve_colors": gr.Dropdown(
                list(dials.COLORS),
                value=plain["preserve_colors"],
                label="Colours",
            ),
            "seed": gr.Number(
                plain["seed"],
                precision=0,
                minimum=0,
                label="Seed",
                info="another number gives another variant",
            ),
        }

    def _make_options(self) -> None:
        self._options = {}
        with gr.Accordion("More options", open=False):
            group = None
            for field in dials.OTHERS:
                if field.metadata["group"] != group:
                    group = field.metadata["group"]
                    gr.Markdown(f"### {group}")
                self._options[field.name] = _make_option(field)

    def _connect(self) -> None:
        self.preset_applied = self.preset.input(
            self._apply_preset,
            self.preset,
            [self.base, self._content, *self._all.values()],
            **DIRECT,
        )
        for field in dials.OTHERS:
            option = self._options[field.name]
            if isinstance(option, gr.Textbox):
                option.blur(
                    lambda values, field=field: self._check(values, field),
                    self.components,
                    option,
                    **DIRECT,
                )

    def _check(self, values: Values, field: dataclasses.Field):
        """Returns a text field with its error, or else with its help text."""
        try:
            dials.read_options(values[self.base], self.positions(values))
        except ConfigError as error:
            if error.field == field.name:
                return gr.Textbox(info=str(error), elem_classes="wrong")
        return gr.Textbox(info=field.metadata["help"], elem_classes="")

    def _apply_preset(self, preset: str) -> dict:
        """Returns updates that apply a preset; keeps size, quality and seed."""
        base = dials.PRESETS[preset]
        found = self.show_positions(dials.positions_of(base))
        for name in ("image_size", "num_steps", "seed"):
            del found[self.dials[name]]
        return {
            self.base: base,
            self._content: gr.Image(visible=preset != dials.TEXTURE),
            **found,
        }


def _make_option(field: dataclasses.Field):
    """Makes the component of an option from its field."""
    about = {
        "value": dials.position_of(field.default),
        "label": field.name,
        "info": field.metadata["help"],
        "elem_id": f"option-{field.name}",
    }
    if kind_of(field) is bool:
        return gr.Checkbox(**about)
    choices = INITS if field.name == "init" else field.metadata["choices"]
    if choices:
        return gr.Dropdown([str(c) for c in choices], **about)
    return gr.Textbox(**about)
