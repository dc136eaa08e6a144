"""Command line program: python -m tfstyle.main --flagfile=..."""

import dataclasses
import logging as standard_logging
import os
import sys
from collections.abc import Callable

from absl import app
from absl import flags
from absl import logging

from tfstyle.config.run_config import RunConfig
from tfstyle.errors import escape_controls
from tfstyle.flags.command_line import parse
from tfstyle.flags.parsers import make_flags
from tfstyle.system.exit_status import status_of
from tfstyle.system.memory import check_program_fits
from tfstyle.system.remote_files import name_addresses

FLAGS = make_flags()
"""Separate from absl's flags, as other programs may import this module."""
flags.DEFINE_integer("verbosity", 0, "", short_name="v", flag_values=FLAGS)


class _Formatter(standard_logging.Formatter):
    """Formats log messages; escapes terminal control characters in them."""

    def format(self, record: standard_logging.LogRecord) -> str:
        """Returns the message of a record, escaped."""
        return escape_controls(name_addresses(super().format(record)))


def main(config: RunConfig) -> int:
    """Runs the program with a config; returns the exit status."""
    return run_expecting_errors(lambda: _run(config))


def run_expecting_errors(work: Callable[[], int]) -> int:
    """Runs a function and returns its exit status; prints expected errors."""
    handler = logging.get_absl_handler()
    handler.setFormatter(_Formatter("%(message)s"))
    return status_of(work)


def _run(config: RunConfig) -> int:
    """Paints one or many pictures, or exports; returns the exit status."""
    check_program_fits()

    from tfstyle.batch import batch
    from tfstyle.experiment.run import run_picture
    from tfstyle.experiment.session import Session

    session = Session(verbose=logging.get_verbosity() > 0)
    if config.manifest:
        return batch.run_batch(config, session)
    if config.export_dir:
        _export(config, session)
        return 0
    if config.content_video:
        from tfstyle.films.run import run_film

        number = run_film(config, session)
    else:
        number = run_picture(config, session)
    return 128 + number if number else 0


def _export(config: RunConfig, session) -> None:
    """Writes the feature extractor as a SavedModel."""
    config = dataclasses.replace(
        config.resolved(),
        convolution="direct",
        precision="float32",
        strategy="one_device",
    )
    session.start(config)

    from tfstyle.experiment.session import quietly
    from tfstyle.network.options import NetworkOptions
    from tfstyle.serving import saved_model

    extractor = session.make_extractor(NetworkOptions.of(config))
    logging.info("%s; weights: %s", session.device, extractor.origin)
    with quietly():  # hides TensorFlow's messages about saving
        path = saved_model.export_extractor(
            extractor, config, config.export_dir
        )
    logging.info("Wrote %s", path)


def _parse(argv: list[str]) -> RunConfig:
    """Parses the command line; absl's own flags keep their defaults."""
    config = parse(argv, FLAGS)
    flags.FLAGS(argv[:1])
    logging.set_verbosity(FLAGS.verbosity)
    return config


def run() -> None:
    """Runs the program with the command line of this process."""
    if sys.stderr is None:
        # Otherwise the next file opened would get descriptor 2, and messages.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115
    app.run(main, flags_parser=_parse)


if __name__ == "__main__":
    run()
