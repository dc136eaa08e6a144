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

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tfstyle.network.extractor import Extractor
from tfstyle.network.layers import BY_NAME
from tfstyle.network.layers import LAYERS
from tfstyle.objective.gram import GramSum
from tfstyle.objective.gram import Part
from tfstyle.objective.objective import ValueAndGradient
from tfstyle.objective.objective import make_value_and_gradient
from tfstyle.objective.options import ObjectiveOptions
from tfstyle.objective.targets import Targets
from tfstyle.objective.terms import LayerSums
from tfstyle.objective.terms import LossTerms
from tfstyle.objective.terms import sum_layers
from tfstyle.objective.terms import terms_of_sums
from tfstyle.objective.tiles import core_of_frame
from tfstyle.objective.tiles import cut_frame
from tfstyle.objective.tiles import view_of


class Reading(NamedTuple):
    """Forward pass of a tile with its halo, including the activations.

    Attributes:
        view: float32 `[1, h, w, 3]`, the tile with its halo.
        outputs: outputs of the extractor's model by layer.
        tape: gradient tape from the view to the outputs; holds the activations.
    """

    view: tf.Tensor
    outputs: dict[str, tf.Tensor]
    tape: tf.GradientTape


def read_view(extractor: Extractor, view: tf.Tensor) -> Reading:
    """Runs a view through the network and keeps its activations.

    Args:
        extractor: feature extractor with any layers.
        view: float32 `[1, h, w, 3]`, a tile with its halo.
    """
    # Called eagerly, a persistent tape would also keep the values that second
    # derivatives need. Inside a graph the tape is used once per layer.
    with tf.GradientTape(persistent=tf.inside_function()) as tape:
        tape.watch(view)
        outputs = extractor.run_model(view)
    return Reading(view, outputs, tape)


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
            parts = read_tile(self._extractor, image, tile, names)
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

        An image that fits in one tile is evaluated as a whole frame.
        """
        tiles = self._cut(size)
        if len(tiles) == 1:
            return make_value_and_gradient(self._extractor, targets, options)
        combine_losses = make_terms_and_gradients(options)
        gradient = tf.Variable(tf.zeros((1, *size, 3)))

        def evaluate(image: tf.Tensor) -> tuple[LossTerms, tf.Tensor]:
            total, kept = None, []
            for number, tile in enumerate(tiles):
                view = view_of(image, tile)
                if number < self._num_kept:
                    kept.append(read_view(self._extractor, view))
                    sums = self._sum_outputs(kept[-1], targets, tile)
                else:
                    sums = self._sum_tile(view, targets, tile)
                total = _add(total, sums)
            terms, grad_image, grad_sums = combine_losses(image, total, targets)
            # Pixel losses depend on the image directly.
            gradient.assign(
                tf.zeros_like(image) if grad_image is None else grad_image
            )
            for tile in tiles:
                if kept:
                    grad_view = self._backpropagate(
                        kept.pop(0), targets, tile, grad_sums
                    )
                else:
                    view = view_of(image, tile)
                    grad_view = self._find_gradient(
                        view, targets, tile, grad_sums
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

    def _sum_tile(
        self, view: tf.Tensor, targets: Targets, tile: np.ndarray
    ) -> LayerSums:
        """Runs `sum_tile` in the graph shared by all views of this size."""

        def run(view, tile, parts):
            return sum_tile(self._extractor, view, tile, parts)

        return self._run(
            "sum_tile", run, view, tile, _positions_of(targets, tile)
        )

    def _find_gradient(
        self,
        view: tf.Tensor,
        targets: Targets,
        tile: np.ndarray,
        grad_sums: LayerSums,
    ) -> tf.Tensor:
        """Backpropagates dL/dsums to the pixels of a tile and its halo.

        Runs in one graph, which frees activations during the backward pass.
        """

        def find(view, tile, parts, grad_sums):
            reading = read_view(self._extractor, view)
            return gradient_of_sums(
                self._extractor, reading, tile, parts, grad_sums
            )

        return self._run(
            "find_gradient",
            find,
            view,
            tile,
            _positions_of(targets, tile),
            grad_sums,
        )

    def _sum_outputs(
        self, reading: Reading, targets: Targets, tile: np.ndarray
    ) -> LayerSums:
        """Runs `sum_outputs` in its graph."""

        def add_up(outputs, tile, parts):
            return sum_outputs(self._extractor, outputs, tile, parts)

        return self._run(
            "sum_outputs",
            add_up,
            reading.outputs,
            tile,
            _positions_of(targets, tile),
        )

    def _backpropagate(
        self,
        reading: Reading,
        targets: Targets,
        tile: np.ndarray,
        grad_sums: LayerSums,
    ) -> tf.Tensor:
        """Backpropagates dL/dsums to a view whose tape was kept."""

        def differentiate(outputs, tile, parts, grad_sums):
            return {
                name: gradient_by_output(
                    self._extractor, outputs, name, tile, parts, grad_sums
                )
                for name in layers_of(grad_sums)
            }

        found = self._run(
            "backpropagate",
            differentiate,
            reading.outputs,
            tile,
            _positions_of(targets, tile),
            grad_sums,
        )
        return reading.tape.gradient(
            [reading.outputs[name] for name in found],
            reading.view,
            output_gradients=list(found.values()),
        )

    def _run(
        self,
        name: str,
        function,
        image,
        tile: np.ndarray,
        parts: Targets,
        *sums,
    ):
        """Runs a function in a graph that is cached by the image's size.

        Args:
            name: names the function in the cache of graphs.
            function: function of image, tile, parts and sums.
            image: view of the tile, or the model's outputs for it.
            tile: int32 `[2, 4]`, spans of rows and columns.
            parts: targets of the tile's own positions.
            *sums: dL/dsums, if the function needs it.
        """
        specs = [
            tf.nest.map_structure(tf.TensorSpec.from_tensor, image),
            tf.TensorSpec([2, 4], tf.int32),
            tf.nest.map_structure(_of_any_size, parts),
            *tf.nest.map_structure(tf.TensorSpec.from_tensor, sums),
        ]
        graph = self._extractor.caches.graphs.get(
            (name, str(specs)),
            lambda: tf.function(
                function, autograph=False, input_signature=specs
            ),
        )
        return graph(image, tf.constant(tile), parts, *sums)


def read_tile(
    extractor: Extractor,
    image: tf.Tensor,
    tile: tf.Tensor,
    names: Sequence[str],
) -> dict[str, tf.Tensor]:
    """Returns layers' features at a tile's own positions."""
    features = extractor(view_of(image, tile))
    return {n: tf.slice(features[n], *core_of_view(n, tile)) for n in names}


def core_of_view(name: str, tile: tf.Tensor) -> Part:
    """Returns the slice of a layer of a tile's view without the halo."""
    layer = BY_NAME[name]
    first = tile[:, 0] // layer.stride
    size = tile[:, 1] // layer.stride - first
    begin = first - tile[:, 2] // layer.stride
    return (
        tf.stack([0, begin[0], begin[1], 0]),
        tf.stack([1, size[0], size[1], layer.channels]),
    )


