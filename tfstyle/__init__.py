"""Neural style transfer after Gatys, Ecker and Bethge (2015).

    import tfstyle

    stylizer = tfstyle.Stylizer(image_size=512)
    result = stylizer("lake.jpg", "waves.jpg")
    result.save("painted.png")

The command line program is `python -m tfstyle.main`. Names are imported on
first use, so that importing `tfstyle` does not import TensorFlow.

Side effects on the host process, at the first computation: TensorFlow's threads
are set, if it was not used before (`intra_op_threads` and `inter_op_threads` of
a Config), memory growth and TensorFloat-32 of GPUs (`tf32`), `KERAS_BACKEND` if
unset, and with `deterministic` TensorFlow's op determinism, permanently. Log
levels, file descriptors and other environment variables are unchanged; set
`TF_CPP_MIN_LOG_LEVEL=3` beforehand to make TensorFlow quieter. While a picture
is read, Pillow's pixel limit and Python's warnings are off in all threads. No
process is started, except pip once, if Keras' weight file cannot be downloaded.
A process forked after a computation cannot compute: use tfstyle only after the
fork, or start processes by spawn.
"""

import importlib
from typing import TYPE_CHECKING

from tfstyle.version import __version__

_HOMES = {
    "Config": "tfstyle.flags.command_line",
    "ConfigError": "tfstyle.errors",
    "ImageError": "tfstyle.errors",
    "Interrupted": "tfstyle.api.callbacks",
    "Objective": "tfstyle.api.research",
    "Result": "tfstyle.api.result",
    "Step": "tfstyle.api.result",
    "Stylizer": "tfstyle.api.stylizer",
    "TfstyleError": "tfstyle.errors",
    "deprocess": "tfstyle.images.preprocessing",
    "features": "tfstyle.api.research",
    "gram_matrices": "tfstyle.api.research",
    "make_extractor": "tfstyle.training.extractor",
    "make_feature_model": "tfstyle.api.research",
    "make_objective": "tfstyle.api.research",
    "preprocess": "tfstyle.images.preprocessing",
    "read_image": "tfstyle.image_files.reading",
    "sample": "tfstyle.api.images",
    "stylize": "tfstyle.api.stylizer",
    "write_image": "tfstyle.image_files.writing",
}

if TYPE_CHECKING:
    from tfstyle.api.callbacks import Interrupted
    from tfstyle.api.images import sample
    from tfstyle.api.research import Objective
    from tfstyle.api.research import features
    from tfstyle.api.research import gram_matrices
    from tfstyle.api.research import make_feature_model
    from tfstyle.api.research import make_objective
    from tfstyle.api.result import Result
    from tfstyle.api.result import Step
    from tfstyle.api.stylizer import Stylizer
    from tfstyle.api.stylizer import stylize
    from tfstyle.errors import ConfigError
    from tfstyle.errors import ImageError
    from tfstyle.errors import TfstyleError
    from tfstyle.flags.command_line import Config
    from tfstyle.image_files.reading import read_image
    from tfstyle.image_files.writing import write_image
    from tfstyle.images.preprocessing import deprocess
    from tfstyle.images.preprocessing import preprocess
    from tfstyle.training.extractor import make_extractor

__all__ = [
    "Config",
    "ConfigError",
    "ImageError",
    "Interrupted",
    "Objective",
    "Result",
    "Step",
    "Stylizer",
    "TfstyleError",
    "__version__",
    "deprocess",
    "features",
    "gram_matrices",
    "make_extractor",
    "make_feature_model",
    "make_objective",
    "preprocess",
    "read_image",
    "sample",
    "stylize",
    "write_image",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'tfstyle' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
