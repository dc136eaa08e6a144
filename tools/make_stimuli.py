"""Makes textures of growing layer sets, as stimuli for studies of perception.

    python tools/make_stimuli.py --style=FILE --output=DIR

For each set of layers (conv1_1; conv1_1 and conv2_1; and so on) and each seed,
one texture whose Gram matrices of these layers are those of the style picture,
and of no others. DIR gets the pictures, the style picture at their size
(`original.png`), `stimuli.csv` with one line a picture, and `sheet.png`, which
shows all. In the table, `gram_error/LAYER` is how far the picture's Gram matrix
is from the original's, `|G - A| / |A|`, at layers of the set and all others;
`luminance` and `contrast` are the mean and deviation of Rec. 601 Y, 0..255.

Gatys, Ecker and Bethge (2015) imagine such images, which share some image
statistics and differ in others, for experiments in vision.
"""

import csv
import os
from collections.abc import Sequence

import numpy as np
import tensorflow as tf
from absl import flags
from contact_sheet import draw_sheet
from running import run

from tfstyle.config.config import Config
from tfstyle.errors import ConfigError
from tfstyle.image_files import reading as image_files
from tfstyle.image_files.writing import write_image
from tfstyle.images.image_set import ImageSet
from tfstyle.images.preprocessing import preprocess
from tfstyle.images.resize import fit_size
from tfstyle.images.resize import resize
from tfstyle.network.extractor import Extractor
from tfstyle.objective.gram import gram_matrices
from tfstyle.training.extractor import make_extractor
from tfstyle.training.stylize import stylize

_STYLE = flags.DEFINE_string("style", None, "style image", required=True)
_OUTPUT = flags.DEFINE_string("output", None, "new folder", required=True)
_SIZE = flags.DEFINE_integer("image_size", 256, "long edge in pixels", 16)
_STEPS = flags.DEFINE_integer("num_steps", 300, "of each texture", 1)
_WEIGHTS = flags.DEFINE_string("weights", "auto", "as tfstyle.main takes them")
_LAYERS = flags.DEFINE_list(
    "layers",
    ["conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv5_1"],
    "the first set has the first, each next one more",
)
_SEEDS = flags.DEFINE_list("seeds", ["0", "1", "2"], "of the noise")
LUMINANCE = np.array([0.299, 0.587, 0.114])
COLUMNS = (
    *("file", "num_layers", "layers", "seed"),
    *("steps", "evaluations", "style_loss"),
)


def main() -> None:
    """Makes the pictures, the table and the sheet."""
    folder = _OUTPUT.value
    if os.path.isdir(folder) and os.listdir(folder):
        raise ConfigError(f"`output` must be empty. Received: {folder!r}.")
    configs = _make_configs()
    style = image_files.read_image(_STYLE.value).pixels
    size = fit_size(*style.shape[:2], configs[-1].image_size)
    extractor = make_extractor(configs[-1])
    layers = configs[-1].style_layers
    original = resize(style, *size)
    grams = _grams(extractor, original, layers)
    os.makedirs(folder, exist_ok=True)
    write_image(os.path.join(folder, "original.png"), original)
    row = _measure(extractor, original, grams)
    textures = []
    with open(
        os.path.join(folder, "stimuli.csv"), "w", encoding="utf-8", newline=""
    ) as file:
        table = csv.DictWriter(file, [*COLUMNS, *row])
        table.writeheader()
        table.writerow({"file": "original.png", **row})
        for number, config in enumerate(configs, start=1):
            result = stylize(
                ImageSet.of_arrays(None, [style]), config, extractor=extractor
            )
            num_layers = len(config.style_layers)
            name = f"layers{num_layers}_seed{config.seed}.png"
            write_image(os.path.join(folder, name), result.pixels)
            table.writerow(
                {
                    "file": name,
                    "num_layers": num_layers,
                    "layers": " ".join(config.style_layers),
                    "seed": config.seed,
                    "steps": result.step,
                    "evaluations": result.evaluations,
                    "style_loss": f"{result.losses['total']:.6g}",
                    **_measure(extractor, result.pixels, grams),
                }
            )
            file.flush()
            textures.append(result.pixels)
            seconds = f"{result.seconds:.0f} s"
            print(f"{number}/{len(configs)} {name}, {seconds}", flush=True)
    seeds = len(_SEEDS.value)
    starts = range(0, len(textures), seeds)
    sheet = draw_sheet(
        [[original], *(textures[i : i + seeds] for i in starts)],
        ["original", *(f"+ {layer}" for layer in _LAYERS.value)],
        [f"seed {seed}" for seed in _SEEDS.value],
    )
    path = os.path.join(folder, "sheet.png")
    write_image(path, sheet)
    print(path)


def _make_configs() -> list[Config]:
    """Returns the choices for every texture: seeds within sets of layers."""
    sets = [_LAYERS.value[: n + 1] for n in range(len(_LAYERS.value))]
    return [
        Config(
            content_layers=_LAYERS.value[:1],
            style_layers=layers,
            image_size=_SIZE.value,
            tv_weight=0.0,
            chroma_weight=0.0,
            pooling="average",
            padding="zero",
            num_levels=1,
            num_steps=_STEPS.value,
            weights=_WEIGHTS.value,
            seed=int(seed),
        )
        for layers in sets
        for seed in _SEEDS.value
    ]


def _grams(
    extractor: Extractor, pixels: np.ndarray, layers: Sequence[str]
) -> dict[str, np.ndarray]:
    """Returns the normalised Gram matrices of uint8 pixels, by layer."""
    features = extractor(tf.constant(preprocess(pixels)))
    return {n: gram_matrices(features[n]).numpy()[0] for n in layers}


def _measure(
    extractor: Extractor, pixels: np.ndarray, grams: dict[str, np.ndarray]
) -> dict[str, object]:
    """Returns a picture's own columns: size, luminance and Gram errors."""
    y = pixels @ LUMINANCE
    own = _grams(extractor, pixels, tuple(grams))
    row = {
        "height": pixels.shape[0],
        "width": pixels.shape[1],
        "luminance": f"{y.mean():.2f}",
        "contrast": f"{y.std():.2f}",
    }
    for name, gram in grams.items():
        error = np.linalg.norm(own[name] - gram) / np.linalg.norm(gram)
        row[f"gram_error/{name}"] = f"{error:.3g}"
    return row


if __name__ == "__main__":
    run(main)
