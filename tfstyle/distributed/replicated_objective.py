"""The objective function over replicas: exact, each with its own tiles.

Every replica runs its tile, with a halo, through the network. The sums over
positions are all-reduced outside of any tape: a gradient through the all-reduce
would be summed again and too large by the number of replicas. Each replica then
backpropagates dL/dsums to the pixels of its tile and halo, and these gradients
are added up at their positions in the frame.
"""

from collections.abc import Callable
from collections.abc import Sequence
from typing import Any
from typing import NamedTuple

import tensorflow as tf

from tfstyle.distributed.replicas import EVALUATE
from tfstyle.distributed.replicas import Replicas
from tfstyle.distributed.replicas import add_up_over_replicas
from tfstyle.network.extractor import Extractor
from tfstyle.objective.gram import GramSum
from tfstyle.objective.objective import ValueAndGradient
from tfstyle.objective.options import ObjectiveOptions
from tfstyle.objective.targets import Targets
from tfstyle.objective.terms import LayerSums
from tfstyle.objective.terms import LossTerms
from tfstyle.objective.tile_sums import Reading
from tfstyle.objective.tile_sums import gradient_of_sums
from tfstyle.objective.tile_sums import make_terms_and_gradients
from tfstyle.objective.tile_sums import read_tile
from tfstyle.objective.tile_sums import read_view
from tfstyle.objective.tile_sums import sum_outputs
from tfstyle.objective.tile_sums import sum_tile
from tfstyle.objective.tiles import core_of_frame
from tfstyle.objective.tiles import cut_frame
from tfstyle.objective.tiles import share_frame
from tfstyle.objective.tiles import view_of


class Round(NamedTuple):
    """One tile for every replica; all fields have a value per replica.

    Attributes:
        tile: int32 `[2, 4]`, spans of rows and columns.
        weight: float32 scalar; 0 for a filler tile of a replica without work.
        targets: `Targets` of the tile's own positions.
    """

    tile: Any
    weight: Any
    targets: Any = None


