"""Custom gradients that do not leak the graphs of traced functions."""

import functools
import weakref
from collections.abc import Callable

import tensorflow as tf

from tfstyle.system import private_tensorflow


def custom_gradient(function: Callable) -> Callable:
    """Returns `tf.custom_gradient(function)`, for functions of one output.

    TensorFlow registers the gradient of every traced call and thereby keeps
    its graph alive until the process ends: 20 MB per picture size. Here the
    registry has a weak reference to the gradient, and the graph a strong one.
    """
    with_gradient = tf.custom_gradient(function)

    @functools.wraps(function)
    def call(*args):
        output = with_gradient(*args)
        if not tf.executing_eagerly():
            _register_weakly(output.op)
        return output

    return call


def _register_weakly(operation: tf.Operation) -> None:
    name = operation.get_attr("_gradient_op_type").decode()
    entry = private_tensorflow.gradient_entry(name)
    if entry is None:
        return
    gradient = entry["type"]
    kept = getattr(operation.graph, "tfstyle_gradients", [])
    operation.graph.tfstyle_gradients = [*kept, gradient]
    reference = weakref.ref(gradient)
    entry["type"] = lambda *args: reference()(*args)
