"""Compiled functions whose graphs do not pile up."""

import functools
from collections.abc import Callable

import tensorflow as tf

from tfstyle.system.recent import Recent

MAX_GRAPHS = 12
"""Shapes for which a function's graph is kept."""


def compiled(function: Callable) -> Callable:
    """Compiles a function of tensors, once for each shape of the first.

    `tf.function` keeps the graph of every shape to the end of the process;
    here those of the shapes used last are kept.
    """
    graphs = Recent(MAX_GRAPHS)

    @functools.wraps(function)
    def call(first, *others):
        graph = graphs.get(
            (first.shape, first.dtype),
            lambda: tf.function(function, autograph=False),
        )
        return graph(first, *others)

    return call
