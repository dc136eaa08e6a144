"""Adam over the pixels, using the Keras implementation."""

import math

import keras
import tensorflow as tf

from tfstyle.training.compiled import compiled
from tfstyle.training.state import State


class Adam:
    """Optimises an image by Adam (Kingma and Ba, 2015).

    Gradients are divided by the root mean square of the first gradient, so that
    the effect of epsilon does not depend on the magnitude of the loss.

    Args:
        image: float32 variable, changed in place.
        value_and_gradient: function from the image to (terms, gradient).
        learning_rate: approximate largest change of a value per step, in the
            image's unit.

    Attributes:
        evaluations: evaluations of `value_and_gradient` so far.
        gradient: gradient at the current image.
        is_converged: always False; Adam does not detect convergence.
    """

    is_converged = False

    def __init__(
        self, image: tf.Variable, value_and_gradient, learning_rate: float = 5.0
    ):
        self.evaluations = 0
        self._image = image
        self._value_and_gradient = value_and_gradient
        self._adam = keras.optimizers.Adam(float(learning_rate))
        self._adam.build([image])
        self.gradient = None
        self._unit = 0.0

    def start(self):
        """Evaluates the current image and returns its loss terms."""
        terms = self._evaluate()
        self._unit = self._unit or float(_root_mean_square(self.gradient))
        return terms

    def update_step(
        self, max_evaluations: float = math.inf, should_stop=lambda: None
    ):
        """Updates the image once and returns the loss terms of the new image.

        Args:
            max_evaluations: at least 1; unused, as a step is one evaluation.
            should_stop: unused, as a step is one evaluation.
        """
        del max_evaluations, should_stop
        self._move(self.gradient, tf.constant(self._unit or 1.0))
        return self._evaluate()

    def state(self) -> State:
        """Returns the state, without the image."""
        return State({"unit": [self._unit]}, self._variables())

    def restore(self, state: State) -> None:
        """Restores a state; the image must be the one it was saved with.

        Raises:
            CheckpointError: if the state does not fit this optimizer and image.
        """
        variables = self._variables()
        # An earlier release named them by Keras' positions.
        if f"{state.prefix}0" in state.arrays:
            variables = dict(zip("023", variables.values(), strict=True))
        for name, variable in variables.items():
            state.restore(name, variable)
        (self._unit,) = state.reals("unit", 1)

    def _variables(self) -> dict[str, tf.Variable]:
        """Returns Adam's variables: the number of steps and both moments."""
        found = {}
        for name in ("iteration", "momentum", "velocity"):
            (found[name],) = (
                variable.value
                for variable in self._adam.variables
                if variable.path.endswith(name)
            )
        return found

    def _evaluate(self):
        # Not in a graph: the objective may be a loop on the host.
        self.evaluations += 1
        image = self._image.read_value()
        terms, self.gradient = self._value_and_gradient(image)
        return terms

    @tf.function(autograph=False)
    def _move(self, gradient, unit):
        # TensorFlow would never free the graph of `apply`.
        adam = self._adam
        adam.update_step(gradient / unit, self._image, adam.learning_rate)
        adam.iterations.assign_add(1)


@compiled
def _root_mean_square(gradient):
    return tf.sqrt(tf.reduce_mean(tf.square(gradient)))
