"""Puts our picture beside those that other programs made of the same pair.

    python tools/compare_peers.py --content=FILE --style=FILE \
        --peers=NAME=FILE,NAME=FILE --output=sheet.png [--ours=FILE]

The sheet shows content, style, our picture and the peers', at full size. Ours
is painted with the defaults at --image_size if it is not given. Below each
stands how near it is: the relative style error, mean over conv1_1 .. conv5_1,
and the relative content error at conv4_2, of the network as it was trained with
average pooling and zeros around; 0 is a perfect match.
"""

import numpy as np
import tensorflow as tf
from absl import app
from absl import flags
from contact_sheet import draw_sheet

from tfstyle.config.config import Config
from tfstyle.images import files as image_files
from tfstyle.images.preprocessing import preprocess
from tfstyle.images.resize import fit_size
from tfstyle.images.resize import resize
from tfstyle.images.saving import write_image
from tfstyle.network.extractor import Extractor
from tfstyle.objective.gram import gram_matrices
from tfstyle.objective.losses import relative_style_loss
from tfstyle.training.extractor import make_extractor
from tfstyle.training.stylize import stylize

_CONTENT = flags.DEFINE_string("content", None, "content image", required=True)
_STYLE = flags.DEFINE_string("style", None, "style image", required=True)
_OURS = flags.DEFINE_string("ours", None, "our picture; painted if not given")
_PEERS = flags.DEFINE_list("peers", [], "NAME=FILE of other programs")
_OUTPUT = flags.DEFINE_string("output", None, "sheet, a .png", required=True)
_SIZE = flags.DEFINE_integer("image_size", 512, "of our picture, pixels", 16)
_WEIGHTS = flags.DEFINE_string("weights", "auto", "as tfstyle.main takes them")


def main(argv):
    """Reads or paints the pictures, measures them and draws the sheet."""
    if len(argv) > 1:
        raise app.UsageError(f"Flags begin with --. Received: {argv[1:]}")
    pairs = [text.partition("=") for text in _PEERS.value]
    if wrong := [name for name, _, path in pairs if not path]:
        raise app.UsageError(f"--peers takes NAME=FILE. Received: {wrong}")
    config = Config(image_size=_SIZE.value, weights=_WEIGHTS.value)
    try:
        content = image_files.read_image(_CONTENT.value).pixels
        style = image_files.read_image(_STYLE.value).pixels
        results = {
            name: image_files.read_image(path).pixels
            for name, path in [
                *([("tfstyle", _OURS.value)] if _OURS.value else []),
                *((name, path) for name, _, path in pairs),
            ]
        }
    except image_files.ImageError as error:
        raise app.UsageError(str(error)) from None
    if not _OURS.value:
        painted = stylize(content, [style], config)
        print(f"tfstyle: {painted.seconds:.0f} s")
        results = {"tfstyle": painted.pixels, **results}
    plain = Config(
        weights=_WEIGHTS.value, padding="zero", convolution="direct"
    ).resolved()
    extractor = make_extractor(plain)
    captions = ["", ""]
    for name, pixels in results.items():
        errors, content_error = _measure(
            extractor, plain, pixels, content, style
        )
        captions.append(
            f"style {np.mean(errors):.3f}, content {content_error:.2f}"
        )
        by_layer = " ".join(f"{error:.3f}" for error in errors)
        print(f"{name}: {captions[-1]}; by layer {by_layer}")
    side = max(max(pixels.shape) for pixels in results.values())
    columns = ["content", "style", *results]
    row = [content, style, *results.values()]
    sheet = draw_sheet([row], [""], columns, side, [captions])
    write_image(_OUTPUT.value, sheet)
    print(_OUTPUT.value)


def _measure(
    extractor: Extractor,
    config: Config,
    pixels: np.ndarray,
    content: np.ndarray,
    style: np.ndarray,
) -> tuple[list[float], float]:
    """Returns the relative style error by layer and that of the content.

    Content and style are brought to the picture's size and long edge.
    """
    long_edge = max(pixels.shape)
    style = resize(style, *fit_size(*style.shape[:2], long_edge))
    content = resize(content, *pixels.shape[:2])
    ours, theirs, known = (
        extractor(tf.constant(preprocess(x))) for x in (pixels, style, content)
    )
    errors = [
        float(
            relative_style_loss(
                gram_matrices(ours[name])[0], gram_matrices(theirs[name])[0]
            )
        )
        for name in config.style_layers
    ]
    (name,) = config.content_layers
    difference = tf.nn.l2_loss(ours[name] - known[name])
    return errors, float(difference / tf.nn.l2_loss(known[name]))


if __name__ == "__main__":
    app.run(main)
