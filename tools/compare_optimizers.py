"""Measures loss against evaluations, for the optimisers and their memory.

    python tools/compare_optimizers.py --content=FILE --styles=FILE,FILE \
        --image_sizes=256,512 --output=DIR

Every setting paints every style, at every size, from noise and from the
content. Each total is divided by what lbfgs with 20 correction pairs reached
after as many evaluations of the same picture; the table shows the geometric
means. `runs.jsonl` has every curve.
"""

import itertools
import json
import math
import os
import re

from absl import flags
from running import run

from tfstyle.config.config import Config
from tfstyle.image_files.reading import read_image
from tfstyle.images.image_set import ImageSet
from tfstyle.training.callbacks import EverySteps
from tfstyle.training.extractor import make_extractor
from tfstyle.training.stylize import stylize

_CONTENT = flags.DEFINE_string("content", None, "content image", required=True)
_STYLES = flags.DEFINE_list("styles", None, "style images", required=True)
_OUTPUT = flags.DEFINE_string("output", None, "folder", required=True)
_SIZES = flags.DEFINE_list("image_sizes", ["256"], "long edges in pixels")
_EVALUATIONS = flags.DEFINE_integer("evaluations", 200, "of each run")
_SETTINGS = flags.DEFINE_list(
    "settings",
    [f"lbfgs{pairs}" for pairs in (10, 20, 50, 100)]
    + [f"adam{rate}" for rate in (1, 2, 5, 10)],
    "lbfgs with correction pairs, adam with a learning rate",
)
REFERENCE = "lbfgs20"
COUNTS = (10, 20, 50, 100, 200, 500, 1000)


def main() -> None:
    """Runs every setting, then prints a table for each size and start."""
    os.makedirs(_OUTPUT.value, exist_ok=True)
    path = os.path.join(_OUTPUT.value, "runs.jsonl")
    curves = {}
    grid = list(
        itertools.product(
            _SIZES.value, ("noise", "content"), _STYLES.value, _SETTINGS.value
        )
    )
    content = read_image(_CONTENT.value).pixels
    extractor = make_extractor(Config(loss_scale="absolute"))
    with open(path, "w", encoding="utf-8") as file:
        for number, setting in enumerate(grid, start=1):
            totals = _measure(content, extractor, *setting)
            curves[setting] = totals
            line = {"run": setting, "totals": totals}
            file.write(json.dumps(line) + "\n")
            print(f"{number}/{len(grid)} {' '.join(setting)}", flush=True)
    for size, init in itertools.product(_SIZES.value, ("noise", "content")):
        _print_table(curves, size, init)


def _measure(content, extractor, size, init, style, setting):
    """Returns the lowest total after each number of evaluations."""
    optimizer, number = re.fullmatch(r"([a-z]+)([\d.]+)", setting).groups()
    own = (
        {"num_correction_pairs": int(number)}
        if optimizer == "lbfgs"
        else {"learning_rate": float(number)}
    )
    config = Config(
        image_size=int(size),
        init=init,
        loss_scale="absolute",
        optimizer=optimizer,
        preconditioner="none",
        num_levels=1,
        num_steps=10**6,
        max_evaluations=_EVALUATIONS.value,
        **own,
    )
    totals = [math.inf]

    def keep(record):
        lowest = min(totals[-1], record.losses["total"])
        totals.extend([totals[-1]] * (record.evaluations - len(totals)))
        totals.append(lowest)

    style = read_image(style).pixels
    images = ImageSet.of_arrays(content, [style])
    action = EverySteps(1, keep)
    stylize(images, config, extractor=extractor, actions=[action])
    return totals


def _print_table(curves, size, init):
    counts = [count for count in COUNTS if count <= _EVALUATIONS.value]
    print(f"\n{size} px, from {init}: total after evaluations, {REFERENCE} = 1")
    print("setting " + "".join(f"{count:>8}" for count in counts))
    for setting in _SETTINGS.value:
        row = f"{setting:<8}"
        for count in counts:
            logs = []
            for style in _STYLES.value:
                ours = curves[size, init, style, setting]
                reference = curves[size, init, style, REFERENCE]
                ratio = _at(ours, count) / _at(reference, count)
                logs.append(math.log(ratio))
            row += f"{math.exp(sum(logs) / len(logs)):8.3f}"
        print(row)


def _at(totals, count):
    """Returns a curve's value; a run that converged stays where it ended."""
    return totals[min(count, len(totals) - 1)]


if __name__ == "__main__":
    run(main)
