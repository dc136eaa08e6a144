"""Sums over the positions of one tile, and their gradient by its pixels.

Functions of tensors, for graphs of one tile or one replica. A view is a tile
with its halo; sums are taken over the tile's own positions only.
"""

from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf

from tfstyle.network.extractor import Extractor
from tfstyle.network.layers import BY_NAME
from tfstyle.network.layers import LAYERS
from tfstyle.objective.gram import Part
from tfstyle.objective.options import ObjectiveOptions
from tfstyle.objective.targets import Targets
from tfstyle.objective.terms import LayerSums
from tfstyle.objective.terms import sum_layers
from tfstyle.objective.terms import terms_of_sums
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

    def backpropagate(self, gradients: dict[str, tf.Tensor]) -> tf.Tensor:
        """Backpropagates gradients by outputs to the pixels of the view."""
        outputs = [self.outputs[name] for name in gradients]
        return self.tape.gradient(
            outputs, self.view, output_gradients=list(gradients.values())
        )


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


def gradient_of_view(
    extractor: Extractor,
    view: tf.Tensor,
    tile: tf.Tensor,
    parts: Targets,
    grad_sums: LayerSums,
) -> tf.Tensor:
    """Backpropagates dL/dsums to the pixels of a view, recomputing it.

    In a graph, activations are freed during the backward pass.
    """
    reading = read_view(extractor, view)
    return gradient_of_sums(extractor, reading, tile, parts, grad_sums)


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


def gradients_by_outputs(
    extractor: Extractor,
    outputs: dict[str, tf.Tensor],
    tile: tf.Tensor,
    parts: Targets,
    grad_sums: LayerSums,
) -> dict[str, tf.Tensor]:
    """Backpropagates dL/dsums to the model's outputs, by layer."""
    return {
        name: gradient_by_output(
            extractor, outputs, name, tile, parts, grad_sums
        )
        for name in layers_of(grad_sums)
    }


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
