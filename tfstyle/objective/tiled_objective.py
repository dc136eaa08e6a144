"""The objective function tile by tile: exact, in bounded memory.

Gram matrices and content losses are sums over positions. A first pass over the
tiles adds up these sums; the gradient of the total with respect to the sums is
small and computed at once; a second pass backpropagates it to the pixels of
each tile. A tile is evaluated with a halo as wide as its receptive fields, so
its features equal those of the whole frame; its gradient with respect to halo
pixels is added to that of the neighbouring tiles.

The first pass keeps the activations of as many tiles as memory allows; the
second recomputes the rest. The result is the same, bit for bit.
"""

import functools
from collections.abc import Callable
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfstyle.network.extractor import Extractor
from tfstyle.network.layers import BY_NAME
from tfstyle.objective import tile_sums
from tfstyle.objective.gram import GramSum
from tfstyle.objective.objective import ValueAndGradient
from tfstyle.objective.objective import make_value_and_gradient
from tfstyle.objective.options import ObjectiveOptions
from tfstyle.objective.targets import Targets
from tfstyle.objective.terms import LayerSums
from tfstyle.objective.terms import LossTerms
from tfstyle.objective.tiles import core_of_frame
from tfstyle.objective.tiles import cut_frame
from tfstyle.objective.tiles import view_of


class TiledEvaluator:
    """Evaluator that runs images of any size through the network in tiles.

    Args:
        extractor: feature extractor with at least the requested layers.
        tile_size: edge of a tile without its halo, pixels.
        num_kept: number of tiles whose activations are kept between passes.
    """

    def __init__(self, extractor: Extractor, tile_size: int, num_kept: int = 0):
        self._extractor = extractor
        self._tile_size = tile_size
        self._num_kept = num_kept
        self._names = tuple(extractor.model.output_names)

    def features(
        self, image: tf.Tensor, names: Sequence[str]
    ) -> dict[str, tf.Tensor]:
        """Returns layers' features of the whole image, joined from tiles."""
        height, width = image.shape[1:3]
        found = {}
        for name in names:
            layer = BY_NAME[name]
            size = height // layer.stride, width // layer.stride
            found[name] = np.empty((1, *size, layer.channels), np.float32)
        for tile in self._cut((height, width)):
            parts = tile_sums.read_tile(self._extractor, image, tile, names)
            for name, part in parts.items():
                core_of_frame(found[name], name, tile)[...] = part
        return {name: tf.constant(array) for name, array in found.items()}

    def gram_sums(
        self,
        image: tf.Tensor,
        names: Sequence[str],
        masks: dict[str, list[tf.Tensor]],
    ) -> dict[str, list[GramSum]]:
        """Returns layers' Gram sums of a whole image, one per mask."""
        targets = Targets({}, dict.fromkeys(names, ()), masks, {}, {})
        sums = (
            self._run(targets, tile_sums.sum_tile, tile, view_of(image, tile))
            for tile in self._cut(image.shape[1:3])
        )
        return functools.reduce(_add, sums).style

    def make_objective(
        self,
        targets: Targets,
        options: ObjectiveOptions,
        size: tuple[int, int],
    ) -> ValueAndGradient:
        """Makes the objective function that evaluates tile by tile.

        An image that fits in one tile is evaluated as a whole frame.
        """
        tiles = self._cut(size)
        if len(tiles) == 1:
            return make_value_and_gradient(self._extractor, targets, options)
        combine_losses = tile_sums.make_terms_and_gradients(options)
        gradient = tf.Variable(tf.zeros((1, *size, 3)))
        run = functools.partial(self._run, targets)

        def evaluate(image: tf.Tensor) -> tuple[LossTerms, tf.Tensor]:
            kept = []

            def read(tile: np.ndarray) -> LayerSums:
                view = view_of(image, tile)
                if len(kept) == self._num_kept:
                    return run(tile_sums.sum_tile, tile, view)
                reading = tile_sums.read_view(self._extractor, view)
                kept.append(reading)
                return run(tile_sums.sum_outputs, tile, reading.outputs)

            total = functools.reduce(_add, map(read, tiles))
            terms, grad_image, grad_sums = combine_losses(image, total, targets)
            # Pixel losses depend on the image directly.
            gradient.assign(
                tf.zeros_like(image) if grad_image is None else grad_image
            )
            for tile in tiles:
                if kept:
                    reading = kept.pop(0)
                    grad_outputs = run(
                        tile_sums.gradients_by_outputs,
                        tile,
                        reading.outputs,
                        grad_sums,
                    )
                    grad_view = reading.backpropagate(grad_outputs)
                else:
                    view = view_of(image, tile)
                    grad_view = run(
                        tile_sums.gradient_of_view, tile, view, grad_sums
                    )
                place = view_of(gradient, tile)
                place.assign(place + grad_view)
            found = tf.identity(gradient)
            return terms.checked(found), found

        return evaluate

    def _cut(self, size: tuple[int, int]) -> list[np.ndarray]:
        return cut_frame(
            size, self._tile_size, self._names, self._extractor.options.pooling
        )

    def _run(
        self,
        targets: Targets,
        function: Callable,
        tile: np.ndarray,
        image: Any,
        *grad_sums: LayerSums,
    ) -> Any:
        """Runs a function of `tile_sums` in a graph for this size of image.

        Args:
            targets: targets of the whole frame.
            function: function of extractor, image, tile, targets at the tile's
                own positions, and dL/dsums if it needs them.
            tile: int32 `[2, 4]`, spans of rows and columns.
            image: view of the tile, or the model's outputs for it.
            *grad_sums: dL/dsums, if the function needs them.
        """
        parts = _own_targets(targets, tile)
        specs = [
            tf.nest.map_structure(tf.TensorSpec.from_tensor, image),
            tf.TensorSpec([2, 4], tf.int32),
            tf.nest.map_structure(_of_any_size, parts),
            *tf.nest.map_structure(tf.TensorSpec.from_tensor, grad_sums),
        ]
        graph = self._extractor.caches.graphs.get(
            (function, str(specs)),
            lambda: tf.function(
                functools.partial(function, self._extractor),
                autograph=False,
                input_signature=specs,
            ),
        )
        return graph(image, tf.constant(tile), parts, *grad_sums)


def _add(total: LayerSums, sums: LayerSums) -> LayerSums:
    return tf.nest.map_structure(tf.add, total, sums)


def _own_targets(targets: Targets, tile: np.ndarray) -> Targets:
    """Returns the targets needed for the sums over a tile's own positions."""
    return Targets(
        content={
            name: core_of_frame(target, name, tile)
            for name, target in targets.content.items()
        },
        style=dict.fromkeys(targets.style, ()),
        masks={
            name: [core_of_frame(mask, name, tile) for mask in masks]
            for name, masks in targets.masks.items()
        },
        content_energy={},
        temporal={},
    )


def _of_any_size(part: tf.Tensor) -> tf.TensorSpec:
    return tf.TensorSpec([1, None, None, part.shape[-1]], part.dtype)
