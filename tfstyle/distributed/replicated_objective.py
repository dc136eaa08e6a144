"""The hinge over replicas: exact, each replica with its own tiles of the frame.

Every replica takes its tile, with a halo, through the network. The sums over
positions are added up over all replicas outside of any tape: a gradient that
went through that sum would be summed again, as many times too large. Each
replica then takes the gradient by the total sums back to the pixels that it
sees, and these gradients are added up where they lie in the frame.
"""

import tensorflow as tf

from tfstyle.config.config import Config
from tfstyle.distributed.replicas import EVALUATE
from tfstyle.distributed.replicated_reader import ReplicatedExtractor
from tfstyle.distributed.replicated_reader import add_up_over_replicas
from tfstyle.distributed.replicated_reader import weigh_sums
from tfstyle.objective.objective import LossTerms
from tfstyle.objective.objective import ValueAndGradient
from tfstyle.objective.targets import Targets
from tfstyle.objective.tiled_objective import gradient_of_sums
from tfstyle.objective.tiled_objective import make_terms_and_gradients
from tfstyle.objective.tiled_objective import sum_tile
from tfstyle.objective.tiles import view_of


def make_replicated_value_and_gradient(
    reader: ReplicatedExtractor,
    targets: Targets,
    config: Config,
    size: tuple[int, int],
) -> ValueAndGradient:
    """Makes the hinge that evaluates over replicas.

    In process 0 it tells the others that there is an image to evaluate. The
    image is added up over the processes: the others give zeros.

    Args:
        reader: of at least the layers in `targets`.
        targets: what `compute_targets` returned with this reader.
        config: a resolved one; gives the weights.
        size: height and width of the image, pixels.

    Returns:
        A function from float32 `[1, H, W, 3]` to the image's `LossTerms` and
        the gradient of the total, float32 `[1, H, W, 3]`.
    """
    replicas = reader.replicas
    rounds = reader.deal(size)
    parts = reader.part(targets, rounds)
    whole = targets._replace(content={}, masks={})
    weigh = make_terms_and_gradients(config)

    def evaluate(image: tf.Tensor) -> tuple[LossTerms, tf.Tensor]:
        if replicas.index == 0:
            replicas.lead(EVALUATE)
        image = replicas.add_up(image)
        with replicas.naming_lost():
            if len(rounds) == 1:
                (dealt,), (part,) = rounds, parts
                return evaluate_at_once(image, dealt.tile, dealt.weight, part)
            return evaluate_in_rounds(image)

    @tf.function
    def evaluate_at_once(image, tile, weight, part):
        def run(image, tile, weight, part):
            view = view_of(image, tile)
            with tf.GradientTape() as tape:
                tape.watch(view)
                sums = sum_tile(reader.extractor, view, tile, part)
            total = add_up_over_replicas(weigh_sums(sums, weight))
            terms, by_image, by_sums = weigh(image, total, whole)
            by_own = weigh_sums(by_sums, weight)
            own = gradient_of_sums(tape, sums, view, by_own)
            gradient = add_up_over_replicas(_place(own, tile, image))
            if by_image is not None:  # the image's own losses'
                gradient += by_image
            return terms, gradient

        return replicas.first(
            replicas.strategy.run(run, args=(image, tile, weight, part))
        )

    def evaluate_in_rounds(image):
        sums = reader.sum_rounds(image, rounds, parts)
        terms, by_image, by_sums = weigh(image, sums, whole)
        gradient = reader.gradient(image, rounds, parts, by_sums)
        if by_image is not None:
            gradient += by_image
        return terms, gradient

    return evaluate


def _place(own: tf.Tensor, tile: tf.Tensor, image: tf.Tensor) -> tf.Tensor:
    """Returns a view's pixels at their place in a frame of zeros."""
    height, width = image.shape[1:3]
    padding = [
        [0, 0],
        [tile[0, 2], height - tile[0, 3]],
        [tile[1, 2], width - tile[1, 3]],
        [0, 0],
    ]
    return tf.ensure_shape(tf.pad(own, padding), image.shape)
