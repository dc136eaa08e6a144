"""Outputs of a run: picture, flags, metrics, report and film."""

import contextlib
import functools
import os
import secrets
import tempfile
from collections.abc import Callable
from typing import Any

import numpy as np
from absl import logging

from tfstyle.errors import ImageError
from tfstyle.errors import WriteError
from tfstyle.experiment import provenance
from tfstyle.experiment import workdir_files
from tfstyle.flags import flagfile
from tfstyle.image_files.writing import write_image
from tfstyle.images.image_set import ImageSet
from tfstyle.images.picture import NOTHING
from tfstyle.images.resize import resize
from tfstyle.images.transparency import lay_on_white
from tfstyle.reports import film
from tfstyle.reports import metric_writers
from tfstyle.reports import progress
from tfstyle.reports import report
from tfstyle.system import atomic_file
from tfstyle.training.callbacks import Action
from tfstyle.training.callbacks import EverySeconds
from tfstyle.training.callbacks import EverySteps
from tfstyle.training.callbacks import Result
from tfstyle.training.plan import Plan
from tfstyle.training.state import State

MAX_REPORT_IMAGES = 8
"""Maximum number of intermediate pictures in a report."""
MAX_REPORT_STYLES = 8


class Outputs:
    """Writes metrics and pictures during a run, and the result at its end.

    Args:
        plan: plan of the run; its config is a RunConfig.
        images: input images of the run.
        folder: the workdir.
        device: description of the device, one line.
        facts: facts by name, written into the picture's metadata in addition
            to flags and versions.
        state: state that the run resumes from, or None.
        stack: closes the files at the end of the run.

    Attributes:
        actions: callbacks to be called with every record.
    """

    def __init__(
        self,
        plan: Plan,
        images: ImageSet,
        folder: str,
        device: str,
        facts: dict[str, str],
        state: State | None,
        stack: contextlib.ExitStack,
    ):
        config: Any = plan.config
        self._config = config
        self._images = images
        self._size = plan.frame.height, plan.frame.width
        self._folder = folder
        self._device = device
        self._facts = facts
        self._first_step = self._first_evaluation = 0
        if state is not None:
            self._first_step = sum(state.numbers["steps"])
            self._first_evaluation = state.integer("evaluations", 1, 10**15)
        self._picture_paths: dict[int, str] = {}
        self.actions: list[Action] = []
        self._write_flags(provenance.make_text(config, self._facts))
        self._metrics = metric_writers.JsonLinesWriter(
            os.path.join(self._folder, workdir_files.METRICS),
            self._first_evaluation,
        )
        stack.callback(self._metrics.close)
        bar = progress.make_progress()
        stack.callback(bar.stop)
        self.actions += [EverySteps(config.log_every_steps, self._metrics), bar]
        if config.preview_every_seconds:
            write = functools.partial(
                metric_writers.write_preview, folder, images.alpha
            )
            self.actions.append(
                EverySeconds(config.preview_every_seconds, write)
            )
        if config.image_every_steps or config.film:
            self._add_pictures()
        self._add_events(stack)

    def write(self, result: Result) -> str:
        """Writes the picture, its flags, the report and the film.

        Returns:
            The path of the picture.

        Raises:
            WriteError: if a file cannot be written.
        """
        facts = self._facts | provenance.describe_result(result)
        config = self._config
        if not result.is_complete:
            config = provenance.repeat_steps(config, result.steps)
        text, record = provenance.make_published_texts(
            config, facts, self._config.metadata
        )
        path = self._config.output_image
        path = path or os.path.join(self._folder, workdir_files.OUTPUT)
        content = self._images.content
        is_named = content is not None and config.metadata != "none"
        write = functools.partial(
            write_image,
            pixels=result.to_pixels(config.output_bits),
            alpha=self._images.alpha,
            text=text,
            record=record,
            attribution=content.attribution if is_named else NOTHING,
        )
        try:
            write(path)
        except ImageError as error:
            other = _write_elsewhere(write, self._folder)
            if other is None:
                raise
            raise WriteError(
                f"{error} It was saved as {other!r} instead."
            ) from error
        # Kept out of the picture, so that a rerun gives identical bytes.
        ended = {"ended": result.reason}
        self._write_flags(provenance.make_text(config, facts | ended))
        if self._config.report:
            self._write_report(result, facts, text or record)
        if self._config.film and self._picture_paths:
            self._write_film(path)
        return path

    def _add_pictures(self) -> None:
        """Adds the action that writes intermediate pictures."""
        config = self._config
        folder = os.path.join(self._folder, workdir_files.IMAGES)
        pictures = metric_writers.ImageWriter(
            folder, self._size, self._images.alpha, self._first_step
        )
        self._picture_paths = pictures.paths
        interval = config.image_every_steps
        if not interval:
            interval = film.choose_interval(sum(config.steps_by_level))
            logging.info(
                "A picture for the film is written at every %s to %s",
                "step" if interval == 1 else f"{interval} steps",
                folder,
            )
        first = min(pictures.paths, default=self._first_step)
        if config.film and first:
            logging.warning(
                "warning: the film begins at step %d, as there are no earlier"
                " pictures. Use --resume=restart to make them",
                first,
            )
        self.actions.append(EverySteps(interval, pictures))

    def _add_events(self, stack: contextlib.ExitStack) -> None:
        """Adds the actions that write TensorBoard events, if installed."""
        if not metric_writers.can_write_events():
            logging.info("No TensorBoard events: pip install tensorboard")
            return
        events = metric_writers.EventWriter(
            os.path.join(self._folder, workdir_files.EVENTS), self._first_step
        )
        stack.callback(events.close)
        config = self._config
        self.actions.append(EverySteps(config.log_every_steps, events))
        if config.image_every_steps:
            self.actions.append(
                EverySteps(config.image_every_steps, events.write_image)
            )

    def _write_flags(self, text: str) -> None:
        path = os.path.join(self._folder, workdir_files.FLAGS)
        atomic_file.write_text(path, text)

    def _write_film(self, output: str) -> None:
        """Writes the film of the intermediate pictures, in order of steps.

        Raises:
            WriteError: if the film cannot be written; names the picture, which
                was written.
        """
        path = self._config.film
        pictures = [self._picture_paths[x] for x in sorted(self._picture_paths)]
        try:
            film.write_film(path, pictures, self._folder)
        except (ImageError, WriteError) as error:
            raise WriteError(
                f"{error} The picture was written to {output!r}."
            ) from error
        logging.info("Wrote %s", path)

    def _write_report(
        self, result: Result, facts: dict[str, str], flags: str
    ) -> None:
        """Writes report.html; file names follow the option `metadata`."""
        published = flagfile.parse_text(flags)[1]
        facts = facts | {"weights": published["weights"]}
        device = {"device": self._device, "seconds": f"{result.seconds:.1f}"}
        config, images = self._config, self._images
        styles = [os.path.basename(path) for path in config.style_images]
        if len(styles) > MAX_REPORT_STYLES:
            others = f"{len(styles) - MAX_REPORT_STYLES} others"
            styles = [*styles[:MAX_REPORT_STYLES], others]
        title = f"A texture of {' and '.join(styles)}"
        height, width = result.pixels.shape[:2]
        alpha = images.alpha
        if alpha is not None:
            alpha = resize(alpha, height, width)
        picture = lay_on_white(result.pixels, alpha)
        shown = [(f"Result, {width} x {height}", picture)]
        if images.content is not None:
            name = os.path.basename(config.content_image)
            content = lay_on_white(*images.content[:2])
            shown.append((f"Content: {name}", content))
            title = f"{name} in the style of {' and '.join(styles)}"
            if not styles:
                title = f"The content of {name}"
        for name, style in zip(
            styles[:MAX_REPORT_STYLES], images.styles, strict=False
        ):
            shown.append((f"Style: {name}", lay_on_white(*style[:2])))
        steps = sorted(self._picture_paths)
        stride = max(1, -(-len(steps) // MAX_REPORT_IMAGES))
        for step in steps[::stride]:
            picture = metric_writers.read_picture(self._picture_paths[step])
            pixels = np.asarray(picture.convert("RGB"))
            shown.append((f"Step {step}", pixels))
        page = report.make_report(
            title=title,
            images=shown,
            metrics=self._metrics.lines,
            facts=flagfile.versions() | facts | device,
            flags=flags,
        )
        path = os.path.join(self._folder, workdir_files.REPORT)
        atomic_file.write_text(path, page)
        logging.info("Wrote %s", path)


def _write_elsewhere(write: Callable[[str], None], folder: str) -> str | None:
    """Writes the picture to a fallback folder; returns its path or None.

    Args:
        write: function that writes the picture to a path.
        folder: the workdir; the temporary folder is the next choice.
    """
    name = f"tfstyle-{secrets.token_hex(4)}.png"
    for find_folder in (lambda: folder, tempfile.gettempdir):
        # gettempdir fails if there is no folder for temporary files.
        with contextlib.suppress(OSError, ImageError):
            path = os.path.join(find_folder(), name)
            write(path)
            return path
    return None
