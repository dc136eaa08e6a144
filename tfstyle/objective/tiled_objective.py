"""The objective function tile by tile: exact, in bounded memory.

A Gram matrix is a sum over positions, and so is the content loss. A first pass
over the tiles adds up these sums; the gradient of the total by the sums, which
are small, follows from them at once; a second pass takes it through the network
to each tile's pixels. A tile is computed with a halo as wide as its positions
see, so that it sees what the whole frame would show it; what it says of the
halo's pixels is added to its neighbours' own.

The first pass keeps the activations of as many tiles as memory allows; the
second computes the others again. The result is the same, bit for bit.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tfstyle.network.extractor import Extractor
from tfstyle.network.layers import BY_NAME
from tfstyle.objective.gram import GramSum
from tfstyle.objective.objective import ValueAndGradient
from tfstyle.objective.objective import make_value_and_gradient
from tfstyle.objective.options import ObjectiveOptions
from tfstyle.objective.targets import Targets
from tfstyle.objective.terms import LayerSums
from tfstyle.objective.terms import LossTerms
from tfstyle.objective.terms import sum_layers
from tfstyle.objective.terms import terms_of_sums
from tfstyle.objective.tiles import cut_frame
from tfstyle.objective.tiles import own_of_frame
from tfstyle.objective.tiles import view_of


class Reading(NamedTuple):
    """A tile that went through the network, with its activations.

    Attributes:
        view: float32 `[1, h, w, 3]`, the tile with its halo.
        sums: over the tile's own positions.
        tape: holds the activations until the gradient is taken.
    """

    view: tf.Tensor
    sums: LayerSums
    tape: tf.GradientTape


class TiledReader:
    """Takes images of any size through the network tile by tile.

    Args:
        extractor: of at least the layers that are asked for.
        tile_size: pixels.
        num_kept: tiles whose activations the first pass keeps for the second.
    """

    def __init__(self, extractor: Extractor, tile_size: int, num_kept: int = 0):
        self._extractor = extractor
        self._tile_size = tile_size
        self._num_kept = num_kept
        self._names = tuple(extractor.model.output_names)

    def features(
        self, image: tf.Tensor, names: Sequence[str]
    ) -> dict[str, tf.Tensor]:
        """Returns some layers' features of the whole image, put together."""
        height, width = image.shape[1:3]
        found = {}
        for name in names:
            layer = BY_NAME[name]
            size = height // layer.stride, width // layer.stride
            found[name] = np.empty((1, *size, layer.channels), np.float32)
        for tile in self._cut((height, width)):
            parts = read_tile(self._extractor, image, tile, names)
            for name, part in parts.items():
                own_of_frame(found[name], name, tile)[...] = part
        return {name: tf.constant(array) for name, array in found.items()}

    def gram_sums(
        self,
        image: tf.Tensor,
        names: Sequence[str],
        masks: dict[str, list[tf.Tensor]],
    ) -> dict[str, list[GramSum]]:
        """Returns some layers' Gram sums of a whole image, one per mask."""
        targets = Targets({}, dict.fromkeys(names, ()), masks, {})
        total = None
        for tile in self._cut(image.shape[1:3]):
            sums = self._sum_tile(view_of(image, tile), targets, tile)
            total = _add(total, sums)
        return total.style

    def make_objective(
        self,
        targets: Targets,
        options: ObjectiveOptions,
        size: tuple[int, int],
    ) -> ValueAndGradient:
        """Makes the objective function that evaluates tile by tile.

        An image that is one tile is evaluated as a whole frame.
        """
        tiles = self._cut(size)
        if len(tiles) == 1:
            return make_value_and_gradient(self._extractor, targets, options)
        weigh = make_terms_and_gradients(options)
        gradient = tf.Variable(tf.zeros((1, *size, 3)))

        def evaluate(image: tf.Tensor) -> tuple[LossTerms, tf.Tensor]:
            total, kept = None, []
            for number, tile in enumerate(tiles):
                view = view_of(image, tile)
                if number < self._num_kept:
                    kept.append(self._read(view, targets, tile))
                    sums = kept[-1].sums
                else:
                    sums = self._sum_tile(view, targets, tile)
                total = _add(total, sums)
            terms, by_image, by_sums = weigh(image, total, targets)
            # The image's own losses have their own gradient.
            gradient.assign(
                tf.zeros_like(image) if by_image is None else by_image
            )
            for tile in tiles:
                if kept:
                    by_view = gradient_of_sums(*kept.pop(0), by_sums)
                else:
                    view = view_of(image, tile)
                    by_view = self._find_gradient(view, targets, tile, by_sums)
                place = view_of(gradient, tile)
                place.assign(place + by_view)
            found = tf.identity(gradient)
            return terms.checked(found), found

        return evaluate

    def _cut(self, size: tuple[int, int]) -> list[np.ndarray]:
        return cut_frame(size, self._tile_size, self._names)

    def _read(
        self, view: tf.Tensor, targets: Targets, tile: np.ndarray
    ) -> Reading:
        with tf.GradientTape() as tape:
            tape.watch(view)
            sums = self._sum_tile(view, targets, tile)
        return Reading(view, sums, tape)

    def _sum_tile(
        self, view: tf.Tensor, targets: Targets, tile: np.ndarray
    ) -> LayerSums:
        """Runs `sum_tile` by the graph of all tiles with views of this size."""

        def run(view, tile, parts):
            return sum_tile(self._extractor, view, tile, parts)

        return self._run(run, view, tile, _positions_of(targets, tile))

    def _find_gradient(
        self,
        view: tf.Tensor,
        targets: Targets,
        tile: np.ndarray,
        by_sums: LayerSums,
    ) -> tf.Tensor:
        """Takes the gradient by the sums to the pixels of a tile's view.

        In one graph, which frees activations as it goes back.
        """

        def find(view, tile, parts, by_sums):
            with tf.GradientTape() as tape:
                tape.watch(view)
                sums = sum_tile(self._extractor, view, tile, parts)
            return gradient_of_sums(view, sums, tape, by_sums)

        return self._run(
            find, view, tile, _positions_of(targets, tile), by_sums
        )

    def _run(self, function, view: tf.Tensor, tile: np.ndarray, parts, *sums):
        """Runs a function by its graph for views of this size, made once."""
        specs = [
            tf.TensorSpec(view.shape),
            tf.TensorSpec([2, 4], tf.int32),
            tf.nest.map_structure(_of_any_size, parts),
            *tf.nest.map_structure(tf.TensorSpec.from_tensor, sums),
        ]
        graph = self._extractor.graphs.get(
            (function.__name__, str(specs)),
            lambda: tf.function(
                function, autograph=False, input_signature=specs
            ),
        )
        return graph(view, tf.constant(tile), parts, *sums)


