"""The form of the Paint tab: pictures, dials and options of a job."""

import gradio as gr

from tfstyle.config.validation import INITS
from tfstyle.errors import TfstyleError
from tfstyle.flags.command_line import read_config
from tfstyle.studio import dials
from tfstyle.studio import inputs
from tfstyle.studio.options import Options
from tfstyle.studio.options import Values
from tfstyle.studio.pictures import NUM_STYLES
from tfstyle.studio.pictures import Pictures
from tfstyle.studio.runs import Run
from tfstyle.studio.runs import find_run
from tfstyle.studio.widgets import escape_error


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
        self.options = Options(self.pictures.content)
        self.components = self.pictures.components | self.options.components

    def arguments(self, values: Values, *, of_film: bool = False) -> list[str]:
        """Returns the command line of a job for the form's values.

        Args:
            values: values of all components.
            of_film: True to paint the film instead of the content image.

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
            if values[style] and values[share]
        }
        is_texture = values[options.preset] == dials.TEXTURE
        film = pictures.clips.flags(values) if of_film else []
        return dials.make_arguments(
            values[options.base],
            options.positions(values),
            content=None
            if is_texture or film
            else self._keep(values[pictures.content]),
            styles=[self._keep(values[style]) for style in shares],
            weights=[*shares.values()],
            start=self._keep(values[pictures.start]),
            masks=pictures.make_masks(values[pictures.regions], len(shares)),
            film=film,
        )

    def show(self, name: str | None, fault: gr.HTML) -> dict:
        """Returns updates that fill the form with the values of a run.

        Args:
            name: name of the run, or None.
            fault: component that shows errors.
        """
        run = find_run(self._root, name)
        if run is None:
            return {fault: ""}
        try:
            return {fault: "", **self._fill(run)}
        except TfstyleError as error:
            return {fault: escape_error(error)}

    def _fill(self, run: Run) -> dict:
        config = read_config(run.arguments)
        options = dials.without_files(run.arguments)
        preset = dials.find_preset(options)
        pictures = self.pictures
        styles = [self._find(path) for path in config.style_images]
        weights = [1.0] * len(styles)
        if config.style_blend_weights:
            most = max(config.style_blend_weights)
            weights = [weight / most for weight in config.style_blend_weights]
        content = self._find(config.content_image)
        start = None if config.init in INITS else self._find(config.init)
        masks = [self._find(path) for path in config.content_masks]
        found = {
            self.options.base: options,
            self.options.preset: preset,
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
        if content and all(masks) and 1 < len(masks) <= NUM_STYLES:
            found[pictures.regions] = pictures.show_regions(content, masks)
        return found

    def _keep(self, path: str | None) -> str | None:
        return path and inputs.keep(self._root, path)

    def _find(self, path: str | None) -> str | None:
        """Returns the path of a run's picture for the browser, or None."""
        try:
            kept = self._keep(path)
            return kept and inputs.to_shown(self._root, kept)[0]
        except (TfstyleError, OSError):
            return None  # the file no longer exists
