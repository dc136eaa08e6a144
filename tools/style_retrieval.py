"""Measures whether Gram matrices tell styles apart better than activations.

    tfstyle --preset=export --export_dir=runs/features
    python tools/style_retrieval.py --model=runs/features/1 --output=DIR \
        --images=FOLDER

FOLDER holds one sub-folder of pictures for every style, whose middle squares
are compared; or pictures, each a style, from which crops are cut. For every
layer each square is given to the class of its nearest neighbour among all
others, by the angle between raw activations and by the angle between Gram
matrices. The share that is right is printed and drawn in `retrieval.png`.

Gatys, Ecker and Bethge (2015) conjecture that the latter is the larger.
"""

import glob
import json
import os

import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
from absl import flags
from running import run

from tfstyle.errors import ConfigError
from tfstyle.image_files.paths import expand_names
from tfstyle.image_files.reading import read_image
from tfstyle.images.resize import fit_size
from tfstyle.images.resize import resize

_MODEL = flags.DEFINE_string("model", None, "SavedModel", required=True)
_IMAGES = flags.DEFINE_string("images", None, "folder", required=True)
_OUTPUT = flags.DEFINE_string("output", None, "folder", required=True)
_SIDE = flags.DEFINE_integer("side", 128, "of pictures and crops, pixels", 16)
_CROPS = flags.DEFINE_integer("crops", 12, "of every picture", 2)
_LONG_EDGE = flags.DEFINE_integer(
    "long_edge", 640, "to which a picture is resized before it is cut", 16
)
_SEED = flags.DEFINE_integer("seed", 0, "of where crops are cut")


def main() -> None:
    """Prints a table of accuracies and draws it."""
    pixels, labels = read_classes(_IMAGES.value)
    model = tf.saved_model.load(_MODEL.value)
    with open(
        os.path.join(_MODEL.value, "assets", "tfstyle.json"), encoding="utf-8"
    ) as file:
        layers = json.load(file)["style_layers"]
    activations, grams = describe(model, pixels, layers)
    chance = np.bincount(labels).max() / len(labels)
    print(f"{len(labels)} pictures, {labels.max() + 1} styles")
    print(f"{'layer':<14}{'activations':>12}{'Gram':>8}")
    shares = []
    for name in layers:
        share = [retrieve(x[name], labels) for x in (activations, grams)]
        shares.append(share)
        print(f"{name:<14}{share[0]:12.3f}{share[1]:8.3f}")
    print(f"{'chance':<14}{chance:12.3f}{chance:8.3f}")
    os.makedirs(_OUTPUT.value, exist_ok=True)
    path = os.path.join(_OUTPUT.value, "retrieval.png")
    draw_bars(path, layers, shares, chance)
    print(path)


def read_classes(folder: str) -> tuple[np.ndarray, np.ndarray]:
    """Reads pictures by sub-folder, or crops by picture.

    Returns:
        uint8 `[B, side, side, 3]`, RGB, and int `[B]`, the number of the class.
    """
    folders = sorted(glob.glob(os.path.join(glob.escape(folder), "*/")))
    if folders:
        classes = [
            [_middle(path) for path in expand_names([style])]
            for style in folders
        ]
    else:
        generator = np.random.default_rng(_SEED.value)
        paths = expand_names([folder])
        classes = [_crops(path, generator) for path in paths]
    if len(classes) < 2:
        raise ConfigError(
            "`images` must hold two styles or more, as pictures or as"
            f" sub-folders of pictures. Received: {len(classes)} in {folder!r}."
        )
    labels = np.repeat(np.arange(len(classes)), [len(c) for c in classes])
    return np.concatenate(classes), labels


def _middle(path: str) -> np.ndarray:
    """Reads the largest square in the middle of a picture."""
    pixels = read_image(path).pixels
    edge = min(pixels.shape[:2])
    top, left = ((extent - edge) // 2 for extent in pixels.shape[:2])
    square = pixels[top : top + edge, left : left + edge]
    return resize(square, _SIDE.value, _SIDE.value)


def _crops(path: str, generator: np.random.Generator) -> list[np.ndarray]:
    """Cuts squares out of a picture, at random places."""
    pixels, side = read_image(path).pixels, _SIDE.value
    size = fit_size(*pixels.shape[:2], _LONG_EDGE.value)
    if min(size) < side:
        raise ConfigError(
            f"`long_edge` makes {path!r} {size[1]}x{size[0]} pixels, less than"
            f" a crop of {side}. Raise it, or lower --side."
        )
    pixels = resize(pixels, *size)
    crops = []
    for _ in range(_CROPS.value):
        top, left = (generator.integers(0, edge - side + 1) for edge in size)
        crops.append(pixels[top : top + side, left : left + side])
    return crops


def describe(model, pixels: np.ndarray, layers: list[str]):
    """Returns raw activations and Gram matrices, `[B, D]` by layer."""
    activations = {name: [] for name in layers}
    grams = {name: [] for name in layers}
    for image in pixels:
        batch = tf.constant(image[np.newaxis])
        features = model.signatures["serve_uint8"](images=batch)
        found = model.signatures["gram"](images=tf.cast(batch, tf.float32))
        for name in layers:
            activations[name].append(np.ravel(features[name]))
            upper = np.triu_indices(found[name].shape[-1])
            grams[name].append(found[name].numpy()[0][upper])
    return tuple(
        {name: np.stack(rows) for name, rows in each.items()}
        for each in (activations, grams)
    )


def retrieve(vectors: np.ndarray, labels: np.ndarray) -> float:
    """Returns the share whose nearest neighbour by angle is of its class."""
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    similarity = unit @ unit.T
    np.fill_diagonal(similarity, -np.inf)
    return float(np.mean(labels[similarity.argmax(axis=1)] == labels))


def draw_bars(
    path: str, layers: list[str], shares: list[list[float]], chance: float
) -> None:
    """Draws two bars per layer, and a line at chance, to a PNG file."""
    figure, axes = plt.subplots(figsize=(1.5 * len(layers) + 1, 4))
    places = np.arange(len(layers))
    for number, name in enumerate(("activations", "Gram")):
        heights = [share[number] for share in shares]
        axes.bar(places + 0.4 * number, heights, 0.4, label=name)
    axes.axhline(chance, color="black", linestyle="--", label="chance")
    axes.set_xticks(places + 0.2, layers)
    axes.set_ylim(0, 1)
    axes.set_ylabel("share of right styles")
    axes.legend()
    figure.savefig(path)


if __name__ == "__main__":
    run(main)
