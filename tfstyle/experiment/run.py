"""One run: stylizes read images and writes everything that it leaves."""

import contextlib
import dataclasses
import os
from collections.abc import Callable
from collections.abc import Iterator

from absl import logging

from tfstyle.config import flagfile
from tfstyle.config.config import Config
from tfstyle.distributed.environment import ClusterError
from tfstyle.distributed.replicas import Replicas
from tfstyle.errors import WriteError
from tfstyle.experiment import metric_writers
from tfstyle.experiment import progress
from tfstyle.experiment import report
from tfstyle.experiment import resume
from tfstyle.experiment.checkpoint import Checkpoint
from tfstyle.experiment.checkpoint import Checkpoints
from tfstyle.experiment.identity import RunIdentity
from tfstyle.experiment.inputs import ImageFiles
from tfstyle.images import files as image_files
from tfstyle.images.files import ImageError
from tfstyle.network.extractor import Extractor
from tfstyle.system import atomic_file
from tfstyle.training import memory
from tfstyle.training import stylize
from tfstyle.training.callbacks import EverySteps
from tfstyle.training.plan import output_size
from tfstyle.training.state import State
from tfstyle.training.trainer import NotFiniteError
from tfstyle.training.trainer import Result

WHOLE = ("steps", "converged", "max_evaluations")
"""Stop reasons that depend only on the configuration."""
REPORT_IMAGES = 8
"""Intermediate pictures that a report shows, if so many are there."""


def run_job(
    config: Config,
    images: ImageFiles,
    extractor: Extractor,
    device: str,
    folder: str,
    checkpoint: Checkpoint | None = None,
    should_stop: Callable[[], str | None] = lambda: None,
    replicas: Replicas | None = None,
) -> Result:
    """Paints, and writes everything that a run leaves.

    Args:
        config: a resolved one.
        images: read from the config's files.
        extractor: made for the config.
        device: a line about where it runs.
        folder: the workdir, which is this process' own.
        checkpoint: of this very run, to go on with.
        should_stop: a text ends the run, as the reason.
        replicas: that share the work; this process leads them.

    Raises:
        ClusterError: if another process is gone.
        NotFiniteError: if the loss stops being finite.
        WriteError: if the workdir cannot be written.
    """
    height, width = output_size(images.content, images.styles, config)
    if config.output_image:
        image_files.check_side(config.output_image, height, width)
    resume.check_weights(checkpoint, extractor.sha256)
    output = config.output_image or os.path.join(folder, "output.png")
    if replicas is not None:
        device += f", {replicas.describe()}"
    logging.info("%s; weights: %s", device, extractor.origin)
    logging.info("%dx%d pixels, workdir %s", width, height, folder)
    if " on CPU" in device:
        number = replicas.num_replicas if replicas else 1
        memory.log_needs(config, height, width, folder, number)
    sha256 = extractor.sha256
    facts = {"weights": f"{extractor.origin} sha256={sha256}"}
    facts |= images.describe()
    if replicas is not None:
        facts["replicas"] = str(replicas.num_replicas)
    text = flagfile.make_text(config.to_flags(only_pixels=True), facts)
    atomic_file.write_text(os.path.join(folder, "flags.cfg"), text)
    checkpoints = Checkpoints(
        os.path.join(folder, resume.FOLDER),
        RunIdentity.of_run(config, images, sha256).to_json(),
        checkpoint and checkpoint.path,
    )
    with (
        _naming_last_checkpoint(checkpoints),
        contextlib.ExitStack() as stack,
    ):
        state = checkpoint and checkpoint.state
        metrics, paths, actions = _make_actions(config, folder, state, stack)
        result = stylize.stylize(
            images.content,
            images.styles,
            config,
            content_masks=images.content_masks,
            style_masks=images.style_masks,
            initial_image=images.initial_image,
            extractor=extractor,
            actions=actions,
            state=state,
            save_state=checkpoints,
            should_stop=should_stop,
            replicas=replicas,
        )
        facts["result"] = _describe_result(result)
        flag_lines = _as_run(config, result).to_flags(only_pixels=True)
        text = flagfile.make_text(flag_lines, facts)
        alpha = images.alpha
        if alpha is not None:
            alpha = image_files.resize(alpha, height, width)
        image_files.write_image(output, result.pixels, alpha, text)
        atomic_file.write_text(os.path.join(folder, "flags.cfg"), text)
        if config.report:
            path = os.path.join(folder, "report.html")
            device_facts = {
                "device": device,
                "seconds": f"{result.seconds:.1f}",
            }
            page = _make_report(
                config,
                images,
                result,
                metrics.lines,
                paths,
                flagfile.versions() | facts | device_facts,
                text,
            )
            atomic_file.write_text(path, page)
            logging.info("Wrote %s", path)
    ends = {"steps": "Done", "converged": "Converged"}
    logging.info(
        "%s after %d steps, %d evaluations, %.1f s: loss %.6g",
        ends.get(result.reason, f"Stopped ({result.reason})"),
        result.step,
        result.evaluations,
        result.seconds,
        result.losses["total"],
    )
    logging.info("Wrote %s", output)
    return result


