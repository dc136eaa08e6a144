"""Compiled functions, one graph for images of every size."""

import functools
from collections.abc import Callable

import tensorflow as tf

from tfstyle.system.tensorflow_setup import without_tf32


def compiled(function: Callable) -> Callable:
    """Compiles a function of tensors, once for all sizes of their axes.

    Sizes are never known to a graph: what it computes does not depend on which
    came first. Graphs differ by the first tensor's dtype and number of axes,
    and by how many tensors are given.

    Matrix products are those of float32, whatever `tf32` says.
    """
    graphs = {}

    @functools.wraps(function)
    def call(*tensors):
        key = tensors[0].dtype, tensors[0].shape.rank, len(tensors)
        if key not in graphs:
            specs = [
                tf.TensorSpec([None] * tensor.shape.rank, tensor.dtype)
                for tensor in tensors
            ]
            graphs[key] = tf.function(
                function, autograph=False, input_signature=specs
            )
        with without_tf32():
            return graphs[key](*tensors)

    return call
