"""The command line program: python -m tfstyle.main --flagfile=..."""

import dataclasses
import logging as standard_logging
import os
import sys

from absl import app
from absl import flags
from absl import logging

from tfstyle import config_flags
from tfstyle.config import INITS
from tfstyle.config import Config
from tfstyle.config import ConfigError

config_flags.define_flags()


def main(config: Config) -> int:
    """Runs one job; returns the exit status."""
    handler = logging.get_absl_handler()
    handler.setFormatter(standard_logging.Formatter("%(message)s"))
    try:
        return _stylize_files(config.resolved())
    except KeyboardInterrupt:
        return 130
    except (ArithmeticError, OSError, RuntimeError, ValueError) as error:
        if not type(error).__module__.startswith("tfstyle."):
            raise
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2 if isinstance(error, ConfigError) else 1


def _stylize_files(config: Config) -> int:
    """Reads the images, paints and writes; returns the exit status."""
    from tfstyle import image_io
    from tfstyle import runtime
    from tfstyle import workdir

    config.check_images(bool(config.content_image), len(config.style_images))
    workdir.check_output(config)

    def read(path):
        return image_io.read_image(path, config.max_image_pixels)

    content = read(config.content_image) if config.content_image else None
    styles = [read(path).pixels for path in config.style_images]
    initial_image = None if config.init in INITS else read(config.init).pixels
    device = runtime.start_tensorflow(
        config.intra_op_threads,
        config.inter_op_threads,
        verbose=flags.FLAGS.verbosity > 0,
    )

    from tfstyle import atomic_file
    from tfstyle import features
    from tfstyle import metric_writers
    from tfstyle import periodic_actions
    from tfstyle import progress
    from tfstyle import provenance
    from tfstyle import stylization

    pixels = None if content is None else content.pixels
    height, width = stylization.output_size(pixels, styles, config)
    if config.output_image:
        image_io.check_side(config.output_image, height, width)
    extractor = features.make_extractor(config)
    folder = workdir.make_workdir(config)
    logging.info("%s; weights: %s", device, extractor.origin)
    logging.info("%dx%d pixels, workdir %s", width, height, folder)
    facts = {"weights": f"{extractor.origin} sha256={extractor.sha256}"}
    if content is not None:
        facts["content_image"] = provenance.describe_image(content.pixels)
    for number, style in enumerate(styles, start=1):
        facts[f"style_images {number}"] = provenance.describe_image(style)
    if initial_image is not None:
        facts["init"] = provenance.describe_image(initial_image)
    flags_path = os.path.join(folder, "flags.cfg")
    flag_lines = config.to_flags(only_pixels=True)
    atomic_file.write_text(flags_path, provenance.make_text(flag_lines, facts))
    metrics = metric_writers.JsonLinesWriter(f"{folder}/metrics.jsonl")
    bar = progress.make_progress()
    with runtime.StopSignals() as signals:
        try:
            result = stylization.stylize(
                pixels,
                styles,
                config,
                initial_image=initial_image,
                extractor=extractor,
                actions=[
                    periodic_actions.EverySteps(
                        config.log_every_steps, metrics
                    ),
                    bar,
                    signals,
                ],
            )
        finally:
            bar.close()
            metrics.close()
        if result.reason not in ("steps", "converged", "max_evaluations"):
            # What ended it is of that day; so many steps make it again.
            config = dataclasses.replace(
                config, num_steps=result.step, time_limit=None
            )
        facts["result"] = (
            f"step={result.step} evaluations={result.evaluations} "
        ) + " ".join(f"{k}={v:.9g}" for k, v in result.losses.items())
        flag_lines = config.to_flags(only_pixels=True)
        text = provenance.make_text(flag_lines, facts)
        alpha = None if content is None else content.alpha
        if alpha is not None:
            alpha = image_io.resize(alpha, height, width)
        output = config.output_image or os.path.join(folder, "output.png")
        image_io.write_image(output, result.pixels, alpha, text)
        atomic_file.write_text(flags_path, text)
    logging.info(
        "%s after %d steps, %d evaluations, %.1f s: loss %.6g",
        result.reason,
        result.step,
        result.evaluations,
        result.seconds,
        result.losses["total"],
    )
    logging.info("Wrote %s", output)
    return 128 + signals.number if signals.number else 0


def run() -> None:
    """Runs the program on the command line of this process."""
    if sys.stderr is None:
        # Else the next file opened would take its number and its messages.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115
    app.run(main, flags_parser=config_flags.parse)


if __name__ == "__main__":
    run()
