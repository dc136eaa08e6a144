"""Whether a picture is there already, made by the very same choices."""

from collections.abc import Callable

from tfstyle.config import flagfile
from tfstyle.config.config import Config
from tfstyle.experiment.inputs import ImageFiles
from tfstyle.images import files as image_files

OF_THE_DAY = {"versions", "result", "replicas"}
"""Facts of a picture that may differ though nothing is asked otherwise."""


def is_finished(
    config: Config, images: ImageFiles, hash_weights: Callable[[], str]
) -> bool:
    """Returns whether the config's output says that it was made by all of it.

    Its flags must be the config's, with any value where that is `auto`, and
    the hashes those of the images and weights as they are now. A picture that
    was cut short says how many steps it has, and so is none. A `time_limit`
    that it kept within does not matter.

    Args:
        config: a resolved one, with `output_image`.
        images: read from the config's files.
        hash_weights: gives the SHA-256 of the weights; asked last.
    """
    try:
        text = image_files.read_text(config.output_image) or ""
    except image_files.ImageError:
        return False
    if not text.startswith(flagfile.FIRST_LINE):
        return False
    flags, facts = flagfile.parse_text(text)
    weights = facts.pop("weights", "")
    pairs = [x[2:].partition("=") for x in config.to_flags(only_pixels=True)]
    asked = {name: value for name, _, value in pairs}
    asked.pop("time_limit", None)
    flags.pop("time_limit", None)
    is_same = flags.keys() == asked.keys() and all(
        value in ("auto", flags[name]) for name, value in asked.items()
    )
    is_same = is_same and images.describe() == {
        name: value for name, value in facts.items() if name not in OF_THE_DAY
    }
    return is_same and weights.endswith(f"sha256={hash_weights()}")
