"""One run, from its config to its output files.

Invalid flags and files are reported before TensorFlow is loaded, and
impossible sizes before weights are downloaded. Modules that need TensorFlow
are therefore imported inside functions, after it has been started.
"""

import contextlib
import dataclasses
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING
from typing import Any

from absl import logging

from tfstyle.config.run_config import RunConfig
from tfstyle.distributed import environment
from tfstyle.distributed.environment import ALONE
from tfstyle.distributed.environment import Cluster
from tfstyle.errors import TfstyleError
from tfstyle.experiment import inputs
from tfstyle.experiment import output_checks
from tfstyle.experiment import provenance
from tfstyle.experiment import remote_outputs
from tfstyle.experiment import resources
from tfstyle.experiment import resume
from tfstyle.experiment import run_directory
from tfstyle.experiment import workdir_files
from tfstyle.experiment.checkpoint import Checkpoint
from tfstyle.experiment.checkpoint import Checkpoints
from tfstyle.experiment.identity import RunIdentity
from tfstyle.experiment.session import Session
from tfstyle.image_files.writing import check_side
from tfstyle.images.image_set import ImageSet
from tfstyle.system.signals import STOPPING
from tfstyle.system.signals import StopSignals
from tfstyle.training.plan import Plan
from tfstyle.training.plan import make_plan
from tfstyle.training.pyramid import describe_levels

if TYPE_CHECKING:
    from tfstyle.network.extractor import Extractor
    from tfstyle.training.callbacks import Result


@dataclasses.dataclass(frozen=True)
class PreparedRun:
    """A run that is ready to start.

    Attributes:
        images: input images.
        plan: plan of the run; its config is a RunConfig.
        extractor: feature extractor for the layers of the plan.
        folder: the workdir.
        identity: identity of the run.
        checkpoint: checkpoint to resume from, or None.
    """

    images: ImageSet
    plan: Plan
    extractor: "Extractor"
    folder: str
    identity: RunIdentity
    checkpoint: Checkpoint | None


def run_picture(
    config: RunConfig, session: Session, stop_message: str = STOPPING
) -> int:
    """Paints one picture, or this process' part of it.

    Args:
        config: the requested options.
        session: the TensorFlow session, with its networks.
        stop_message: line that is printed on the first signal to stop; empty
            for none.

    Returns:
        The number of the signal that ended the run, or 0.
    """
    config = inputs.expand_image_names(config)
    place = environment.find_cluster(config.strategy)
    if place.index:
        return _follow(config, place, session)
    with remote_outputs.staged(config) as config:
        output_checks.check_output(config)
        images = inputs.read_images(config)
        with (
            prepare(config, images, session, place) as run,
            StopSignals(stop_message) as signals,
        ):
            paint(run, session, signals)
            replicas = session.replicas
            return signals.number or (replicas and replicas.stop_number) or 0


@contextlib.contextmanager
def prepare(
    config: RunConfig,
    images: ImageSet,
    session: Session,
    place: Cluster = ALONE,
) -> Iterator[PreparedRun]:
    """Opens the workdir of a run, plans the run and loads the network.

    Args:
        config: the requested options; their file names were checked.
        images: input images, read from the files of `config`.
        session: the TensorFlow session, with its networks.
        place: place of this process in the cluster; its index is 0.

    Raises:
        ConfigError: if the workdir holds another run, or images, options and
            processes disagree.
        OutOfMemoryError: if there is clearly not enough memory.
        WeightsError: if the weights cannot be loaded.
    """
    asked = RunIdentity.of_request(config, images)
    with run_directory.open_workdir(config) as folder:
        checkpoint, decided = resume.find_checkpoint(
            config.resume, asked, folder
        )
        machine = session.start(config, place)

        from tfstyle.experiment import follower

        plan = make_plan(config, images, machine, decided)
        if config.output_image:
            check_side(config.output_image, plan.frame.height, plan.frame.width)
        resources.check_memory(plan)
        extractor = session.make_extractor(plan.network)
        identity = RunIdentity.of_run(plan.config, images, extractor.sha256)
        resume.check_weights(checkpoint, identity)
        follower.check_same_run(identity, session.replicas)
        yield PreparedRun(images, plan, extractor, folder, identity, checkpoint)


