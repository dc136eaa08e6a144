"""The average of an optimizer's iterates, which is calmer than the last."""

import tensorflow as tf

from tfstyle.training.state import State


class IterateAverage:
    """An exponential moving average of an image, bias corrected.

    `a_k = d a_(k-1) + (1 - d) x_k`, given back as `a_k / (1 - d^k)`.

    Args:
        image: variable whose values are averaged.
        decay: d, at least 0 and below 1.

    References:
        Kingma and Ba, Adam, 2015, section 7.2.
    """

    def __init__(self, image: tf.Variable, decay: float):
        self._image = image
        self._decay = decay
        self._sum = tf.Variable(tf.zeros_like(image), trainable=False)
        self._num_updates = 0

    def update(self) -> None:
        """Takes the image as it is into the average."""
        self._num_updates += 1
        self._add()

    def value(self) -> tf.Tensor:
        """Returns the average; of nothing, the image as it is."""
        if self._num_updates == 0:
            return self._image.read_value()
        return self._sum / (1 - self._decay**self._num_updates)

    def state(self) -> State:
        """Returns the average as it is."""
        return State({"num_updates": self._num_updates}, {"sum": self._sum})

    def restore(self, state: State) -> None:
        """Takes a state.

        Raises:
            CheckpointError: if it is of another image.
        """
        self._num_updates = state.integer("num_updates", 0, 10**15)
        state.restore("sum", self._sum)

    @tf.function
    def _add(self):
        share = 1 - self._decay
        self._sum.assign_add(share * (self._image - self._sum))
