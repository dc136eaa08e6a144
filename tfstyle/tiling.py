"""The hinge tile by tile: exact, in memory that does not grow with the frame.

A Gram matrix is a sum over positions, and so is the content loss. A first pass
over the tiles adds up these sums; the gradient of the total by the sums, which
are small, follows from them at once; a second pass takes it through the network
to each tile's pixels. A tile is computed with a halo as wide as its positions
see, so that it sees what the whole frame would show it; what it says of the
halo's pixels is added to its neighbours' own.
"""

import dataclasses
from collections.abc import Iterator
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from tfstyle.config import Config
from tfstyle.features import Extractor
from tfstyle.gram import GramSum
from tfstyle.objective import LayerSums
from tfstyle.objective import LossTerms
from tfstyle.objective import ValueAndGradient
from tfstyle.objective import sum_layers
from tfstyle.objective import terms_of_sums
from tfstyle.targets import Targets
from tfstyle.vgg19_layers import BY_NAME
from tfstyle.vgg19_layers import deepest


@dataclasses.dataclass(frozen=True)
class Span:
    """A tile along one axis, in pixels of the image.

    Attributes:
        start: first pixel of its own; a multiple of the deepest stride.
        end: behind its last own pixel; likewise, or the image's end.
        left: first pixel that it sees.
        right: behind the last pixel that it sees.
    """

    start: int
    end: int
    left: int
    right: int


