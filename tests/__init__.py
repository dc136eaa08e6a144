"""Tests, in packages that mirror those of tfstyle."""

import pathlib

ROOT = pathlib.Path(__file__).parents[1]
