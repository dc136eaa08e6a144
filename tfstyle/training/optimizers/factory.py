"""Factory of optimizers by name."""

import tensorflow as tf

from tfstyle.training.optimizers.adam import Adam
from tfstyle.training.optimizers.lbfgs import LBFGS
from tfstyle.training.optimizers.preconditioner import make_gains


def make_optimizer(
    name: str,
    image: tf.Variable,
    value_and_gradient,
    *,
    learning_rate: float,
    num_correction_pairs: int,
    preconditioner: str,
) -> Adam | LBFGS:
    """Makes the optimizer named `adam` or `lbfgs`."""
    if name == "adam":
        return Adam(image, value_and_gradient, learning_rate)
    has_gains = preconditioner == "frequency"
    return LBFGS(
        image,
        value_and_gradient,
        num_correction_pairs,
        learning_rate,
        gains=make_gains(*image.shape[1:3]) if has_gains else None,
    )
