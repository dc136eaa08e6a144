"""Measures what average pooling gains over the network's own max pooling.

    python tools/compare_poolings.py --content_image=FILE --style_images=FILE \
        --output=DIR

Both paint the content in the style from the same noise. Alpha is that of
average pooling; for max it is changed so that style weighs against content as
it does there: the style loss of the content image over the content loss of the
style image. The first table has the total after so many evaluations, as a share
of the noise's: each network has units of its own. The second holds each result
against the other network's losses too. The third follows the gradient of
conv5_1's style loss down to the image, at the content image: its norm,
conv5_1's own as 1, and how evenly it is spread over positions, 1 if all have
the same norm. `poolings.png` shows the pictures on the way, average above max.

Flags of tfstyle.main may be given besides; those of a run's files and of its
end have no effect. --image_size is 256 and --content_weight, that of average
pooling, 1e-3 if not. Losses, padding and L-BFGS are the paper's.
"""

import dataclasses
import math
import os

import tensorflow as tf
from absl import app
from absl import flags
from contact_sheet import draw_sheet

from tfstyle.config.config import Config
from tfstyle.config.run_config import RunConfig
from tfstyle.errors import ConfigError
from tfstyle.experiment.session import Session
from tfstyle.flags.command_line import parse
from tfstyle.flags.parsers import make_flags
from tfstyle.image_files.reading import read_image
from tfstyle.image_files.writing import write_image
from tfstyle.images.image_set import ImageSet
from tfstyle.images.preprocessing import preprocess
from tfstyle.images.resize import fit_size
from tfstyle.images.resize import resize
from tfstyle.main import run_expecting_errors
from tfstyle.objective.gram import gram_matrices
from tfstyle.objective.losses import style_loss
from tfstyle.training.callbacks import EverySteps
from tfstyle.training.extractor import make_extractor
from tfstyle.training.plan import make_plan
from tfstyle.training.pyramid_objective import PyramidObjective
from tfstyle.training.stylize import stylize

_OUTPUT = flags.DEFINE_string("output", "runs/poolings", "folder")
_EVALUATIONS = flags.DEFINE_list(
    "evaluations", ["20", "50", "100", "300"], "at which to look, ascending"
)
FLAGS = make_flags()
FLAGS.append_flag_values(flags.FLAGS)
PRESET = (
    "--image_size=256",
    "--loss_scale=absolute",
    "--content_weight=1e-3",
    "--padding=zero",
    "--init=noise",
    "--preconditioner=none",
    "--num_levels=1",
    "--convolution=winograd",
    "--precision=float32",
)
OPTIONS = {field.name for field in dataclasses.fields(Config)}
POOLINGS = ("average", "max")
DEEPEST = "block5_conv1"


def main(config: RunConfig) -> int:
    """Runs both poolings, prints three tables and writes the pictures."""
    return run_expecting_errors(lambda: _compare(config))


