"""Outputs: everything that a run writes besides its checkpoints."""

import contextlib
import os
import secrets
import tempfile

import numpy as np
from absl import logging

from tfstyle.config import flagfile
from tfstyle.config.run_config import RunConfig
from tfstyle.errors import WriteError
from tfstyle.experiment import metric_writers
from tfstyle.experiment import progress
from tfstyle.experiment import provenance
from tfstyle.experiment import report
from tfstyle.experiment.inputs import ImageFiles
from tfstyle.images import files as image_files
from tfstyle.images.resize import resize
from tfstyle.images.saving import write_image
from tfstyle.system import atomic_file
from tfstyle.training.callbacks import Action
from tfstyle.training.callbacks import EverySteps
from tfstyle.training.state import State
from tfstyle.training.trainer import Result

MAX_REPORT_IMAGES = 8
"""Intermediate pictures in a report."""


class Outputs(contextlib.ExitStack):
    """Writes metrics and pictures during a run, and the result at its end.

    Args:
        config: of the run, resolved.
        images: read from the config's files.
        folder: the workdir.
        device: a line that names the device.
        facts: by name; written into the picture's text beside flags and
            versions.
        state: of the run that is continued, or None.

    Attributes:
        actions: to be called with every record.
    """

    def __init__(
        self,
        config: RunConfig,
        images: ImageFiles,
        folder: str,
        device: str,
        facts: dict[str, str],
        state: State | None,
    ):
        super().__init__()
        self._config = config
        self._images = images
        self._folder = folder
        self._device = device
        self._facts = facts
        self._picture_paths: dict[int, str] = {}
        self._write_flags(provenance.make_text(config, facts))
        evaluations = state.integer("evaluations", 1, 10**15) if state else 0
        self._metrics = metric_writers.JsonLinesWriter(
            f"{folder}/metrics.jsonl", evaluations
        )
        self.callback(self._metrics.close)
        bar = progress.make_progress()
        self.callback(bar.close)
        self.actions: list[Action] = [
            EverySteps(config.log_every_steps, self._metrics),
            bar,
        ]
        if config.image_every_steps:
            first_step = sum(state.numbers["steps"]) if state else 0
            pictures = metric_writers.ImageWriter(
                f"{folder}/images", first_step
            )
            self._picture_paths = pictures.paths
            self.actions.append(EverySteps(config.image_every_steps, pictures))
        self._add_events()

    def write(self, result: Result) -> str:
        """Writes the picture, its flags and the report.

        Returns:
            The picture's path.

        Raises:
            WriteError: if one of them cannot be written.
        """
        facts = self._facts | provenance.describe_result(
            result.losses, result.step, result.evaluations
        )
        config = self._config
        if not result.is_complete:
            config = provenance.repeat_steps(config, result.steps)
        text = provenance.make_text(config, facts)
        path = self._config.output_image
        path = path or os.path.join(self._folder, "output.png")
        pixels = result.to_pixels(self._config.output_bits)
        self._write_picture(path, pixels, text)
        self._write_flags(text)
        if self._config.report:
            self._write_report(result, facts, text)
        return path

    def _add_events(self) -> None:
        """Adds TensorBoard's events to the actions, if it is installed."""
        if not metric_writers.can_write_events():
            logging.info("No TensorBoard events: pip install tensorboard")
            return
        events = metric_writers.EventWriter(f"{self._folder}/events")
        self.callback(events.close)
        config = self._config
        self.actions.append(EverySteps(config.log_every_steps, events))
        if config.image_every_steps:
            write_image = events.write_image
            self.actions.append(
                EverySteps(config.image_every_steps, write_image)
            )

    def _write_picture(self, path: str, pixels: np.ndarray, text: str) -> None:
        """Writes the picture, elsewhere if it must be.

        Raises:
            WriteError: if it is not at its path; names where it is instead.
        """
        alpha = self._images.alpha
        if alpha is not None:
            alpha = resize(alpha, *pixels.shape[:2])
        try:
            write_image(path, pixels, alpha, text)
        except image_files.ImageError as error:
            other = self._save_elsewhere(pixels, alpha, text)
            if other is None:
                raise
            raise WriteError(
                f"{error} It was saved as {other!r} instead."
            ) from error

    def _save_elsewhere(self, pixels, alpha, text: str) -> str | None:
        """Writes the picture where it can be; returns its path, if there is."""
        name = f"tfstyle-{secrets.token_hex(4)}.png"
        for find_folder in (lambda: self._folder, tempfile.gettempdir):
            # There may be no folder for temporary files either.
            with contextlib.suppress(OSError, image_files.ImageError):
                path = os.path.join(find_folder(), name)
                write_image(path, pixels, alpha, text)
                return path
        return None

    def _write_flags(self, text: str) -> None:
        path = os.path.join(self._folder, "flags.cfg")
        atomic_file.write_text(path, text)

    def _write_report(
        self, result: Result, facts: dict[str, str], flags: str
    ) -> None:
        """Writes report.html."""
        device = {"device": self._device, "seconds": f"{result.seconds:.1f}"}
        config, images = self._config, self._images
        styles = [os.path.basename(path) for path in config.style_images]
        title = f"A texture of {' and '.join(styles)}"
        height, width = result.pixels.shape[:2]
        shown = [(f"Result, {width} x {height}", result.pixels)]
        if images.content is not None:
            name = os.path.basename(config.content_image)
            shown.append((f"Content: {name}", images.content))
            title = f"{name} in the style of {' and '.join(styles)}"
            if not styles:
                title = f"The content of {name}"
        for name, style in zip(styles, images.styles, strict=True):
            shown.append((f"Style: {name}", style))
        steps = sorted(self._picture_paths)
        stride = max(1, -(-len(steps) // MAX_REPORT_IMAGES))
        for step in steps[::stride]:
            picture = image_files.read_image(self._picture_paths[step])
            shown.append((f"Step {step}", picture.pixels))
        page = report.make_report(
            title=title,
            images=shown,
            metrics=self._metrics.lines,
            facts=flagfile.versions() | facts | device,
            flags=flags,
        )
        path = os.path.join(self._folder, "report.html")
        atomic_file.write_text(path, page)
        logging.info("Wrote %s", path)