@contextlib.contextmanager
def _naming_last_checkpoint(checkpoints: Checkpoints) -> Iterator[None]:
    """Adds to an error what of the run is not lost."""
    try:
        yield
    except (ClusterError, NotFiniteError, ImageError, WriteError) as error:
        path = checkpoints.path
        if path is None or not os.path.exists(path):
            raise
        if isinstance(error, ClusterError):
            raise ClusterError(
                f"{error} The checkpoint {path!r} is whole."
            ) from error
        if isinstance(error, NotFiniteError):
            raise NotFiniteError(
                f"{error} The last good checkpoint is {path!r}."
            ) from error
        raise WriteError(
            f"{str(error).rstrip('.')}. The checkpoint {path!r} is whole: the"
            " same command goes on from there."
        ) from error


def _make_actions(
    config: Config,
    folder: str,
    state: State | None,
    stack: contextlib.ExitStack,
):
    """Makes what looks at a run; the stack closes it.

    Returns:
        The writer of metrics, the paths of pictures by step, which fill as
        they are written, and all actions.
    """
    evaluations = state.integer("evaluations", 1, 10**15) if state else 0
    metrics = metric_writers.JsonLinesWriter(
        f"{folder}/metrics.jsonl", evaluations
    )
    stack.callback(metrics.close)
    bar = progress.make_progress()
    stack.callback(bar.close)
    actions = [EverySteps(config.log_every_steps, metrics), bar]
    paths = {}
    if config.image_every_steps:
        first_step = sum(state.numbers["steps"]) if state else 0
        pictures = metric_writers.ImageWriter(f"{folder}/images", first_step)
        actions.append(EverySteps(config.image_every_steps, pictures))
        paths = pictures.paths
    if metric_writers.can_write_events():
        events = metric_writers.EventWriter(f"{folder}/events")
        stack.callback(events.close)
        actions.append(EverySteps(config.log_every_steps, events))
        if config.image_every_steps:
            actions.append(
                EverySteps(config.image_every_steps, events.write_image)
            )
    else:
        logging.info("No TensorBoard events: pip install tensorboard")
    return metrics, paths, actions


def _as_run(config: Config, result: Result) -> Config:
    """Returns the config that makes the result again.

    What ended a run early may be of that day: a signal, the time. So many
    steps as it made, given as flags, end at the same picture.
    """
    if result.reason in WHOLE:
        return config
    return dataclasses.replace(config, num_steps=result.steps, time_limit=None)


def _describe_result(result: Result) -> str:
    losses = [f"{name}={value:.9g}" for name, value in result.losses.items()]
    counts = f"step={result.step} evaluations={result.evaluations}"
    return " ".join([counts, *losses])


def _make_report(
    config: Config,
    images: ImageFiles,
    result: Result,
    metrics: list[dict],
    paths: dict[int, str],
    facts: dict[str, str],
    flags: str,
) -> str:
    """Returns the page of report.html."""
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
    steps = sorted(paths)
    stride = max(1, -(-len(steps) // REPORT_IMAGES))
    for step in steps[::stride]:
        pixels = image_files.read_image(paths[step]).pixels
        shown.append((f"Step {step}", pixels))
    return report.make_report(
        title=title,
        images=shown,
        metrics=metrics,
        facts=facts,
        flags=flags,
    )