def paint(run: PreparedRun, session: Session, signals: StopSignals) -> "Result":
    """Optimises the image and writes all output files.

    Args:
        run: the run, prepared in this session.
        session: the TensorFlow session, with its networks.
        signals: stop signals, which end the run at the next step.

    Raises:
        ClusterError: if another process is gone.
        NotFiniteError: if the loss stops being finite.
        WriteError: if a file cannot be written.
    """
    from tfstyle.experiment import follower
    from tfstyle.experiment.outputs import Outputs
    from tfstyle.training.stylize import iterate
    from tfstyle.training.stylize import run_to_end

    plan, extractor, folder = run.plan, run.extractor, run.folder
    config: Any = plan.config  # a RunConfig
    frame = plan.frame
    replicas, device = session.replicas, session.device
    if replicas is not None:
        device += f", {replicas.describe()}"
    logging.info(
        "%s, %s; weights: %s", device, config.precision, extractor.origin
    )
    logging.info("%dx%d pixels, workdir %s", frame.height, frame.width, folder)
    _log_task(run)
    resources.log_needs(plan, folder)
    facts = provenance.describe_weights(extractor) | run.images.describe()
    if replicas is not None:
        facts["replicas"] = str(replicas.num_replicas)
    state = run.checkpoint and run.checkpoint.state
    checkpoints = Checkpoints(
        os.path.join(folder, workdir_files.CHECKPOINTS),
        run.identity.to_json(),
        run.checkpoint and run.checkpoint.path,
    )
    every = config.checkpoint_every_seconds
    with (
        follower.leading(replicas, signals),
        _naming_last_checkpoint(checkpoints),
        resources.naming_flags_that_fit(plan),
        contextlib.ExitStack() as stack,
    ):
        outputs = Outputs(plan, run.images, folder, device, facts, state, stack)
        records = iterate(
            run.images,
            plan,
            extractor,
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


def _log_task(run: PreparedRun) -> None:
    """Logs what a missing image means, and the levels if there are several."""
    if not run.images.styles:
        logging.info(
            "No --style_images: the content image is reconstructed from its"
            " features. Add --style_images=FILE to paint it in a style"
        )
    if run.images.content is None:
        logging.info(
            "No --content_image: a texture is made of the style. Add"
            " --content_image=FILE to paint a picture in the style"
        )
    levels = run.plan.levels
    if len(levels) > 1:
        logging.info(
            "%s; the loss starts anew at each size", describe_levels(levels)
        )


def _log_end(result, path: str) -> None:
    from tfstyle.training.callbacks import describe_steps

    ends = {"steps": "Done", "converged": "Converged"}
    logging.info(
        "%s after %s, %d evaluations, %.1f s: loss %.6g",
        ends.get(result.reason, f"Stopped ({result.reason})"),
        describe_steps(result.steps),
        result.evaluations,
        result.seconds,
        result.losses["total"],
    )
    logging.info("Wrote %s", path)


@contextlib.contextmanager
def _naming_last_checkpoint(checkpoints: Checkpoints) -> Iterator[None]:
    """Adds the path of the last intact checkpoint to an error of the block."""
    try:
        yield
    except TfstyleError as error:
        path = checkpoints.path
        if path is not None and os.path.exists(path):
            error.hint = (
                f"The checkpoint {path!r} is intact: the same command continues"
                " from there; other flags need --resume=restart."
            )
        raise


def _follow(config: RunConfig, place: Cluster, session: Session) -> int:
    """Computes this process' part of the picture that process 0 paints."""
    images = inputs.read_images(config)
    machine = session.start(config, place)

    from tfstyle.experiment import follower

    own = RunIdentity.of_request(config, images, session.hash_weights(config))
    decided = follower.check_same_run(own, session.replicas)
    plan = make_plan(config, images, machine, decided)
    extractor = session.make_extractor(plan.network)
    return follower.follow(images, plan, extractor, session.replicas)
