"""Measures what the pyramid gains: one level against several, in equal time.

    python tools/compare_levels.py --content=FILE --style=FILE --output=DIR

Both runs get the same seconds of optimisation; the one of several levels
spends its share on the coarse ones by steps. The final losses at the full
size are printed, and the pictures written side by side.
"""

import os

import numpy as np
from absl import flags
from running import run

from tfstyle.config.config import Config
from tfstyle.image_files.reading import read_image
from tfstyle.image_files.writing import write_image
from tfstyle.images.image_set import ImageSet
from tfstyle.training.extractor import make_extractor
from tfstyle.training.stylize import stylize

_CONTENT = flags.DEFINE_string("content", None, "content image", required=True)
_STYLE = flags.DEFINE_string("style", None, "style image", required=True)
_OUTPUT = flags.DEFINE_string("output", None, "folder", required=True)
_SIZE = flags.DEFINE_integer("image_size", 768, "long edge in pixels")
THE_PAPER_S = {"loss_scale": "absolute", "padding": "zero", "init": "noise"}
_ALPHA = flags.DEFINE_float("content_weight", 1e-4, "alpha")
_STEPS = flags.DEFINE_list(
    "steps", ["120", "80", "40"], "of each level, coarsest first"
)


def main() -> None:
    """Runs both and prints a table."""
    content = read_image(_CONTENT.value).pixels
    style = read_image(_STYLE.value).pixels
    steps = [int(number) for number in _STEPS.value]
    several = Config(
        image_size=_SIZE.value,
        content_weight=_ALPHA.value,
        **THE_PAPER_S,
        num_levels=len(steps),
        num_steps=steps,
    )
    extractor = make_extractor(several)
    images = ImageSet.of_arrays(content, [style])
    coarse_to_fine = stylize(images, several, extractor=extractor)
    one = Config(
        image_size=_SIZE.value,
        content_weight=_ALPHA.value,
        **THE_PAPER_S,
        num_levels=1,
        time_limit=coarse_to_fine.seconds,
        num_steps=10**6,
    )
    single = stylize(images, one, extractor=extractor)
    print("levels  steps  evaluations  seconds  total  style  content")
    for levels, result in ((len(steps), coarse_to_fine), (1, single)):
        print(
            f"{levels:6}  {result.step:5}  {result.evaluations:11}"
            f"  {result.seconds:7.1f}  {result.losses['total']:.4g}"
            f"  {result.losses['weighted/style']:.4g}"
            f"  {result.losses['weighted/content']:.4g}"
        )
    os.makedirs(_OUTPUT.value, exist_ok=True)
    both = np.hstack([coarse_to_fine.pixels, single.pixels])
    path = os.path.join(_OUTPUT.value, "levels.png")
    write_image(path, both)
    print(f"{path}: {len(steps)} levels on the left, one on the right")


if __name__ == "__main__":
    run(main)
