"""The command line program: python -m tfstyle.main --flagfile=..."""

import dataclasses
import logging as standard_logging
import os
import sys

from absl import app
from absl import flags
from absl import logging

from tfstyle import config_flags
from tfstyle.config import Config
from tfstyle.config_checks import ConfigError
from tfstyle.one_line import one_line

config_flags.define_flags()


def main(config: Config) -> int:
    """Runs the command line's job; returns the exit status."""
    handler = logging.get_absl_handler()
    handler.setFormatter(standard_logging.Formatter("%(message)s"))
    try:
        work = _export if config.export_dir else _paint
        return work(config.resolved())
    except KeyboardInterrupt:
        return 130
    except (ArithmeticError, OSError, RuntimeError, ValueError) as error:
        is_ours = type(error).__module__.startswith("tfstyle.")
        if not is_ours and not isinstance(error, OSError):
            raise
        print(f"error: {one_line(str(error), 5000)}", file=sys.stderr)
        return 2 if isinstance(error, ConfigError) else 1


def _paint(config: Config) -> int:
    """Checks, reads, loads TensorFlow and runs, in this order."""
    from tfstyle import cluster
    from tfstyle import image_files
    from tfstyle import resume
    from tfstyle import workdir

    config.check_images(
        config.content_image is not None,
        len(config.style_images),
        len(config.content_masks),
        len(config.style_masks),
    )
    place = cluster.find_cluster(config.strategy)
    if place.index:
        images = image_files.read_image_files(config)
        return _run(config, place, images)
    workdir.check_output(config)
    images = image_files.read_image_files(config)
    with workdir.open_workdir(config) as folder:
        checkpoint = resume.find_checkpoint(config, images, folder)
        config = resume.settle(config, checkpoint)
        return _run(config, place, images, folder, checkpoint)


def _run(config: Config, place, images, folder=None, checkpoint=None) -> int:
    """Paints in process 0, and does the others' part in them."""
    config, device, replicas = _start_tensorflow(config, place)

    from tfstyle import features
    from tfstyle import job
    from tfstyle import levels
    from tfstyle import memory
    from tfstyle import peers

    # A size that cannot be is told before weights are fetched.
    size = levels.output_size(images.content, images.styles, config)
    if folder is not None:
        config = memory.settle(config, *size, replicas)
    extractor = features.make_extractor(config)
    config = peers.check_alike(config, images, extractor.sha256, replicas)
    if folder is None:
        number = peers.follow(config, images, extractor, replicas)
    else:
        number = peers.lead(
            replicas,
            lambda: job.run_job(
                config, images, extractor, device, folder, checkpoint, replicas
            ),
        )
    return 128 + number if number else 0


def _export(config: Config) -> int:
    """Writes the feature extractor as a SavedModel."""
    config = dataclasses.replace(
        config, convolution="direct", strategy="one_device"
    )
    config, device, _ = _start_tensorflow(config)

    from tfstyle import export
    from tfstyle import features

    extractor = features.make_extractor(config)
    logging.info("%s; weights: %s", device, extractor.origin)
    verbosity = logging.get_verbosity()
    if verbosity == logging.INFO:  # TensorFlow would tell how it saves
        logging.set_verbosity(logging.WARNING)
    path = export.export_extractor(extractor, config, config.export_dir)
    logging.set_verbosity(verbosity)
    logging.info("Wrote %s", path)
    return 0


def _start_tensorflow(config: Config, place=None):
    """Returns the config with its `auto`s settled, the device and replicas."""
    from tfstyle import runtime

    verbose = flags.FLAGS.verbosity > 0
    runtime.start_tensorflow(
        intra_op_threads=config.intra_op_threads,
        inter_op_threads=config.inter_op_threads,
        tf32=config.tf32,
        deterministic=config.deterministic,
        verbose=verbose,
    )
    from tfstyle import replicas

    config = replicas.choose_strategy(config, place)
    shared = replicas.make_replicas(config, place)
    device = runtime.use_devices(verbose=verbose)
    runtime.warn_of_unused_gpus()
    return runtime.resolve_for_machine(config), device, shared


def run() -> None:
    """Runs the program on the command line of this process."""
    if sys.stderr is None:
        # Else the next file opened would take its number and its messages.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115
    app.run(main, flags_parser=config_flags.parse)


if __name__ == "__main__":
    run()