def parts_of(targets: Targets, tile: tf.Tensor) -> Targets:
    """Returns the targets at a tile's own positions."""
    return targets._replace(
        content={
            n: core_of_frame(t, n, tile) for n, t in targets.content.items()
        },
        masks={
            n: [core_of_frame(mask, n, tile) for mask in masks]
            for n, masks in targets.masks.items()
        },
    )


def sum_tile(
    extractor: Extractor, view: tf.Tensor, tile: tf.Tensor, parts: Targets
) -> LayerSums:
    """Computes Gram sums and content losses of a tile's own positions.

    Args:
        extractor: feature extractor with at least the layers in `parts`.
        view: float32 `[1, h, w, 3]`, the tile with its halo.
        tile: int32 `[2, 4]`, spans of rows and columns.
        parts: targets of the tile's own positions.
    """
    return sum_outputs(extractor, extractor.run_model(view), tile, parts)


def sum_outputs(
    extractor: Extractor,
    outputs: dict[str, tf.Tensor],
    tile: tf.Tensor,
    parts: Targets,
) -> LayerSums:
    """Computes the sums of a tile's own positions from the model's outputs."""
    own = {name: core_of_view(name, tile) for name in outputs}
    return sum_layers(extractor.scale_features(outputs), parts, own)


def gradient_of_sums(
    extractor: Extractor,
    reading: Reading,
    tile: tf.Tensor,
    parts: Targets,
    grad_sums: LayerSums,
) -> tf.Tensor:
    """Backpropagates dL/dsums to the pixels of a view.

    Layer by layer, deepest first: the gradient from a layer's own sums is as
    large as its features, so it is computed only when it is needed.
    """
    found = None
    names = layers_of(grad_sums)
    earlier = [*map(reading.outputs.get, names[1:]), reading.view]
    for name, source in zip(names, earlier, strict=True):
        with tf.control_dependencies([] if found is None else [found]):
            own = gradient_by_output(
                extractor, reading.outputs, name, tile, parts, grad_sums
            )
        found = own if found is None else own + found
        found = reading.tape.gradient(
            reading.outputs[name], source, output_gradients=found
        )
    return found


def layers_of(sums: LayerSums) -> list[str]:
    """Returns the layers that occur in the sums, deepest first."""
    names = {*sums.content, *sums.style}
    return [layer.name for layer in LAYERS[::-1] if layer.name in names]


def gradient_by_output(
    extractor: Extractor,
    outputs: dict[str, tf.Tensor],
    name: str,
    tile: tf.Tensor,
    parts: Targets,
    grad_sums: LayerSums,
) -> tf.Tensor:
    """Backpropagates dL/dsums of one layer to its output.

    The counts are left out: they do not depend on the pixels.
    """
    output = outputs[name]
    with tf.GradientTape() as tape:
        tape.watch(output)
        sums = sum_outputs(extractor, {name: output}, tile, parts)
    losses, by_losses = (
        [
            *(loss for n, loss in each.content.items() if n == name),
            *(gram.matrix for gram in each.style.get(name, ())),
        ]
        for each in (sums, grad_sums)
    )
    return tape.gradient(losses, output, output_gradients=by_losses)


def make_terms_and_gradients(options: ObjectiveOptions):
    """Makes the function between the two passes, from sums to gradients.

    Args:
        options: weights and scale of the losses.

    Returns:
        A function from an image, its sums over the whole frame and the targets
        to the `LossTerms`, dL/dimage (None without pixel losses) and dL/dsums.
    """

    @tf.function(autograph=False)
    def combine_losses(image, sums, targets):
        with tf.GradientTape() as tape:
            tape.watch((image, sums))
            terms = terms_of_sums(image, sums, targets, options)
        return terms, *tape.gradient(terms.total, (image, sums))

    return combine_losses


def _add(total: LayerSums | None, sums: LayerSums) -> LayerSums:
    if total is None:
        return sums
    return tf.nest.map_structure(tf.add, total, sums)


def _positions_of(targets: Targets, tile: np.ndarray) -> Targets:
    """Returns the targets needed for the sums over a tile's own positions."""
    return parts_of(targets, tile)._replace(
        style=dict.fromkeys(targets.style, ()), content_energy={}
    )


def _of_any_size(part: tf.Tensor) -> tf.TensorSpec:
    return tf.TensorSpec([1, None, None, part.shape[-1]], part.dtype)
