"""The layers of VGG19: names, aliases, channels, strides and reaches.

The table follows the five blocks of Simonyan and Zisserman (2015, configuration
E). It needs only the standard library and is the single source of the network's
structure.
"""

import dataclasses
import functools
from collections.abc import Iterable

CONVOLUTIONS_PER_BLOCK = (2, 2, 4, 4, 4)
CHANNELS_PER_BLOCK = (64, 128, 256, 512, 512)
POOLING_WINDOWS = {"average": (0, 1), "max": (0, 1), "rms": (-1, 2)}
"""First and last position of a pooling window along each axis.

Relative to the first of the two positions that are pooled into one.
"""


@dataclasses.dataclass(frozen=True)
class Layer:
    """A layer of VGG19.

    Attributes:
        name: Keras name, such as `block4_conv2`.
        alias: name in the paper, such as `conv4_2`.
        channels_in: number of feature maps of the layer below; 3 for the first.
        channels: N_l, the number of feature maps.
        stride: pixels of the image between neighbouring positions.
        reach_left: extent of a position's receptive field to the left of, and
            above, the first of its own `stride` pixels, in pixels.
        reach_right: extent of the receptive field to the right of, and below,
            that first pixel, in pixels.
    """

    name: str
    alias: str
    channels_in: int
    channels: int
    stride: int
    reach_left: int
    reach_right: int

    @property
    def field(self) -> int:
        """Size of the receptive field along each axis, pixels."""
        return self.reach_left + 1 + self.reach_right

    @property
    def kernel_shape(self) -> tuple[int, int, int, int]:
        """Shape of a convolution's kernel, `[3, 3, C_in, C_out]`."""
        return 3, 3, self.channels_in, self.channels

    @property
    def is_convolution(self) -> bool:
        """True if the layer has a kernel and a bias."""
        return "conv" in self.name


@functools.cache
def make_layers(pooling: str) -> tuple[Layer, ...]:
    """Returns all layers in order, with their reaches for a pooling.

    Args:
        pooling: key of POOLING_WINDOWS.
    """
    first, last = POOLING_WINDOWS[pooling]
    layers = []
    channels_in, stride, left, right = 3, 1, 0, 0
    blocks = zip(CONVOLUTIONS_PER_BLOCK, CHANNELS_PER_BLOCK, strict=True)
    for block, (num_convolutions, channels) in enumerate(blocks, start=1):
        for index in range(1, num_convolutions + 1):
            left, right = left + stride, right + stride
            layers.append(
                Layer(
                    f"block{block}_conv{index}",
                    f"conv{block}_{index}",
                    channels_in,
                    channels,
                    stride,
                    left,
                    right,
                )
            )
            channels_in = channels
        left, right = left - first * stride, right + last * stride
        stride *= 2
        layers.append(
            Layer(
                f"block{block}_pool",
                f"pool{block}",
                channels,
                channels,
                stride,
                left,
                right,
            )
        )
    return tuple(layers)


LAYERS = make_layers("average")
"""All layers in order, with reaches for 2x2 pooling windows."""
CONVOLUTIONS = tuple(layer for layer in LAYERS if layer.is_convolution)
BY_NAME = {layer.name: layer for layer in LAYERS}

_NAMES = {layer.alias: layer.name for layer in LAYERS}
_NAMES.update({layer.name: layer.name for layer in LAYERS})
_NAMES.update(
    {layer.alias.replace("conv", "relu"): layer.name for layer in CONVOLUTIONS}
)


def keras_name(name: str) -> str:
    """Returns the Keras name of a layer given by its Keras or paper name.

    `conv4_2`, `relu4_2` and `block4_conv2` are one layer: VGG19's convolutions
    include the ReLU, and the paper uses activations after it.

    Raises:
        ValueError: if VGG19 has no such layer; the message lists similar names.
    """
    if name in _NAMES:
        return _NAMES[name]
    digits = [character for character in name if character.isdecimal()]
    block = int(digits[0]) if digits else 0
    if 1 <= block <= len(CONVOLUTIONS_PER_BLOCK):
        last = CONVOLUTIONS_PER_BLOCK[block - 1]
        hint = f"Block {block} has conv{block}_1 to conv{block}_{last}."
    else:
        hint = "VGG19 has conv1_1 to conv5_4 and pool1 to pool5."
    raise ValueError(f"VGG19 has no layer {name!r}. {hint}")


def deepest(names: Iterable[str]) -> Layer:
    """Returns the deepest of the named layers."""
    order = [layer.name for layer in LAYERS]
    return LAYERS[max(order.index(name) for name in names)]


def num_positions(name: str, size: tuple[int, int]) -> int:
    """Returns M_l, the number of positions of a layer for an image size."""
    stride = BY_NAME[name].stride
    return (size[0] // stride) * (size[1] // stride)