def _compare(config: RunConfig) -> int:
    if not config.content_image or len(config.style_images) != 1:
        raise ConfigError(
            "`content_image` and one of `style_images` must be given."
        )
    content, style = (
        read_image(path, config.max_image_pixels).pixels
        for path in (config.content_image, config.style_images[0])
    )
    texts = _EVALUATIONS.value
    counts = [int(text) for text in texts if text.isdecimal()]
    if not texts or len(counts) < len(texts) or counts != sorted(set(counts)):
        raise ConfigError(
            "`evaluations` must be ascending whole numbers, such as 20,50."
            f" Received: {','.join(texts)}."
        )
    # A Config names no files: of `init` it takes none.
    config = Config(
        **{name: getattr(config, name) for name in OPTIONS}
        | {
            "num_steps": 10**6,
            "max_evaluations": counts[-1],
            "strategy": "one_device",
        }
    ).resolved()
    machine = Session().start(config)
    images = ImageSet.of_arrays(content, [style])
    alpha = config.content_weight
    size = fit_size(*images.layout_size, config.image_size)
    ends = [tf.constant(preprocess(resize(x, *size))) for x in (content, style)]
    configs, extractors, objectives, balance = {}, {}, {}, {}
    for pooling in POOLINGS:
        own = dataclasses.replace(config, pooling=pooling)
        extractor = extractors[pooling] = make_extractor(own)
        objective = _make_objective(images, own, machine, extractor)
        of_content, of_style = (objective(end)[0].weighted for end in ends)
        balance[pooling] = float(
            of_content["weighted/style"] / of_style["weighted/content"]
        )
        own = dataclasses.replace(
            own,
            content_weight=alpha * balance[pooling] / balance["average"],
        )
        configs[pooling] = own
        objectives[pooling] = _make_objective(images, own, machine, extractor)
    results, shares, pictures = {}, {}, {}
    for pooling in POOLINGS:
        results[pooling], shares[pooling], pictures[pooling] = _paint(
            images, configs[pooling], extractors[pooling], counts
        )
    print(f"alpha of max pooling: {configs['max'].content_weight:.3g}")
    print("\ntotal after evaluations, noise = 1")
    print(f"{'pooling':<14}" + "".join(f"{count:>10}" for count in counts))
    for pooling in POOLINGS:
        _print_row(pooling, shares[pooling], 10)
    print("\ntotal of the results, by either network's losses")
    print(f"{'painted with':<14}" + "".join(f"{p:>12}" for p in POOLINGS))
    for pooling in POOLINGS:
        image = tf.constant(results[pooling].image)
        totals = [float(objectives[p](image)[0].total) for p in POOLINGS]
        _print_row(pooling, totals, 12)
    print("\ngradient of conv5_1's style loss: norm, evenness")
    print(f"{'at':<14}" + "".join(f"{p:>24}" for p in POOLINGS))
    flows = [_follow(*ends, extractors[pooling]) for pooling in POOLINGS]
    for name in flows[0]:
        _print_row(name, [x for flow in flows for x in flow[name]], 12)
    os.makedirs(_OUTPUT.value, exist_ok=True)
    path = os.path.join(_OUTPUT.value, "poolings.png")
    labels = [f"{count} evaluations" for count in counts]
    rows = [pictures[pooling] for pooling in POOLINGS]
    write_image(path, draw_sheet(rows, POOLINGS, labels))
    print(f"\n{path}: average above max")
    return 0


def _make_objective(images, config, machine, extractor):
    plan = make_plan(config, images, machine)
    return PyramidObjective(images, plan, extractor).make_objective(0)


def _print_row(name, numbers, width):
    print(f"{name:<14}" + "".join(f"{x:>{width}.3g}" for x in numbers))


def _paint(images, config, extractor, counts):
    """Returns the result, and shares and pictures at numbers of evaluations."""
    totals, pictures = [], []

    def look(record):
        totals.append(record.total)
        while record.evaluations >= [*counts, math.inf][len(pictures)]:
            pictures.append((record.total / totals[0], record.pixels()))

    result = stylize(
        images, config, extractor=extractor, actions=[EverySteps(1, look)]
    )
    converged = (totals[-1] / totals[0], result.pixels)
    pictures += [converged] * (len(counts) - len(pictures))
    return result, *zip(*pictures, strict=True)


def _follow(image, style, extractor):
    """Returns a gradient's norm and evenness by layer, the image last."""
    (target,) = gram_matrices(extractor.model(style)[DEEPEST])
    with tf.GradientTape() as tape:
        tape.watch(image)
        features = extractor.model(image)
        (gram,) = gram_matrices(features[DEEPEST])
        loss = style_loss(gram, target)
    names = sorted(features, reverse=True)
    gradients = tape.gradient(loss, [*(features[n] for n in names), image])
    first = tf.norm(gradients[0])
    return {
        name: (float(tf.norm(gradient) / first), _evenness(gradient))
        for name, gradient in zip([*names, "image"], gradients, strict=True)
    }


def _evenness(gradient):
    """Returns 1 if all positions' norms are alike, 1/M if one has all."""
    norms = tf.norm(gradient, axis=-1)
    mean_square = tf.reduce_mean(tf.square(norms))
    return float(tf.square(tf.reduce_mean(norms)) / mean_square)


def _parse(argv: list[str]) -> RunConfig:
    config = parse([argv[0], *PRESET, *argv[1:]], FLAGS)
    flags.FLAGS(argv[:1])
    return config


if __name__ == "__main__":
    app.run(main, flags_parser=_parse)
