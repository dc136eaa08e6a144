"""The layers of VGG19: names, aliases, channels, strides and reaches.

The table is made from the five blocks of Simonyan and Zisserman (2015,
configuration E), needs the standard library only and is the one place where
the network's layers are described.
"""

import dataclasses
import functools
from collections.abc import Iterable

CONVOLUTIONS_PER_BLOCK = (2, 2, 4, 4, 4)
CHANNELS_PER_BLOCK = (64, 128, 256, 512, 512)
POOLING_WINDOWS = {"average": (0, 1), "max": (0, 1), "rms": (-1, 2)}
"""First and last position of a pooling window, relative to the first of the two
positions, along each axis, that are pooled into one."""


@dataclasses.dataclass(frozen=True)
class Layer:
    """One layer whose output can be asked for.

    Attributes:
        name: the Keras name, such as `block4_conv2`.
        alias: the paper's name, such as `conv4_2`.
        channels: N_l, the number of feature maps.
        stride: pixels of the image between neighbouring positions.
        reach_left: pixels that a position sees to the left of, and above, the
            first pixel of its own `stride` pixels.
        reach_right: pixels that it sees to the right of, and below, that pixel.
    """

    name: str
    alias: str
    channels: int
    stride: int
    reach_left: int
    reach_right: int

    @property
    def field(self) -> int:
        """Pixels that a position sees, along each axis."""
        return self.reach_left + 1 + self.reach_right

    @property
    def is_convolution(self) -> bool:
        """Whether the layer has a kernel and a bias."""
        return "conv" in self.name


@functools.cache
def make_layers(pooling: str) -> tuple[Layer, ...]:
    """Returns all layers, in order, with their reaches for a pooling.

    Args:
        pooling: a key of POOLING_WINDOWS.
    """
    first, last = POOLING_WINDOWS[pooling]
    layers = []
    stride, left, right = 1, 0, 0
    blocks = zip(CONVOLUTIONS_PER_BLOCK, CHANNELS_PER_BLOCK, strict=True)
    for block, (num_convolutions, channels) in enumerate(blocks, start=1):
        for index in range(1, num_convolutions + 1):
            left, right = left + stride, right + stride
            layers.append(
                Layer(
                    f"block{block}_conv{index}",
                    f"conv{block}_{index}",
                    channels,
                    stride,
                    left,
                    right,
                )
            )
        left, right = left - first * stride, right + last * stride
        stride *= 2
        layers.append(
            Layer(
                f"block{block}_pool",
                f"pool{block}",
                channels,
                stride,
                left,
                right,
            )
        )
    return tuple(layers)


LAYERS = make_layers("average")
"""The layers; their reaches are those of windows of two by two positions."""
CONVOLUTIONS = tuple(layer for layer in LAYERS if layer.is_convolution)
BY_NAME = {layer.name: layer for layer in LAYERS}

_NAMES = {layer.alias: layer.name for layer in LAYERS}
_NAMES.update({layer.name: layer.name for layer in LAYERS})
_NAMES.update(
    {layer.alias.replace("conv", "relu"): layer.name for layer in CONVOLUTIONS}
)


def keras_name(name: str) -> str:
    """Returns the Keras name of a layer given in Keras or paper form.

    `conv4_2`, `relu4_2` and `block4_conv2` are one layer: VGG19's convolutions
    are rectified, and the paper's activations are the rectified ones.

    Raises:
        ValueError: if VGG19 has no such layer; the message lists those near it.
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
    """Returns the last of the named layers, in the order of the network."""
    order = [layer.name for layer in LAYERS]
    return LAYERS[max(order.index(name) for name in names)]


def num_positions(name: str, size: tuple[int, int]) -> int:
    """Returns M_l, the positions of a layer in an image of `[H, W]`."""
    stride = BY_NAME[name].stride
    return (size[0] // stride) * (size[1] // stride)
