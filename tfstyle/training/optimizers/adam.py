"""Adam over the pixels: Keras' own."""

import math

import keras
import tensorflow as tf

from tfstyle.training.compiled import compiled
from tfstyle.training.state import State


class Adam:
    """Moves an image by Adam (Kingma and Ba, 2015).

    Gradients are taken in units of the first one's root mean square, so that
    epsilon, and with it the path, does not depend on how large the loss is.

    Args:
        image: float32 variable, changed in place.
        value_and_gradient: from the image to (terms, gradient).
        learning_rate: the longest step of a value, in the image's unit.

    Attributes:
        evaluations: of `value_and_gradient` so far.
        gradient: at the image as it is.
        is_converged: always False; Adam does not know.
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
        """Evaluates the image as it is and returns its loss terms."""
        terms = self._evaluate()
        self._unit = self._unit or float(_root_mean_square(self.gradient))
        return terms

    def update_step(
        self, max_evaluations: float = math.inf, should_stop=lambda: None
    ):
        """Moves the image once and returns the loss terms of the new image.

        Args:
            max_evaluations: at least 1; a step is one evaluation.
            should_stop: never asked, as a step is a single evaluation.
        """
        del max_evaluations, should_stop
        self._move(self.gradient, tf.constant(self._unit or 1.0))
        return self._evaluate()

    def state(self) -> State:
        """Returns the state, without the image."""
        return State({"unit": [self._unit]}, self._variables())

    def restore(self, state: State) -> None:
        """Takes a state; the image must be the one it was taken with.

        Raises:
            CheckpointError: if it is not of this optimizer and image.
        """
        variables = self._variables()
        if "0" in state.arrays:  # as an earlier release named them
            variables = dict(zip("023", variables.values(), strict=True))
        for name, variable in variables.items():
            state.restore(name, variable)
        (self._unit,) = state.reals("unit", 1)

    def _variables(self) -> dict[str, tf.Variable]:
        """Returns Adam's variables: the count of steps and both moments."""
        found = {}
        for name in ("iteration", "momentum", "velocity"):
            (found[name],) = (
                variable.value
                for variable in self._adam.variables
                if variable.path.endswith(name)
            )
        return found

    def _evaluate(self):
        # The objective may be a loop on the host: no graph is made around it.
        self.evaluations += 1
        image = self._image.read_value()
        terms, self.gradient = self._value_and_gradient(image)
        return terms

    @tf.function(autograph=False)
    def _move(self, gradient, unit):
        # Not `apply`, whose graph TensorFlow would never free.
        adam = self._adam
        adam.update_step(gradient / unit, self._image, adam.learning_rate)
        adam.iterations.assign_add(1)


@compiled
def _root_mean_square(gradient):
    return tf.sqrt(tf.reduce_mean(tf.square(gradient)))