class ReplicatedEvaluator:
    """Evaluator that distributes the tiles of images over replicas.

    All processes must call the same methods in the same order, with the same
    images.

    Args:
        extractor: feature extractor with at least the requested layers.
        replicas: replicas that share the work.
        tile_size: maximum edge of a tile without its halo, pixels; 0: one tile
            per replica, of any size.
    """

    def __init__(
        self, extractor: Extractor, replicas: Replicas, tile_size: int = 0
    ):
        self._extractor = extractor
        self._replicas = replicas
        self._tile_size = tile_size
        self._names = tuple(extractor.model.output_names)

    def assign_tiles(self, size: tuple[int, int]) -> list[Round]:
        """Cuts a frame into tiles and assigns them to the replicas.

        Args:
            size: height and width of the frame, pixels.

        Returns:
            Rounds without targets.
        """
        number = self._replicas.num_replicas
        pooling = self._extractor.options.pooling
        tiles = share_frame(size, number, self._names, pooling)
        longest = max((tile[:, 1] - tile[:, 0]).max() for tile in tiles)
        if self._tile_size and longest > self._tile_size:
            tiles = cut_frame(size, self._tile_size, self._names, pooling)
        num_fillers = -len(tiles) % number
        weights = [1.0] * len(tiles) + [0.0] * num_fillers
        tiles += [tiles[0]] * num_fillers
        return [
            Round(
                self._distribute(tiles[start : start + number]),
                self._distribute(weights[start : start + number]),
            )
            for start in range(0, len(tiles), number)
        ]

    def features(
        self, image: tf.Tensor, names: Sequence[str]
    ) -> dict[str, list[Any]]:
        """Returns layers' features as a list of per-replica values by round."""
        found = {name: [] for name in names}
        for assigned in self.assign_tiles(image.shape[1:3]):
            parts = self._read(image, assigned.tile, tuple(names))
            for name, part in parts.items():
                found[name].append(part)
        return found

    def gram_sums(
        self,
        image: tf.Tensor,
        names: Sequence[str],
        masks: dict[str, list[tf.Tensor]],
    ) -> dict[str, list[GramSum]]:
        """Returns layers' Gram sums of a whole image, one per mask."""
        targets = Targets({}, dict.fromkeys(names, ()), masks, {}, {})
        rounds = self._assign_targets(targets, image.shape[1:3])
        return self._sum_rounds(image, rounds).style

    def make_objective(
        self,
        targets: Targets,
        options: ObjectiveOptions,
        size: tuple[int, int],
    ) -> ValueAndGradient:
        """Makes the objective function that evaluates over replicas.

        In process 0 it first sends EVALUATE to the workers. The image is summed
        over the processes, where workers contribute zeros.
        """
        replicas = self._replicas
        rounds = self._assign_targets(targets, size)
        whole = targets._replace(content={}, masks={})
        combine_losses = make_terms_and_gradients(options)

        def evaluate(image: tf.Tensor) -> tuple[LossTerms, tf.Tensor]:
            if replicas.index == 0:
                replicas.lead(EVALUATE)
            image = replicas.add_up(image)
            if len(rounds) > 1:
                return evaluate_in_rounds(image)
            with replicas.waiting_for_others():
                return evaluate_at_once(image, rounds[0])

        @tf.function(autograph=False)
        def evaluate_at_once(image, assigned):
            def run(image, assigned):
                reading = read_view(
                    self._extractor, view_of(image, assigned.tile)
                )
                sums = sum_outputs(
                    self._extractor,
                    reading.outputs,
                    assigned.tile,
                    assigned.targets,
                )
                total = add_up_over_replicas(weigh_sums(sums, assigned.weight))
                terms, grad_image, grad_sums = combine_losses(
                    image, total, whole
                )
                own = self._backpropagate(image, reading, assigned, grad_sums)
                return finish(terms, add_up_over_replicas(own), grad_image)

            return replicas.first(self._run(run, image, assigned))

        def evaluate_in_rounds(image):
            sums = self._sum_rounds(image, rounds)
            terms, grad_image, grad_sums = combine_losses(image, sums, whole)
            gradient = self._distribute(
                [tf.zeros_like(image)] * replicas.num_replicas
            )
            for assigned in rounds:
                gradient = self._add_gradient(
                    gradient, image, assigned, grad_sums
                )
            with replicas.waiting_for_others():
                gradient = self._add_up(gradient)
            return finish(terms, gradient, grad_image)

        def finish(terms, gradient, grad_image):
            if grad_image is not None:  # of pixel losses
                gradient += grad_image
            return terms.checked(gradient), gradient

        return evaluate

    def _assign_targets(
        self, targets: Targets, size: tuple[int, int]
    ) -> list[Round]:
        """Assigns the tiles of a frame, each with its part of the targets."""
        return [
            assigned._replace(
                targets=targets._replace(
                    content={n: p[i] for n, p in targets.content.items()},
                    masks=self._cut_masks(targets.masks, assigned.tile),
                    temporal={},
                )
            )
            for i, assigned in enumerate(self.assign_tiles(size))
        ]

    def _sum_rounds(self, image: tf.Tensor, rounds: list[Round]) -> LayerSums:
        """Adds up Gram sums and content losses over rounds and replicas."""
        with self._replicas.waiting_for_others():
            total = self._sum(image, rounds[0])
            for assigned in rounds[1:]:
                sums = self._sum(image, assigned)
                total = tf.nest.map_structure(tf.add, total, sums)
        return total

    def _distribute(self, values: Sequence[Any]) -> Any:
        """Distributes one value to each replica."""
        strategy = self._replicas.strategy
        return strategy.experimental_distribute_values_from_function(
            lambda context: tf.constant(
                values[context.replica_id_in_sync_group]
            )
        )

    def _run(self, function: Callable, *arguments) -> Any:
        return self._replicas.strategy.run(function, args=arguments)

    @tf.function(autograph=False)
    def _read(self, image, tile, names):
        return self._run(
            lambda image, tile: read_tile(self._extractor, image, tile, names),
            image,
            tile,
        )

    @tf.function(autograph=False)
    def _cut_masks(self, masks, tile):
        return self._run(
            lambda tile: {
                n: [core_of_frame(mask, n, tile) for mask in each]
                for n, each in masks.items()
            },
            tile,
        )

    @tf.function(autograph=False)
    def _sum(self, image, assigned):
        def run(image, assigned):
            tile, weight, targets = assigned
            view = view_of(image, tile)
            sums = sum_tile(self._extractor, view, tile, targets)
            return add_up_over_replicas(weigh_sums(sums, weight))

        return self._replicas.first(self._run(run, image, assigned))

    @tf.function(autograph=False)
    def _add_gradient(self, total, image, assigned, grad_sums):
        def run(total, image, assigned, grad_sums):
            view = view_of(image, assigned.tile)
            reading = read_view(self._extractor, view)
            return total + self._backpropagate(
                image, reading, assigned, grad_sums
            )

        return self._run(run, total, image, assigned, grad_sums)

    @tf.function(autograph=False)
    def _add_up(self, values):
        return self._replicas.first(self._run(add_up_over_replicas, values))

    def _backpropagate(
        self,
        image: tf.Tensor,
        reading: Reading,
        assigned: Round,
        grad_sums: LayerSums,
    ) -> tf.Tensor:
        """Backpropagates dL/dsums to a replica's pixels of the whole image."""
        tile, weight, targets = assigned
        by_own = weigh_sums(grad_sums, weight)
        own = gradient_of_sums(self._extractor, reading, tile, targets, by_own)
        height, width = image.shape[1:3]
        padding = [
            [0, 0],
            [tile[0, 2], height - tile[0, 3]],
            [tile[1, 2], width - tile[1, 3]],
            [0, 0],
        ]
        return tf.ensure_shape(tf.pad(own, padding), image.shape)


def weigh_sums(sums: LayerSums, weight: tf.Tensor) -> LayerSums:
    """Multiplies sums by a replica's weight; None stays None."""
    return tf.nest.map_structure(
        lambda s: None if s is None else s * weight, sums
    )
