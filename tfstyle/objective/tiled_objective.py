"""The objective function tile by tile: exact, in bounded memory.

A Gram matrix is a sum over positions, and so is the content loss. A first pass
over the tiles adds up these sums; the gradient of the total by the sums, which
are small, follows from them at once; a second pass takes it through the network
to each tile's pixels. A tile is computed with a halo as wide as its positions
see, so that it sees what the whole frame would show it; what it says of the
halo's pixels is added to its neighbours' own.
"""

from collections.abc import Sequence

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


class TiledReader:
    """Takes images of any size through the network tile by tile.

    Args:
        extractor: of at least the layers that are asked for.
        tile_size: pixels.
    """

    def __init__(self, extractor: Extractor, tile_size: int):
        self._extractor = extractor
        self._tile_size = tile_size

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
        for tile in self._tiles(image, names):
            parts = self._read(image, tile, tuple(names))
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
        return self.sum_layers(image, targets).style

    def make_objective(
        self,
        targets: Targets,
        options: ObjectiveOptions,
        size: tuple[int, int],
    ) -> ValueAndGradient:
        """Makes the objective function that evaluates tile by tile.

        An image that is one tile is evaluated as a whole frame.
        """
        if max(size) <= self._tile_size:
            return make_value_and_gradient(self._extractor, targets, options)
        weigh = make_terms_and_gradients(options)

        def evaluate(image: tf.Tensor) -> tuple[LossTerms, tf.Tensor]:
            sums = self.sum_layers(image, targets)
            terms, by_image, by_sums = weigh(image, sums, targets)
            gradient = self.gradient(image, targets, by_sums)
            if by_image is not None:  # the image's own losses'
                gradient += by_image
            return terms.checked(gradient), gradient

        return evaluate

    def sum_layers(self, image: tf.Tensor, targets: Targets) -> LayerSums:
        """Adds up Gram sums and content losses over all tiles."""
        names = (*targets.content, *targets.style)
        total = None
        for tile in self._tiles(image, names):
            part = self._sum_tile(image, tile, targets)
            total = part if total is None else _add(total, part)
        return total

    def gradient(
        self, image: tf.Tensor, targets: Targets, by_sums: LayerSums
    ) -> tf.Tensor:
        """Takes the gradient by the sums to the pixels of the whole image."""
        names = (*targets.content, *targets.style)
        total = np.zeros(image.shape, np.float32)
        for tile in self._tiles(image, names):
            part = self._gradient_of_tile(image, tile, targets, by_sums)
            place = view_of(total, tile.numpy())
            place += part.numpy()
        return tf.constant(total)

    def _tiles(self, image: tf.Tensor, names: Sequence[str]):
        """Returns tiles as int32 `[2, 4]`: of rows and columns, a span."""
        tiles = cut_frame(image.shape[1:3], self._tile_size, names)
        return map(tf.constant, tiles)

    @tf.function(autograph=False)
    def _read(self, image, tile, names):
        return read_tile(self._extractor, image, tile, names)

    @tf.function(autograph=False)
    def _sum_tile(self, image, tile, targets):
        parts = parts_of(targets, tile)
        return sum_tile(self._extractor, view_of(image, tile), tile, parts)

    @tf.function(autograph=False)
    def _gradient_of_tile(self, image, tile, targets, by_sums):
        view, parts = view_of(image, tile), parts_of(targets, tile)
        with tf.GradientTape() as tape:
            tape.watch(view)
            sums = sum_tile(self._extractor, view, tile, parts)
        return gradient_of_sums(tape, sums, view, by_sums)


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
    tape: tf.GradientTape,
    sums: LayerSums,
    view: tf.Tensor,
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


def _add(a: LayerSums, b: LayerSums) -> LayerSums:
    return tf.nest.map_structure(tf.add, a, b)
