"""One run: from its config to its files, in order.

Wrong flags and files are found before TensorFlow is loaded, and impossible
sizes before weights are fetched. So modules that need TensorFlow are imported
after it has been started.
"""

import contextlib
import os
from collections.abc import Iterator

from absl import logging

from tfstyle.config.run_config import RunConfig
from tfstyle.distributed import environment
from tfstyle.distributed.environment import ALONE
from tfstyle.distributed.environment import Cluster
from tfstyle.distributed.environment import ClusterError
from tfstyle.errors import OutOfMemoryError
from tfstyle.errors import WriteError
from tfstyle.experiment import inputs
from tfstyle.experiment import provenance
from tfstyle.experiment import resume
from tfstyle.experiment import run_directory
from tfstyle.experiment import workdir_files
from tfstyle.experiment.checkpoint import Checkpoints
from tfstyle.experiment.identity import RunIdentity
from tfstyle.experiment.session import Session
from tfstyle.experiment.session import quietly
from tfstyle.images.errors import ImageError
from tfstyle.images.saving import check_side
from tfstyle.system.signals import StopSignals
from tfstyle.training.plan import make_plan
from tfstyle.training.plan import resolve_for_images


def run_picture(config: RunConfig, session: Session) -> int:
    """Paints one picture, or this process' part of it.

    Args:
        config: a resolved one.
        session: TensorFlow and the networks.

    Returns:
        The number of the signal that ended the run, or 0.
    """
    config = inputs.expand_image_names(config)
    check_images(config)
    place = environment.find_cluster(config.strategy)
    if place.index:
        return _follow(config, place, session)
    run_directory.check_output(config)
    config, images = read_images(config)
    _, number = run_with_images(config, images, session, place=place)
    return number


def check_images(config: RunConfig) -> None:
    """Checks that a config's options fit the images that it names.

    Raises:
        ConfigError: if they do not.
    """
    config.check_images(
        config.content_image is not None,
        len(config.style_images),
        len(config.content_masks),
        len(config.style_masks),
    )


def read_images(config: RunConfig) -> tuple[RunConfig, inputs.ImageFiles]:
    """Reads a config's images, and resolves the options that depend on them.

    Raises:
        ImageError: if one cannot be read.
    """
    images = inputs.read_image_files(config)
    return resolve_for_images(config, images.content, images.styles), images


def run_with_images(
    config: RunConfig,
    images: inputs.ImageFiles,
    session: Session,
    signals: StopSignals | None = None,
    place: Cluster = ALONE,
):
    """Paints one picture whose images have been read, and writes its files.

    Args:
        config: a resolved one, whose images and output were checked.
        images: read from the config's files.
        session: TensorFlow and the networks.
        signals: of the batch that the picture is part of. If given, only
            warnings are logged, and once the picture is complete, checkpoints
            and pictures that only its film needed are removed.
        place: of this process, the first, in the cluster.

    Returns:
        The `Result`, or None if a signal came before the first step, and the
        number of the signal, or 0.

    Raises:
        ClusterError: if another process is gone.
        NotFiniteError: if the loss stops being finite.
        WriteError: if a file cannot be written.
    """
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(run_directory.open_workdir(config))
        checkpoint = resume.find_checkpoint(config, images, folder)
        config = resume.resolve_by_checkpoint(config, checkpoint)
        config = session.start(config, place)

        from tfstyle.experiment import worker
        from tfstyle.training import memory_advice

        replicas = session.replicas
        number = replicas.num_replicas if replicas else 1
        plan = make_plan(config, images.content, images.styles, number)
        config, frame = plan.config, plan.levels[-1].frame
        if config.output_image:
            check_side(config.output_image, frame.height, frame.width)
        memory_advice.check_memory(config, frame.height, frame.width, number)
        extractor = session.make_extractor(config)
        worker.check_same_run(config, images, extractor.sha256, replicas)
        if signals is not None:
            memory_advice.log_cuts(config, frame.height, frame.width, number)
            stack.enter_context(quietly())
            if signals.number:
                return None, signals.number
        is_one_of_many = signals is not None
        signals = signals or stack.enter_context(StopSignals())
        if replicas is not None:
            replicas.find_signal = lambda: signals.number
            stack.enter_context(worker.leading(replicas))
        result = _paint_and_write(
            plan, images, extractor, session, folder, checkpoint, signals
        )
        if is_one_of_many and result.is_complete:
            names = [workdir_files.CHECKPOINTS]
            if config.film and not config.image_every_steps:
                names.append(workdir_files.IMAGES)
            for name in names:
                workdir_files.remove_own(os.path.join(folder, name))
        number = signals.number or (replicas and replicas.stop_number)
        return result, number or 0


