"""Compares our picture with those that other programs made of the same pair.

    python tools/compare_peers.py --content=FILE --style=FILE \
        --peers=NAME=FILE,NAME=FILE --output=sheet.png [--ours=FILE]

The sheet shows content, style, our picture and the peers', at full size. Ours
is painted with the defaults at --image_size if it is not given. A JSON file
beside the sheet has for each:

- the relative style error of conv1_1 .. conv5_1 and its mean, and the relative
  content error of conv4_2. They are VGG19's as it was trained, with maximum
  pooling and zeros around, which our pictures are not optimised for. 0 is a
  perfect match;
- ripples: the power of lightness by bands of periods, 2 to 16 px, in decibels
  above the louder of content and style, over all blocks of 64 px and in the
  quiet quarter of them, where ripples are seen most (see ripples.py).

Content and style are measured at each picture's scale; in their own rows, at
our picture's. Captions, which are also printed, have the mean style error, the
content error and the quiet quarter's ripples of 2.5 to 4.2 px.
"""

import json
import os
from typing import Any

import numpy as np
import tensorflow as tf
from absl import flags
from contact_sheet import draw_sheet
from ripples import BANDS
from ripples import BLOCK
from ripples import check_size
from ripples import compare_ripples
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
from tfstyle.network.layers import BY_NAME
from tfstyle.objective.gram import gram_matrices
from tfstyle.objective.losses import relative_style_loss
from tfstyle.system import atomic_file
from tfstyle.training.extractor import make_extractor
from tfstyle.training.stylize import stylize

_CONTENT = flags.DEFINE_string("content", None, "content image", required=True)
_STYLE = flags.DEFINE_string("style", None, "style image", required=True)
_OURS = flags.DEFINE_string("ours", None, "our picture; painted if not given")
_PEERS = flags.DEFINE_list("peers", [], "NAME=FILE of other programs")
_OUTPUT = flags.DEFINE_string("output", None, "sheet, a .png", required=True)
_SIZE = flags.DEFINE_integer("image_size", 512, "of our picture, pixels", BLOCK)
_WEIGHTS = flags.DEFINE_string("weights", "auto", "as tfstyle.main takes them")
FINE = (2.5, 4.2)
"""Periods of the ripples that captions name, pixels."""


def main() -> None:
    """Reads or paints the pictures, measures them and draws the sheet."""
    peers = _parse_peers()
    names = ["content", "style", "tfstyle", *peers]
    config = Config(image_size=_SIZE.value, weights=_WEIGHTS.value)
    given = [_OURS.value] if _OURS.value else []
    content, style, *results = (
        image_files.read_image(path).pixels
        for path in (_CONTENT.value, _STYLE.value, *given, *peers.values())
    )
    sizes = [pixels.shape[:2] for pixels in results]
    if not _OURS.value:
        sizes.append(fit_size(*content.shape[:2], config.image_size))
    for size in sizes:
        check_size(*size)
        check_size(*fit_size(*style.shape[:2], max(size)))
    if not _OURS.value:
        painted = stylize(ImageSet.of_arrays(content, [style]), config)
        print(f"tfstyle: {painted.seconds:.0f} s")
        results = [painted.pixels, *results]
    judge = Config(
        weights=_WEIGHTS.value,
        pooling="max",
        padding="zero",
        convolution="direct",
        precision="float32",
    ).resolved()
    extractor = make_extractor(judge)
    sources = _at_scale(content, style, results[0])
    rows = [
        {"name": name} | _measure(extractor, judge, pixels, content, style)
        for name, pixels in zip(names, [*sources, *results], strict=True)
    ]
    path = os.path.splitext(_OUTPUT.value)[0] + ".json"
    atomic_file.write_text(path, json.dumps(rows, indent=1) + "\n")
    side = max(max(pixels.shape) for pixels in results)
    captions = [_caption(row) for row in rows]
    for name, caption in zip(names, captions, strict=True):
        print(f"{name}: {caption}")
    sheet = draw_sheet(
        [[content, style, *results]],
        [""],
        names,
        side,
        [captions],
    )
    write_image(_OUTPUT.value, sheet)
    print(_OUTPUT.value)


def _parse_peers() -> dict[str, str]:
    """Returns the peers' files by name."""
    pairs = [text.partition("=") for text in _PEERS.value]
    if wrong := [name for name, _, path in pairs if not path]:
        raise ConfigError(f"`peers` must be NAME=FILE. Received: {wrong}.")
    peers = {name: path for name, _, path in pairs}
    taken = peers.keys() & {"content", "style", "tfstyle"}
    if taken or len(peers) < len(pairs):
        raise ConfigError(
            "`peers` must have different names, other than content, style and"
            f" tfstyle. Received: {[name for name, _, _ in pairs]}."
        )
    return peers


def _measure(
    extractor: Extractor,
    config: Config,
    pixels: np.ndarray,
    content: np.ndarray,
    style: np.ndarray,
) -> dict[str, Any]:
    """Measures a picture beside content and style at its scale.

    Returns:
        `style_errors` by layer, their mean `style_error`, and `content_error`,
        all relative; `ripples_db` and `quiet_ripples_db` by band, and
        `fine_ripples_db`, the quiet quarter's of `FINE`, in decibels.
    """
    content, style = _at_scale(content, style, pixels)
    own, of_content, of_style = (
        extractor(tf.constant(preprocess(x))) for x in (pixels, content, style)
    )
    errors = {
        BY_NAME[name].alias: float(
            relative_style_loss(
                gram_matrices(own[name])[0], gram_matrices(of_style[name])[0]
            )
        )
        for name in config.style_layers
    }
    (name,) = config.content_layers
    difference = tf.nn.l2_loss(own[name] - of_content[name])
    ripples = compare_ripples(pixels, content, style, [*BANDS, FINE])
    everywhere, quiet = ripples[:, : len(BANDS)].tolist()
    labels = [f"{shortest}-{longest}" for shortest, longest in BANDS]
    return {
        "style_errors": errors,
        "style_error": float(np.mean([*errors.values()])),
        "content_error": float(difference / tf.nn.l2_loss(of_content[name])),
        "ripples_db": dict(zip(labels, everywhere, strict=True)),
        "quiet_ripples_db": dict(zip(labels, quiet, strict=True)),
        "fine_ripples_db": float(ripples[1, -1]),
    }


def _at_scale(
    content: np.ndarray, style: np.ndarray, pixels: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Resizes the content to a picture's size, the style to its long edge."""
    size = fit_size(*style.shape[:2], max(pixels.shape))
    return resize(content, *pixels.shape[:2]), resize(style, *size)


def _caption(row: dict[str, Any]) -> str:
    """Returns a picture's numbers in a few words."""
    return (
        f"style {row['style_error']:.3f}, content {row['content_error']:.2f},"
        f" ripples {row['fine_ripples_db']:+.1f} dB"
    )


if __name__ == "__main__":
    run(main)
