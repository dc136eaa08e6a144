"""Tests, in packages that mirror those of tfstyle."""

import pathlib

from tfstyle.system import processors

ROOT = pathlib.Path(__file__).parents[1]

processors.request_onednn()  # as the program, before TensorFlow is imported
