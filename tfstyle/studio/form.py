"""The form of the Paint tab: pictures, dials and options of a job."""

import functools

import gradio as gr

from tfstyle.config.validation import INITS
from tfstyle.errors import ConfigError
from tfstyle.errors import TfstyleError
from tfstyle.flags.command_line import read_config
from tfstyle.studio import dials
from tfstyle.studio import inputs
from tfstyle.studio import own_presets
from tfstyle.studio.options import Options
from tfstyle.studio.options import Values
from tfstyle.studio.pictures import NUM_STYLES
from tfstyle.studio.pictures import Pictures


class Form:
    """The form of the Paint tab: pictures, dials and options of a job.

    Args:
        root: the folder of runs.

    Attributes:
        pictures: the part of the form with the pictures.
        options: the part of the form with the dials and all other options.
        components: all components that have a value.
    """

    def __init__(self, root: str):
        self._root = root
        self.pictures = Pictures(root)
        self.options = Options(root, self.pictures.content)
        self.pictures.make_more()
        self.options.make_more()
        self.components = self.pictures.components | self.options.components

    def arguments(
        self, values: Values, *, of_film: bool = False, is_draft: bool = False
    ) -> list[str]:
        """Returns the command line of a job for the form's values.

        Args:
            values: values of all components.
            of_film: True to paint the film instead of the content image.
            is_draft: True if pictures may be missing.

        Raises:
            ConfigError: if an option is invalid or a picture is missing.
            ImageError: if a picture cannot be read.
            WriteError: if a picture cannot be copied.
        """
        pictures, options = self.pictures, self.options
        shares = {
            style: values[share]
            for style, share in zip(
                pictures.styles, pictures.weights, strict=True
            )
            if values[style] and (values[share] or is_draft)
        }
        is_texture = values[options.preset] == dials.TEXTURE
        film = pictures.clips.flags(values) if of_film else []
        has_content = not film and (is_draft or not is_texture)
        return dials.make_arguments(
            values[options.base],
            options.positions(values),
            content=self._keep(values, pictures.content)
            if has_content
            else None,
            styles=[self._keep(values, style) for style in shares],
            weights=[*shares.values()],
            start=self._keep(values, pictures.start),
            regions=self._region_flags(values, len(shares), is_draft),
            film=film,
            is_draft=is_draft,
        )

    def _region_flags(
        self, values: Values, number: int, is_draft: bool
    ) -> list[str]:
        """Returns the flags of the regions; none if a draft's are wrong."""
        layers, softness = (
            values[part]
            for part in (self.pictures.regions, self.pictures.softness)
        )
        try:
            return self.pictures.region_flags(
                layers, number, int(softness or 0)
            )
        except ConfigError:
            if is_draft:
                return []
            raise

    def has_style(self, values: Values) -> bool:
        """True if there is a style image."""
        return any(values[style] for style in self.pictures.styles)

    def show(self, arguments: list[str]) -> dict:
        """Returns updates that fill the form with a command line.

        Raises:
            TfstyleError: if the command line is invalid.
        """
        config = read_config(arguments)
        options = dials.without_files(arguments)
        presets = own_presets.read(self._root)
        preset = dials.find_preset(options, presets)
        pictures = self.pictures
        find = functools.partial(inputs.find_shown, self._root)
        styles = [find(path) for path in config.style_images]
        weights = [1.0] * len(styles)
        if config.style_blend_weights:
            most = max(config.style_blend_weights)
            weights = [weight / most for weight in config.style_blend_weights]
        content = find(config.content_image)
        start = None if config.init in INITS else find(config.init)
        masks = [
            find(inputs.without_soft_edge(path))
            for path in config.content_masks
        ]
        found = {
            self.options.base: options,
            self.options.preset: gr.Radio([*presets], value=preset),
            pictures.content: gr.update(
                visible=preset != dials.TEXTURE,
                # Of a film, a frame is shown by its own part of the form.
                **({} if config.content_video else {"value": content}),
            ),
            **pictures.clips.show(config.content_video, config.frames),
            pictures.start: start,
            pictures.regions: None,
            **self.options.show_positions(dials.positions_of(options)),
        }
        missing = NUM_STYLES - len(styles)
        found |= zip(pictures.styles, styles + missing * [None], strict=False)
        found |= zip(pictures.weights, weights + missing * [1.0], strict=False)
        if content and masks and all(masks) and len(masks) <= NUM_STYLES:
            found[pictures.regions] = pictures.show_regions(content, masks)
            found[pictures.softness] = inputs.softness_of(
                config.content_masks[0]
            )
        return found

    def _keep(self, values: Values, picture) -> str | None:
        """Copies the picture of a component; returns the path of the copy."""
        path = values[picture]
        try:
            return path and inputs.keep(self._root, path)
        except TfstyleError as error:
            name = picture.label.partition(":")[0]
            raise type(error)(f"{name}: {error}") from error
