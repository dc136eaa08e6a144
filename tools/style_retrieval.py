"""Measures whether Gram matrices tell styles apart better than activations.

    tfstyle --preset=export --export_dir=runs/features
    python tools/style_retrieval.py --model=runs/features/1 --output=DIR \
        --images=FOLDER

FOLDER holds one sub-folder of pictures for every style, of which the middle
squares are taken; or pictures, of each of which crops are cut, and a picture is
a style. For every layer each square is given to the class of its nearest
neighbour among all others, by the angle between raw activations and by the
angle between Gram matrices. The share that is right is printed and drawn in
`retrieval.png`.

Gatys, Ecker and Bethge (2015) conjecture that the latter is the larger.
"""

import json
import os

import numpy as np
import tensorflow as tf
from absl import app
from absl import flags
from PIL import Image
from PIL import ImageDraw
from unused_flags import refuse_flags

from tfstyle.image_files import reading as image_files
from tfstyle.image_files.writing import write_image
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
OF_CROPS = ("crops", "long_edge", "seed")
ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff")
COLORS = {"activations": (150, 160, 175), "Gram": (25, 95, 165)}


def main(argv):
    """Prints a table of accuracies and draws it."""
    if len(argv) > 1:
        raise app.UsageError(f"Flags begin with --. Received: {argv[1:]}")
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
    rows = []
    for name in layers:
        row = name, retrieve(activations[name], labels)
        row += (retrieve(grams[name], labels),)
        rows.append(row)
        print(f"{row[0]:<14}{row[1]:12.3f}{row[2]:8.3f}")
    print(f"{'chance':<14}{chance:12.3f}{chance:8.3f}")
    os.makedirs(_OUTPUT.value, exist_ok=True)
    path = os.path.join(_OUTPUT.value, "retrieval.png")
    write_image(path, draw_bars(rows, chance))
    print(path)


def read_classes(folder: str) -> tuple[np.ndarray, np.ndarray]:
    """Reads pictures by sub-folder, or crops by picture.

    Returns:
        uint8 `[B, side, side, 3]`, RGB, and int `[B]`, the number of the class.
    """
    folders = [entry.path for entry in _entries(folder) if entry.is_dir()]
    if folders:
        reason = "Pictures of sub-folders are not cut. Leave it out."
        refuse_flags(dict.fromkeys(OF_CROPS, reason))
    classes = [
        [_middle(path) for path in paths]
        for paths in (_pictures(path) for path in folders)
        if paths
    ]
    if not folders:
        generator = np.random.default_rng(_SEED.value)
        classes = [_crops(path, generator) for path in _pictures(folder)]
    if len(classes) < 2:
        raise app.UsageError(
            "--images must hold two styles or more, as pictures or as"
            f" sub-folders of pictures. Received: {len(classes)} in {folder}"
        )
    labels = np.repeat(np.arange(len(classes)), [len(c) for c in classes])
    return np.concatenate(classes), labels


def _entries(folder: str) -> list[os.DirEntry]:
    try:
        return sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        raise app.UsageError(f"--images: {error}") from None


def _pictures(folder: str) -> list[str]:
    """Returns the paths of a folder's pictures."""
    return [
        e.path for e in _entries(folder) if e.name.lower().endswith(ENDINGS)
    ]


def _middle(path: str) -> np.ndarray:
    """Reads the largest square in the middle of a picture."""
    pixels = _read(path)
    edge = min(pixels.shape[:2])
    top, left = ((extent - edge) // 2 for extent in pixels.shape[:2])
    square = pixels[top : top + edge, left : left + edge]
    return resize(square, _SIDE.value, _SIDE.value)


def _crops(path: str, generator: np.random.Generator) -> list[np.ndarray]:
    """Cuts squares out of a picture, at random places."""
    pixels, side = _read(path), _SIDE.value
    size = fit_size(*pixels.shape[:2], _LONG_EDGE.value)
    if min(size) < side:
        raise app.UsageError(
            f"--long_edge makes a picture {size[1]}x{size[0]} pixels, less than"
            f" a crop of {side}. Raise it or lower --side. Received: {path}"
        )
    pixels = resize(pixels, *size)
    crops = []
    for _ in range(_CROPS.value):
        top, left = (generator.integers(0, edge - side + 1) for edge in size)
        crops.append(pixels[top : top + side, left : left + side])
    return crops


def _read(path: str) -> np.ndarray:
    try:
        return image_files.read_image(path).pixels
    except image_files.ImageError as error:
        raise app.UsageError(str(error)) from None


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


def draw_bars(rows: list[tuple], chance: float) -> np.ndarray:
    """Draws two bars a layer and a line at chance, uint8 `[H, W, 3]`."""
    height, left, top, width = 320, 60, 40, 110
    picture = Image.new(
        "RGB", (left + width * len(rows) + 20, top + height + 40), "white"
    )
    pen = ImageDraw.Draw(picture)
    right, bottom = left + width * len(rows), top + height
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        y = bottom - share * height
        pen.line([(left, y), (right, y)], fill=(225, 225, 225))
        pen.text((left - 8, y), f"{share:.0%}", fill="black", anchor="rm")
    for index, (name, *shares) in enumerate(rows):
        x = left + index * width + 20
        for color, share in zip(COLORS.values(), shares, strict=True):
            pen.rectangle([x, bottom - share * height, x + 33, bottom], color)
            x += 36
        pen.text((x - 36, bottom + 8), name, fill="black", anchor="mt")
    y = bottom - chance * height
    pen.line([(left, y), (right, y)], fill=(190, 60, 40), width=2)
    pen.text((right, y - 3), "chance", fill=(190, 60, 40), anchor="rb")
    x = left
    for name, color in COLORS.items():
        pen.rectangle([x, 12, x + 12, 24], color)
        pen.text((x + 18, 18), name, fill="black", anchor="lm")
        x += 120
    return np.asarray(picture)


if __name__ == "__main__":
    app.run(main)