def _paint_and_write(
    plan, images, extractor, session, folder, checkpoint, signals
):
    """Optimises the image and writes everything that a run leaves."""
    from tfstyle.experiment.outputs import Outputs
    from tfstyle.training import memory_advice
    from tfstyle.training.stylize import iterate
    from tfstyle.training.stylize import run_to_end

    config, frame = plan.config, plan.levels[-1].frame
    replicas, device = session.replicas, session.device
    resume.check_weights(checkpoint, extractor.sha256)
    if replicas is not None:
        device += f", {replicas.describe()}"
    logging.info(
        "%s, %s; weights: %s", device, config.precision, extractor.origin
    )
    logging.info("%dx%d pixels, workdir %s", frame.height, frame.width, folder)
    sizes = frame.height, frame.width
    number = replicas.num_replicas if replicas else 1
    memory_advice.log_needs(config, *sizes, folder, number)
    facts = provenance.describe_weights(extractor.origin, extractor.sha256)
    facts |= images.describe()
    if replicas is not None:
        facts["replicas"] = str(replicas.num_replicas)
    checkpoints = Checkpoints(
        os.path.join(folder, workdir_files.CHECKPOINTS),
        RunIdentity.of_run(config, images, extractor.sha256).to_json(),
        checkpoint and checkpoint.path,
    )
    state = checkpoint and checkpoint.state
    every = config.checkpoint_every_seconds
    with (
        _naming_last_checkpoint(checkpoints),
        memory_advice.naming_flags_that_fit(config, *sizes, number),
        Outputs(
            config,
            images,
            sizes,
            folder,
            device,
            facts,
            state,
        ) as outputs,
    ):
        records = iterate(
            images.content,
            images.styles,
            plan,
            extractor,
            content_masks=images.content_masks,
            style_masks=images.style_masks,
            alpha=images.alpha,
            style_alphas=images.style_alphas,
            initial_image=images.initial_image,
            state=state,
            save_state=checkpoints if every else None,
            save_every_seconds=every,
            should_stop=lambda: (
                signals() or (replicas and replicas.name_signal())
            ),
            replicas=replicas,
        )
        result = run_to_end(records, outputs.actions)
        path = outputs.write(result)
    _log_end(result, path)
    return result


def _log_end(result, path: str) -> None:
    ends = {"steps": "Done", "converged": "Converged"}
    logging.info(
        "%s after %d steps, %d evaluations, %.1f s: loss %.6g",
        ends.get(result.reason, f"Stopped ({result.reason})"),
        result.step,
        result.evaluations,
        result.seconds,
        result.losses["total"],
    )
    logging.info("Wrote %s", path)


@contextlib.contextmanager
def _naming_last_checkpoint(checkpoints: Checkpoints) -> Iterator[None]:
    """Adds to an error which checkpoint can be resumed from."""
    from tfstyle.training.trainer import NotFiniteError

    try:
        yield
    except (
        ClusterError,
        ImageError,
        NotFiniteError,
        OutOfMemoryError,
        WriteError,
    ) as error:
        path = checkpoints.path
        if path is None or not os.path.exists(path):
            raise
        if isinstance(error, ClusterError):
            raise ClusterError(
                f"{error} The checkpoint {path!r} is intact."
            ) from error
        if isinstance(error, NotFiniteError):
            raise NotFiniteError(
                f"{error} The last good checkpoint is {path!r}."
            ) from error
        if isinstance(error, OutOfMemoryError):
            raise OutOfMemoryError(
                f"{error} The checkpoint {path!r} is intact; other flags need"
                " --resume=restart."
            ) from error
        raise WriteError(
            f"{str(error).rstrip('.')}. The checkpoint {path!r} is intact:"
            " the same command continues from there."
        ) from error


def _follow(config: RunConfig, place: Cluster, session: Session) -> int:
    """Computes this process' part of the picture that process 0 paints."""
    config, images = read_images(config)
    config = session.start(config, place)

    from tfstyle.experiment import worker

    extractor, replicas = session.make_extractor(config), session.replicas
    config = worker.check_same_run(config, images, extractor.sha256, replicas)
    return worker.follow(config, images, extractor, replicas)