def read_tile(
    extractor: Extractor,
    image: tf.Tensor,
    tile: tf.Tensor,
    names: Sequence[str],
) -> dict[str, tf.Tensor]:
    """Returns some layers' features of a tile's own positions."""
    features = extractor(view_of(image, tile))
    return {name: own_of_view(features[name], name, tile) for name in names}


def own_of_view(features: tf.Tensor, name: str, tile: tf.Tensor) -> tf.Tensor:
    """Cuts a tile's own positions out of a layer's of its view."""
    stride = BY_NAME[name].stride
    first = tile[:, 0] // stride
    size = tile[:, 1] // stride - first
    begin = first - tile[:, 2] // stride
    return tf.slice(
        features,
        [0, begin[0], begin[1], 0],
        [1, size[0], size[1], features.shape[-1]],
    )


def parts_of(targets: Targets, tile: tf.Tensor) -> Targets:
    """Returns the targets of a tile's own positions."""
    return targets._replace(
        content={
            n: own_of_frame(t, n, tile) for n, t in targets.content.items()
        },
        masks={
            n: [own_of_frame(mask, n, tile) for mask in masks]
            for n, masks in targets.masks.items()
        },
    )


def sum_tile(
    extractor: Extractor, view: tf.Tensor, tile: tf.Tensor, parts: Targets
) -> LayerSums:
    """Computes Gram sums and content losses of a tile's own positions.

    Args:
        extractor: of at least the layers in `parts`.
        view: float32 `[1, h, w, 3]`, the tile with its halo.
        tile: int32 `[2, 4]`.
        parts: targets of the tile's own positions.
    """
    features = extractor(view)
    own = {n: own_of_view(f, n, tile) for n, f in features.items()}
    return sum_layers(own, parts)


def gradient_of_sums(
    view: tf.Tensor,
    sums: LayerSums,
    tape: tf.GradientTape,
    by_sums: LayerSums,
) -> tf.Tensor:
    """Takes the gradient by the sums to the pixels of a view.

    The counts do not depend on the pixels and are left out.
    """
    matrices, by_matrices = (
        [gram.matrix for grams in each.style.values() for gram in grams]
        for each in (sums, by_sums)
    )
    return tape.gradient(
        [*sums.content.values(), *matrices],
        view,
        output_gradients=[*by_sums.content.values(), *by_matrices],
    )


def make_terms_and_gradients(options: ObjectiveOptions):
    """Makes the function between the two passes, from sums to gradients.

    Args:
        options: weights and scale of the losses.

    Returns:
        A function from an image, its sums over the whole frame and targets to
        the `LossTerms` and the gradients of the total by image, None if none
        of them is the image's own, and by the sums.
    """

    @tf.function(autograph=False)
    def weigh(image, sums, targets):
        with tf.GradientTape() as tape:
            tape.watch((image, sums))
            terms = terms_of_sums(image, sums, targets, options)
        return terms, *tape.gradient(terms.total, (image, sums))

    return weigh


def _add(total: LayerSums | None, sums: LayerSums) -> LayerSums:
    if total is None:
        return sums
    return tf.nest.map_structure(tf.add, total, sums)


def _positions_of(targets: Targets, tile: np.ndarray) -> Targets:
    """Returns what the sums over a tile's own positions are made with."""
    return parts_of(targets, tile)._replace(
        style=dict.fromkeys(targets.style, ()), content_energy={}
    )


def _of_any_size(part: tf.Tensor) -> tf.TensorSpec:
    return tf.TensorSpec([1, None, None, part.shape[-1]], part.dtype)
