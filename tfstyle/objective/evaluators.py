"""Evaluators: compute targets and make the objective function.

They run images through the network in one pass (this module), tile by tile
(`tiled_objective`) or over replicas (`distributed.replicated_objective`), all
with the same methods.
"""

import hashlib
from collections.abc import Iterable

import tensorflow as tf

from tfstyle.network.extractor import Extractor
from tfstyle.objective.gram import GramSum
from tfstyle.objective.gram import region_sums
from tfstyle.objective.objective import ValueAndGradient
from tfstyle.objective.objective import make_value_and_gradient
from tfstyle.objective.options import ObjectiveOptions
from tfstyle.objective.targets import Targets


class WholeFrameEvaluator:
    """Evaluator that runs whole images through the network in one pass.

    Args:
        extractor: feature extractor with at least the requested layers.
    """

    def __init__(self, extractor: Extractor):
        self._extractor = extractor

    def features(
        self, image: tf.Tensor, names: Iterable[str]
    ) -> dict[str, tf.Tensor]:
        """Returns layers' features in the format of this evaluator's objective.

        Args:
            image: float32 `[1, H, W, 3]`, BGR without the mean.
            names: layer names.

        Returns:
            float32 `[1, H_l, W_l, N_l]` by layer.
        """
        features = self._extractor(image)
        return {name: features[name] for name in names}

    def gram_sums(
        self,
        image: tf.Tensor,
        names: Iterable[str],
        masks: dict[str, list[tf.Tensor]],
    ) -> dict[str, list[GramSum]]:
        """Returns layers' Gram sums of a whole image, one per mask.

        They are cached in the extractor: many pictures may share a style.

        Args:
            image: float32 `[1, H, W, 3]`, BGR without the mean.
            names: layer names.
            masks: float32 `[1, H_l, W_l, 1]` by layer; without masks, one sum
                over all positions.
        """

        def read():
            found = self.features(image, names)
            return {n: region_sums(f, masks.get(n)) for n, f in found.items()}

        key = _digest(image, names, masks)
        return dict(self._extractor.caches.results.get(key, read))

    def make_objective(
        self,
        targets: Targets,
        options: ObjectiveOptions,
        size: tuple[int, int],
    ) -> ValueAndGradient:
        """Makes the objective function.

        Args:
            targets: result of `compute_targets` with this evaluator.
            options: weights and scale of the losses.
            size: height and width of the image, pixels.

        Returns:
            A function from the image, float32 `[1, H, W, 3]`, to its
            `LossTerms` and the gradient of the total, float32 `[1, H, W, 3]`.
        """
        return make_value_and_gradient(self._extractor, targets, options)


def _digest(
    image: tf.Tensor,
    names: Iterable[str],
    masks: dict[str, list[tf.Tensor]],
) -> bytes:
    """Returns a cache key for an image, its layers and masks."""
    asked = {name: len(masks.get(name, ())) for name in names}
    digest = hashlib.sha256(repr(asked).encode())
    for tensor in [image, *(mask for n in asked for mask in masks.get(n, ()))]:
        digest.update(repr(tensor.shape).encode())
        digest.update(tensor.numpy().data)
    return digest.digest()
