"""The part of the form with the dials and all other options."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import gradio as gr

from tfstyle.config.fields import kind_of
from tfstyle.config.validation import INITS
from tfstyle.errors import ConfigError
from tfstyle.studio import dials
from tfstyle.studio.dials import Dials
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
        dials: components of the dials, by field of `Dials`.
        components: all components that have a value.
        preset_applied: event fired once the dials show a chosen preset.
    """

    def __init__(self, content: gr.Image):
        self._content = content
        self.base = gr.State(dials.PRESETS["Photograph"])
        self._make_dials()
        self._make_options()
        self.components = {
            *(self.base, self.preset),
            *self.dials.values(),
            *self._options.values(),
        }
        self._connect()

    def positions(self, values: Values) -> Dials:
        """Returns the positions of the dials."""
        found = {name: values[dial] for name, dial in self.dials.items()}
        others = {
            name: dials.text_of(values[option])
            for name, option in self._options.items()
        }
        return Dials(**found, others=others)

    def show_positions(self, positions: Dials) -> dict:
        """Returns updates that move the dials."""
        found = {
            dial: getattr(positions, name) for name, dial in self.dials.items()
        }
        for name, option in self._options.items():
            text = positions.others[name]
            is_switch = isinstance(option, gr.Checkbox)
            found[option] = text == "true" if is_switch else text
        return found

    def _make_dials(self) -> None:
        plain = Dials.of(dials.PRESETS["Photograph"])
        self.preset = gr.Radio(
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
                info="Quick takes a third of the time, Fine three times",
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
            for field in dials.OTHERS:
                if field.metadata["group"] != group:
                    group = field.metadata["group"]
                    gr.Markdown(f"### {group}")
                self._options[field.name] = _make_option(field)

    def _connect(self) -> None:
        self.preset_applied = self.preset.input(
            self._apply_preset,
            self.preset,
            [
                *(self.base, self._content),
                *self.dials.values(),
                *self._options.values(),
            ],
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
        found = self.show_positions(Dials.of(base))
        for name in ("size", "quality", "seed"):
            del found[self.dials[name]]
        return {
            self.base: base,
            self._content: gr.Image(visible=preset != dials.TEXTURE),
            **found,
        }


def _make_option(field: dataclasses.Field):
    """Makes the component of an option from its field."""
    text = dials.text_of(field.default)
    about = {
        "label": field.name,
        "info": field.metadata["help"],
        "elem_id": f"option-{field.name}",
    }
    if kind_of(field) is bool:
        return gr.Checkbox(field.default, **about)
    choices = INITS if field.name == "init" else field.metadata["choices"]
    if choices:
        return gr.Dropdown([str(c) for c in choices], value=text, **about)
    return gr.Textbox(text, **about)
