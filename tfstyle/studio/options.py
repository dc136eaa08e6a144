"""The part of the form with the dials and all other options."""

import dataclasses
import itertools
from collections.abc import Mapping
from typing import Any

import gradio as gr

from tfstyle.config.fields import kind_of
from tfstyle.config.validation import INITS
from tfstyle.errors import ConfigError
from tfstyle.studio import dials
from tfstyle.studio import own_presets
from tfstyle.studio.widgets import DIRECT
from tfstyle.studio.widgets import showing_errors

Values = Mapping[Any, Any]
"""Values by component, as Gradio passes them."""


class Options:
    """The part of the form with the dials and all other options.

    Args:
        root: the folder of runs, which stores the users' presets.
        content: component of the content image, hidden for textures.

    Attributes:
        base: component with the base flags, which the dials change.
        preset: component of the preset.
        dials: components of the dials, by option.
        components: all components that have a value.
        preset_applied: event fired once the dials show a chosen preset.
    """

    def __init__(self, root: str, content: gr.Image):
        self._root = root
        self._content = content
        self.base = gr.State(dials.PRESETS["Photograph"])
        self._make_dials()

    def make_more(self) -> None:
        """Makes the components that are shown below the other parts."""
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

    def show_presets(self) -> gr.Radio:
        """Returns an update with all presets, the users' own too."""
        return gr.Radio([*own_presets.read(self._root)])

    def _make_dials(self) -> None:
        plain = dials.positions_of(dials.PRESETS["Photograph"])
        self.preset = gr.Radio(
            list(dials.PRESETS),
            value="Photograph",
            label="Preset",
            elem_id="preset",
        )
        with gr.Row(elem_id="dials"):
            weight = gr.Slider(
                *(0, 100, plain["content_weight"]),
                step=1,
                label="Content, %",
                elem_id="dial-content_weight",
                info="0: style, 100: photograph",
                min_width=200,
            )
            scale = gr.Slider(
                *(0.1, 3, plain["style_scale"]),
                step=0.05,
                label="Stroke size",
                elem_id="dial-style_scale",
                info="1: as in the style",
                min_width=200,
            )
            quality = gr.Radio(
                list(dials.QUALITIES),
                value=plain["num_steps"],
                label="Quality",
                elem_id="dial-num_steps",
                min_width=200,
            )
            size = gr.Dropdown(
                list(dials.SIZES),
                value=plain["image_size"],
                label="Size, pixels",
                elem_id="dial-image_size",
                allow_custom_value=True,
                min_width=120,
            )
            colors = gr.Dropdown(
                list(dials.COLORS),
                value=plain["preserve_colors"],
                label="Colours",
                elem_id="dial-preserve_colors",
                min_width=200,
            )
            seed = gr.Number(
                plain["seed"],
                precision=0,
                minimum=0,
                label="Seed",
                elem_id="dial-seed",
                min_width=120,
            )
        self.dials = {
            "content_weight": weight,
            "style_scale": scale,
            "image_size": size,
            "num_steps": quality,
            "preserve_colors": colors,
            "seed": seed,
        }

    def _make_options(self) -> None:
        self._options = {}
        plain = dials.positions_of(dials.PRESETS["Photograph"])
        with gr.Accordion("Presets of your own", open=False):
            self._name = gr.Textbox(
                label="Keep these dials as",
                max_lines=1,
                max_length=own_presets.LONGEST_NAME,
                elem_id="preset-name",
            )
            with gr.Row():
                self._keep = gr.Button("Keep", size="sm", elem_id="keep-preset")
                self._remove = gr.Button(
                    "Remove the chosen preset",
                    size="sm",
                    elem_id="remove-preset",
                )
            self._fault = gr.HTML("", elem_classes="fault")
        with gr.Accordion("More options", open=False):
            # The page's script hides what does not match.
            gr.HTML(
                '<label for="search">Search the options</label>'
                '<input id="search" type="search" autocomplete="off">'
            )
            for group, fields in itertools.groupby(
                dials.OTHERS, lambda field: field.metadata["group"]
            ):
                with gr.Column(elem_classes="options"):
                    gr.Markdown(f"### {group}")
                    for field in fields:
                        self._options[field.name] = _make_option(
                            field, plain[field.name]
                        )

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

        given = {self._name, self.base, *self._all.values()}
        changed = [self.preset, self._name, self._fault]
        for event in (self._name.submit, self._keep.click):
            event(self._keep_preset, given, changed, **DIRECT)
        self._remove.click(self._remove_preset, self.preset, changed, **DIRECT)

    @showing_errors
    def _keep_preset(self, values: Values) -> dict:
        """Adds a preset with the flags of the dials and all other options."""
        found = dials.read_options(values[self.base], self.positions(values))
        name = own_presets.keep(self._root, values[self._name] or "", found)
        choices = [*own_presets.read(self._root)]
        return {
            self.preset: gr.Radio(choices, value=name),
            self._name: "",
            self._fault: "",
        }

    @showing_errors
    def _remove_preset(self, preset: str | None) -> dict:
        """Removes a preset; the dials stay as they are."""
        if preset is None or preset in dials.PRESETS:
            raise ConfigError(
                "The program's presets stay. Choose one of your own to remove"
                " it."
            )
        own_presets.remove(self._root, preset)
        choices = [*own_presets.read(self._root)]
        return {
            self.preset: gr.Radio(choices, value=None),
            self._fault: "",
        }

    def _check(self, values: Values, field: dataclasses.Field):
        """Returns a text field with its error, or else with its help text."""
        try:
            dials.read_options(values[self.base], self.positions(values))
        except ConfigError as error:
            if error.field == field.name:
                return gr.Textbox(info=str(error), elem_classes="wrong")
        return gr.Textbox(info=field.metadata["help"], elem_classes="")

    def _apply_preset(self, preset: str) -> dict:
        """Returns updates that apply a preset.

        The program's presets leave size, quality and seed as they are.
        """
        presets = own_presets.read(self._root)
        base = presets.get(preset, [])
        found = self.show_positions(dials.positions_of(base))
        if preset in dials.PRESETS:
            for name in ("image_size", "num_steps", "seed"):
                del found[self.dials[name]]
        return {
            self.base: base,
            self._content: gr.Image(visible=preset != dials.TEXTURE),
            **found,
        }


def _make_option(field: dataclasses.Field, position: str | bool):
    """Makes the component of an option from its field and position."""
    about = {
        "value": position,
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
