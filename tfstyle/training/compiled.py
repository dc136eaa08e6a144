"""Compiled functions with one graph for images of all sizes."""

import functools
from collections.abc import Callable

import tensorflow as tf

from tfstyle.system.tensorflow_setup import without_tf32


def compiled(function: Callable) -> Callable:
    """Compiles a function of tensors once for all sizes of their axes.

    A graph never contains sizes, so results do not depend on the sizes of the
    first call. There is one graph per dtype and rank of the first tensor and
    number of tensors.

    Matrix products use full float32, even if `tf32` is enabled.
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
