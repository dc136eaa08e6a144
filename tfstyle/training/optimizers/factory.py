"""Factory of optimizers by name."""

import tensorflow as tf

from tfstyle.config.config import Config
from tfstyle.training.optimizers.adam import Adam
from tfstyle.training.optimizers.lbfgs import LBFGS
from tfstyle.training.optimizers.preconditioner import make_gains


def make_optimizer(
    config: Config, image: tf.Variable, value_and_gradient
) -> Adam | LBFGS:
    """Makes the optimizer that the options of a plan name."""
    if config.optimizer == "adam":
        return Adam(image, value_and_gradient, config.learning_rate)
    has_gains = config.preconditioner == "frequency"
    return LBFGS(
        image,
        value_and_gradient,
        config.num_correction_pairs,
        config.learning_rate,
        gains=make_gains(*image.shape[1:3]) if has_gains else None,
    )
