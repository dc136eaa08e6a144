"""One picture, from its config to its files: the steps in their order.

What is wrong with flags and files is found before TensorFlow is loaded, and a
size that cannot be before weights are fetched. So what needs TensorFlow is
imported behind its start.
"""

import contextlib
import os
import shutil
from collections.abc import Iterator

from absl import logging

from tfstyle.config.config import Config
from tfstyle.distributed import environment
from tfstyle.distributed.environment import ALONE
from tfstyle.distributed.environment import Cluster
from tfstyle.experiment import inputs
from tfstyle.experiment import resume
from tfstyle.experiment import run_directory
from tfstyle.network.weights import load_weights
from tfstyle.system import tensorflow_setup
from tfstyle.system.recent import Recent
from tfstyle.system.signals import StopSignals
from tfstyle.training.plan import make_plan
from tfstyle.training.plan import resolve_for_images

MAX_EXTRACTORS = 2
"""Networks kept at once, 0.3 GB each."""


class Machine:
    """TensorFlow, loaded once, and the networks made last.

    Args:
        verbose: whether TensorFlow's own messages reach stderr.

    Attributes:
        device: a line about what TensorFlow runs on; empty until it does.
        replicas: that share the work on every picture, or None.
    """

    def __init__(self, verbose: bool = False):
        self.device = ""
        self.replicas = None
        self._verbose = verbose
        self._extractors = Recent(MAX_EXTRACTORS)
        self._hashes = Recent(MAX_EXTRACTORS)

    def start(self, config: Config, place: Cluster = ALONE) -> Config:
        """Loads TensorFlow, once, and returns the config with its strategy.

        Args:
            config: any.
            place: of this process among those that share the work.

        Raises:
            ClusterError: if the other processes cannot be reached.
            SetupError: if the machine or its settings cannot run it.
        """
        if not self.device:
            tensorflow_setup.start_tensorflow(
                intra_op_threads=config.intra_op_threads,
                inter_op_threads=config.inter_op_threads,
                tf32=config.tf32,
                deterministic=config.deterministic,
                verbose=self._verbose,
            )
        from tfstyle.distributed import strategy

        config = strategy.choose_strategy(config, place)
        if not self.device:
            self.replicas = strategy.make_replicas(config, place)
            self.device = tensorflow_setup.use_devices(verbose=self._verbose)
            tensorflow_setup.warn_of_unused_gpus()
        return config

    def make_extractor(self, config: Config):
        """Returns the config's extractor; the last ones are kept.

        Raises:
            WeightsError: if the weights cannot be had.
        """
        from tfstyle.training.extractor import make_extractor

        key = (
            *_weights_key(config),
            config.pooling,
            config.padding,
            config.convolution,
            config.precision,
            config.content_layers,
            config.style_layers,
        )
        shared = self.replicas
        with shared.scope() if shared else contextlib.nullcontext():
            return self._extractors.get(key, lambda: make_extractor(config))

    def hash_weights(self, config: Config) -> str:
        """Returns the SHA-256 of the weights' values, without TensorFlow.

        Raises:
            WeightsError: if the weights cannot be had.
        """
        return self._hashes.get(
            _weights_key(config),
            lambda: (
                load_weights(
                    config.weights,
                    config.seed,
                    rescale_filters=config.rescale_filters,
                ).sha256
            ),
        )


def _weights_key(config: Config) -> tuple:
    is_random = config.weights == "random"
    seed = config.seed if is_random else None
    return config.weights, seed, config.rescale_filters


def paint(config: Config, machine: Machine) -> int:
    """Paints one picture.

    Args:
        config: a resolved one.
        machine: TensorFlow and the networks.

    Returns:
        The number of the signal that ended it, or 0.
    """
    check_images(config)
    place = environment.find_cluster(config.strategy)
    if place.index:
        return _follow(config, place, machine)
    run_directory.check_output(config)
    config, images = read_images(config)
    _, number = paint_images(config, images, machine, place=place)
    return number


def _follow(config: Config, place: Cluster, machine: Machine) -> int:
    """Does this process' part of the picture that process 0 paints."""
    config, images = read_images(config)
    config = machine.start(config, place)

    from tfstyle.experiment import worker

    extractor, replicas = machine.make_extractor(config), machine.replicas
    config = worker.check_same_run(config, images, extractor.sha256, replicas)
    return worker.follow(config, images, extractor, replicas)


def read_images(config: Config) -> tuple[Config, inputs.ImageFiles]:
    """Reads a config's images, and resolves what depends on them.

    Raises:
        ImageError: if one cannot be read.
    """
    images = inputs.read_image_files(config)
    return resolve_for_images(config, images.content, images.styles), images


def check_images(config: Config) -> None:
    """Checks that a config's options fit the images that it names."""
    config.check_images(
        config.content_image is not None,
        len(config.style_images),
        len(config.content_masks),
        len(config.style_masks),
    )


def paint_images(
    config: Config,
    images: inputs.ImageFiles,
    machine: Machine,
    signals: StopSignals | None = None,
    place: Cluster = ALONE,
):
    """Paints one picture whose images are read.

    Args:
        config: a resolved one, whose images and output are checked.
        images: read from the config's files.
        machine: TensorFlow and the networks.
        signals: those of a batch, whose picture this is. Then nothing is
            logged but warnings, and checkpoints are removed once
            the picture is whole.
        place: of this process, the first, among those that share the work.

    Returns:
        The `Result`, None if a signal came before it began, and the number of
        the signal that came, or 0.
    """
    is_one_of_many = signals is not None
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(run_directory.open_workdir(config))
        checkpoint = resume.find_checkpoint(config, images, folder)
        config = resume.resolve_by_checkpoint(config, checkpoint)
        config = machine.start(config, place)

        from tfstyle.experiment import run
        from tfstyle.experiment import worker

        replicas = machine.replicas
        number = replicas.num_replicas if replicas else 1
        plan = make_plan(config, images.content, images.styles, number)
        config = plan.config
        extractor = machine.make_extractor(config)
        worker.check_same_run(config, images, extractor.sha256, replicas)
        if is_one_of_many:
            stack.enter_context(quietly())
            if signals.number:
                return None, signals.number
        else:
            signals = stack.enter_context(StopSignals())
        if replicas is not None:
            replicas.find_signal = lambda: signals.number
            stack.enter_context(worker.leading(replicas))
        result = run.run_job(
            config,
            images,
            extractor,
            machine.device,
            folder,
            checkpoint,
            should_stop=lambda: (
                signals() or (replicas and replicas.name_signal())
            ),
            replicas=replicas,
        )
        is_whole = result.reason in run.WHOLE
        if is_one_of_many and is_whole:
            path = os.path.join(folder, resume.FOLDER)
            shutil.rmtree(path, ignore_errors=True)
        number = signals.number or (replicas and replicas.stop_number)
        return result, number or 0


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """Logs only warnings in the block, unless more than usual is asked for."""
    verbosity = logging.get_verbosity()
    if verbosity == logging.INFO:
        logging.set_verbosity(logging.WARNING)
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
