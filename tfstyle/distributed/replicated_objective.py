"""The objective function over replicas: exact, each with its own tiles.

Every replica runs its tile, with a halo, through the network. The sums over
positions are all-reduced outside of any tape: a gradient through the all-reduce
would be summed again and too large by the number of replicas. Each replica then
backpropagates dL/dsums to the pixels of its tile and halo, and these gradients
are added up at their positions in the frame.
"""

import dataclasses
from collections.abc import Callable
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from tfstyle.distributed.replicas import EVALUATE
from tfstyle.distributed.replicas import Replicas
from tfstyle.network.extractor import Extractor
from tfstyle.objective.gram import GramSum
from tfstyle.objective.objective import ValueAndGradient
from tfstyle.objective.options import ObjectiveOptions
from tfstyle.objective.targets import Targets
from tfstyle.objective.terms import LayerSums
from tfstyle.objective.terms import LossTerms
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


@dataclasses.dataclass(frozen=True)
class Round:
    """One tile for every replica.

    Attributes:
        tile: per-replica int32 `[2, 4]`, spans of rows and columns.
        weight: per-replica float32 scalar; 0 for a filler tile of a replica
            without work.
    """

    tile: Any
    weight: Any


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
        self.extractor = extractor
        self.replicas = replicas
        self._tile_size = tile_size
        self._names = tuple(extractor.model.output_names)

    def assign_tiles(self, size: tuple[int, int]) -> list[Round]:
        """Cuts a frame into tiles and assigns them to the replicas.

        Args:
            size: height and width of the frame, pixels.
        """
        number = self.replicas.num_replicas
        pooling = self.extractor.options.pooling
        tiles = share_frame(size, number, self._names, pooling)
        if self._tile_size and any(
            tile[0, 1] - tile[0, 0] > self._tile_size
            or tile[1, 1] - tile[1, 0] > self._tile_size
            for tile in tiles
        ):
            tiles = cut_frame(size, self._tile_size, self._names, pooling)
        rounds = []
        for start in range(0, len(tiles), number):
            assigned = tiles[start : start + number]
            weights = [1.0] * len(assigned) + [0.0] * (number - len(assigned))
            assigned += [tiles[0]] * (number - len(assigned))
            rounds.append(
                Round(
                    self._distribute([tf.constant(tile) for tile in assigned]),
                    self._distribute([tf.constant(w) for w in weights]),
                )
            )
        return rounds

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
        targets = Targets({}, dict.fromkeys(names, ()), masks, {})
        rounds = self.assign_tiles(image.shape[1:3])
        return self.sum_rounds(image, rounds, self.part(targets, rounds)).style

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
        replicas = self.replicas
        rounds = self.assign_tiles(size)
        parts = self.part(targets, rounds)
        whole = targets._replace(content={}, masks={})
        combine_losses = make_terms_and_gradients(options)

        def evaluate(image: tf.Tensor) -> tuple[LossTerms, tf.Tensor]:
            if replicas.index == 0:
                replicas.lead(EVALUATE)
            image = replicas.add_up(image)
            with replicas.waiting_for_others():
                if len(rounds) == 1:
                    (assigned,), (part,) = rounds, parts
                    return evaluate_at_once(
                        image, assigned.tile, assigned.weight, part
                    )
                return evaluate_in_rounds(image)

        @tf.function(autograph=False)
        def evaluate_at_once(image, tile, weight, part):
            def run(image, tile, weight, part):
                view = view_of(image, tile)
                reading = read_view(self.extractor, view)
                sums = sum_outputs(self.extractor, reading.outputs, tile, part)
                total = add_up_over_replicas(weigh_sums(sums, weight))
                terms, grad_image, grad_sums = combine_losses(
                    image, total, whole
                )
                by_own = weigh_sums(grad_sums, weight)
                own = gradient_of_sums(
                    self.extractor, reading, tile, part, by_own
                )
                gradient = add_up_over_replicas(_place(own, tile, image))
                if grad_image is not None:  # of pixel losses
                    gradient += grad_image
                return terms.checked(gradient), gradient

            return replicas.first(
                replicas.strategy.run(run, args=(image, tile, weight, part))
            )

        def evaluate_in_rounds(image):
            sums = self.sum_rounds(image, rounds, parts)
            terms, grad_image, grad_sums = combine_losses(image, sums, whole)
            gradient = self.gradient(image, rounds, parts, grad_sums)
            if grad_image is not None:
                gradient += grad_image
            return terms.checked(gradient), gradient

        return evaluate

    def part(self, targets: Targets, rounds: Sequence[Round]) -> list[Targets]:
        """Returns the per-replica targets of each round's own positions."""
        return [
            targets._replace(
                content={n: parts[i] for n, parts in targets.content.items()},
                masks=self._cut_masks(targets.masks, assigned.tile),
            )
            for i, assigned in enumerate(rounds)
        ]

    def sum_rounds(
        self,
        image: tf.Tensor,
        rounds: Sequence[Round],
        parts: Sequence[Targets],
    ) -> LayerSums:
        """Adds up Gram sums and content losses over rounds and replicas."""
        total = None
        for assigned, part in zip(rounds, parts, strict=True):
            with self.replicas.waiting_for_others():
                sums = self._sum(image, assigned.tile, assigned.weight, part)
            if total is not None:
                sums = tf.nest.map_structure(tf.add, total, sums)
            total = sums
        return total

    def gradient(
        self,
        image: tf.Tensor,
        rounds: Sequence[Round],
        parts: Sequence[Targets],
        grad_sums: LayerSums,
    ) -> tf.Tensor:
        """Backpropagates dL/dsums to the pixels of the whole image."""
        total = self._distribute(
            [tf.zeros_like(image)] * self.replicas.num_replicas
        )
        for assigned, part in zip(rounds, parts, strict=True):
            total = self._add_gradient_of_tiles(
                total, image, assigned.tile, assigned.weight, part, grad_sums
            )
        with self.replicas.waiting_for_others():
            return self._add_up_replicas(total)

    def _distribute(self, values: Sequence[tf.Tensor]) -> Any:
        """Distributes one value to each replica."""
        strategy = self.replicas.strategy
        return strategy.experimental_distribute_values_from_function(
            lambda context: values[context.replica_id_in_sync_group]
        )

    def _run(self, function: Callable, *arguments) -> Any:
        return self.replicas.strategy.run(function, args=arguments)

    @tf.function(autograph=False)
    def _read(self, image, tile, names):
        return self._run(
            lambda image, tile: read_tile(self.extractor, image, tile, names),
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
    def _sum(self, image, tile, weight, part):
        def run(image, tile, weight, part):
            sums = sum_tile(self.extractor, view_of(image, tile), tile, part)
            return add_up_over_replicas(weigh_sums(sums, weight))

        return self.replicas.first(self._run(run, image, tile, weight, part))

    @tf.function(autograph=False)
    def _add_gradient_of_tiles(
        self, total, image, tile, weight, part, grad_sums
    ):
        def run(total, image, tile, weight, part, grad_sums):
            reading = read_view(self.extractor, view_of(image, tile))
            by_own = weigh_sums(grad_sums, weight)
            own = gradient_of_sums(self.extractor, reading, tile, part, by_own)
            return total + _place(own, tile, image)

        return self._run(run, total, image, tile, weight, part, grad_sums)

    @tf.function(autograph=False)
    def _add_up_replicas(self, values):
        return self.replicas.first(self._run(add_up_over_replicas, values))


def add_up_over_replicas(values: Any) -> Any:
    """Sums values over the replicas; call it in a replica context."""
    context = tf.distribute.get_replica_context()
    return context.all_reduce(tf.distribute.ReduceOp.SUM, values)


def weigh_sums(sums: LayerSums, weight: tf.Tensor) -> LayerSums:
    """Multiplies sums by a replica's weight; None stays None."""
    return tf.nest.map_structure(
        lambda s: None if s is None else s * weight, sums
    )


def _place(own: tf.Tensor, tile: tf.Tensor, image: tf.Tensor) -> tf.Tensor:
    """Pads a view's pixels with zeros to their place in the frame."""
    height, width = image.shape[1:3]
    padding = [
        [0, 0],
        [tile[0, 2], height - tile[0, 3]],
        [tile[1, 2], width - tile[1, 3]],
        [0, 0],
    ]
    return tf.ensure_shape(tf.pad(own, padding), image.shape)