def halo_of(names: Sequence[str]) -> int:
    """Returns how far the layers' positions see beyond a tile, in pixels.

    It is a multiple of the deepest stride, so that poolings meet the same
    pixels as in the whole frame.
    """
    stride = deepest(names).stride
    layers = [BY_NAME[name] for name in names]
    reach = max(
        max(layer.reach_left, layer.reach_right - layer.stride + 1)
        for layer in layers
    )
    return -(-reach // stride) * stride


def cut(extent: int, tile_size: int, names: Sequence[str]) -> list[Span]:
    """Cuts an axis into spans of a size.

    Args:
        extent: of the axis, pixels.
        tile_size: pixels, rounded up to a multiple of the deepest stride. A
            rest of less than one position goes to the span before it.
        names: of the layers that the tiles are to give.
    """
    stride, halo = deepest(names).stride, halo_of(names)
    size = -(-tile_size // stride) * stride
    starts = list(range(0, max(extent - stride, 0) + 1, size))
    ends = [*starts[1:], extent]
    return [
        Span(start, end, max(0, start - halo), min(extent, end + halo))
        for start, end in zip(starts, ends, strict=True)
    ]


class TiledExtractor:
    """Reads features and Gram sums of images of any size, tile by tile.

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
        """Returns some layers' features of a whole image, put together."""
        height, width = image.shape[1:3]
        found = {}
        for name in names:
            layer = BY_NAME[name]
            size = height // layer.stride, width // layer.stride
            found[name] = np.empty((1, *size, layer.channels), np.float32)
        for tile in self._tiles(image, names):
            parts = self._read(image, tile, tuple(names))
            for name, part in parts.items():
                _own(found[name], name, tile)[...] = part
        return {name: tf.constant(array) for name, array in found.items()}

    def gram_sums(
        self,
        image: tf.Tensor,
        names: Sequence[str],
        masks: dict[str, list[tf.Tensor]],
    ) -> dict[str, list[GramSum]]:
        """Returns some layers' Gram sums of a whole image, one a mask."""
        targets = Targets({}, dict.fromkeys(names, ()), masks)
        return self.sum_layers(image, targets).style

    def sum_layers(self, image: tf.Tensor, targets: Targets) -> LayerSums:
        """Adds up over all tiles what adds up."""
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
            place = _crop(total, tile.numpy())
            place += part.numpy()
        return tf.constant(total)

    def _tiles(
        self, image: tf.Tensor, names: Sequence[str]
    ) -> Iterator[tf.Tensor]:
        """Yields tiles as int32 `[2, 4]`: of rows and columns, the fields."""
        height, width = image.shape[1:3]
        for rows in cut(height, self._tile_size, names):
            for columns in cut(width, self._tile_size, names):
                spans = [dataclasses.astuple(span) for span in (rows, columns)]
                yield tf.constant(spans, tf.int32)

    @tf.function
    def _read(self, image, tile, names):
        features = self._extractor(_crop(image, tile))
        return {n: _own_of_crop(features[n], n, tile) for n in names}

    @tf.function
    def _sum_tile(self, image, tile, targets):
        return self._sum_crop(_crop(image, tile), tile, targets)

    @tf.function
    def _gradient_of_tile(self, image, tile, targets, by_sums):
        crop = _crop(image, tile)
        with tf.GradientTape() as tape:
            tape.watch(crop)
            sums = _variable_parts(self._sum_crop(crop, tile, targets))
        return tape.gradient(
            sums, crop, output_gradients=_variable_parts(by_sums)
        )

    def _sum_crop(self, crop, tile, targets):
        features = self._extractor(crop)
        own = {n: _own_of_crop(f, n, tile) for n, f in features.items()}
        parts = Targets(
            {n: _own(t, n, tile) for n, t in targets.content.items()},
            targets.style,
            {
                n: [_own(mask, n, tile) for mask in masks]
                for n, masks in targets.masks.items()
            },
        )
        return sum_layers(own, parts)


def make_tiled_value_and_gradient(
    extractor: Extractor, targets: Targets, config: Config
) -> ValueAndGradient:
    """Makes the hinge that evaluates tile by tile.

    Args:
        extractor: of at least the layers in `targets`.
        targets: of the whole frame.
        config: a resolved one; gives the weights and `tile_size`.

    Returns:
        A function from float32 `[1, H, W, 3]` to the image's `LossTerms` and
        the gradient of the total, float32 `[1, H, W, 3]`.
    """
    tiled = TiledExtractor(extractor, config.tile_size)

    @tf.function
    def weigh(image, sums, targets):
        with tf.GradientTape() as tape:
            tape.watch((image, sums))
            terms = terms_of_sums(image, sums, targets, config)
        return terms, *tape.gradient(terms.total, (image, sums))

    def evaluate(image: tf.Tensor) -> tuple[LossTerms, tf.Tensor]:
        sums = tiled.sum_layers(image, targets)
        terms, by_image, by_sums = weigh(image, sums, targets)
        gradient = tiled.gradient(image, targets, by_sums)
        if by_image is not None:  # the total variation's
            gradient += by_image
        return terms, gradient

    return evaluate


def _crop(image, tile):
    """Cuts out what a tile sees."""
    top, bottom, left, right = tile[0, 2], tile[0, 3], tile[1, 2], tile[1, 3]
    return image[:, top:bottom, left:right]


def _own(whole, name: str, tile: tf.Tensor):
    """Cuts a tile's own positions out of a layer's of the whole frame."""
    stride = BY_NAME[name].stride
    top, bottom = tile[0, 0] // stride, tile[0, 1] // stride
    left, right = tile[1, 0] // stride, tile[1, 1] // stride
    return whole[:, top:bottom, left:right]


def _own_of_crop(features: tf.Tensor, name: str, tile: tf.Tensor) -> tf.Tensor:
    """Cuts a tile's own positions out of a layer's of what it sees."""
    stride = BY_NAME[name].stride
    first = tile[:, 0] // stride
    size = tile[:, 1] // stride - first
    begin = first - tile[:, 2] // stride
    return tf.slice(
        features,
        [0, begin[0], begin[1], 0],
        [1, size[0], size[1], features.shape[-1]],
    )


def _add(a: LayerSums, b: LayerSums) -> LayerSums:
    return tf.nest.map_structure(tf.add, a, b)


def _variable_parts(sums: LayerSums) -> list[tf.Tensor]:
    """Returns those of the sums that depend on the pixels: not the counts."""
    matrices = [gram.matrix for grams in sums.style.values() for gram in grams]
    return [*sums.content.values(), *matrices]
