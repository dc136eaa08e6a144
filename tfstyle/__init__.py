"""Neural style transfer after Gatys, Ecker and Bethge (2015).

`stylize(content, styles, Config(...))` is the whole program on arrays;
`python -m tfstyle.main` is the same on files. Names are loaded when they are
first used, so that importing `tfstyle` does not import TensorFlow.
"""

import importlib

__version__ = "0.1.0"

_HOMES = {
    "Config": "tfstyle.config.config",
    "Result": "tfstyle.training.stylize",
    "make_extractor": "tfstyle.training.extractor",
    "read_image": "tfstyle.images.files",
    "stylize": "tfstyle.training.stylize",
    "write_image": "tfstyle.images.files",
}

__all__ = ["__version__", *_HOMES]


def __getattr__(name):
    if name not in _HOMES:
        raise AttributeError(f"module 'tfstyle' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__():
    return sorted(__all__)
