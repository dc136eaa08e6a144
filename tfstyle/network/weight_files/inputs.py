"""What a network takes as input, found from its first layer.

There are two trained networks of VGG19's shape in the field. The original one,
trained in Caffe, takes BGR without the mean, 0..255; Keras, MatConvNet and
jcjohnson's files for torch are copies of it. torchvision's, trained anew, takes
RGB, 0..1, normalised by mean and deviation; timm's and KerasHub's are copies.
Features of one with the input of the other are wrong, without any error, so the
network is recognised by known filters of the first layer.
"""

import dataclasses

import numpy as np

from tfstyle.errors import WeightsError
from tfstyle.images.preprocessing import IMAGENET_MEAN_BGR
from tfstyle.network.layers import CONVOLUTIONS
from tfstyle.network.weight_files.arrays import LayerWeights

FIRST = CONVOLUTIONS[0].name


@dataclasses.dataclass(frozen=True)
class Input:
    """Input of a network, `(pixels - mean) * scale`, of pixels in 0..255.

    Attributes:
        order: order of the channels, `BGR` or `RGB`.
        mean: of every channel, in that order.
        scale: of every channel, in that order.
    """

    order: str
    mean: tuple[float, float, float]
    scale: tuple[float, float, float] = (1.0, 1.0, 1.0)


_BLUE, _GREEN, _RED = map(float, IMAGENET_MEAN_BGR)
INPUTS = {
    "caffe": Input("BGR", (_BLUE, _GREEN, _RED)),
    "torchvision": Input(
        "RGB",
        (0.485 * 255, 0.456 * 255, 0.406 * 255),
        (1 / 255 / 0.229, 1 / 255 / 0.224, 1 / 255 / 0.225),
    ),
}
"""Inputs of both networks by the names that `--weights_input` takes."""

CAFFE = "Caffe's VGG19"
CAFFE_RESCALED = f"{CAFFE}, filters rescaled"
TORCHVISION = "torchvision's VGG19"
"""Names of the networks that are recognised."""

_CAFFE_NUMBER, _TORCHVISION_NUMBER = 13, 0
"""Numbers of the two filters below, counted from 0."""
_CAFFE_FILTER = np.array(
    [
        *(0.0517, 0.0181, -0.0931, 0.0001, -0.0610, -0.1789),
        *(-0.0817, -0.1524, -0.2450, 0.1691, 0.1430, 0.0101),
        *(0.1528, 0.1020, -0.0370, -0.0102, -0.0732, -0.1853),
        *(0.1482, 0.1430, 0.0234, 0.1501, 0.1244, -0.0036),
        *(0.0260, -0.0102, -0.1129),
    ]
).reshape(3, 3, 3)
"""A filter of block1_conv1 in Caffe's network, `[height, width, BGR]`.

It differs from itself with the axes or the channels exchanged.
"""
_TORCHVISION_FILTER = np.array(
    [
        *(-5.3474e-2, -4.9257e-2, -6.7942e-2, 1.5314e-2, 4.5068e-2, 2.1444e-3),
        *(3.6226e-2, 1.9999e-2, 1.9864e-2, 1.7015e-2, 5.5403e-2, -6.2293e-3),
        *(1.4165e-1, 2.2705e-1, 1.3758e-1, 1.2000e-1, 2.0030e-1, 9.2114e-2),
        *(-4.4885e-2, 1.2680e-2, -1.4497e-2, 5.9742e-2, 1.3955e-1, 5.4102e-2),
        *(-9.6141e-4, 5.8304e-2, -2.9663e-2),
    ]
).reshape(3, 3, 3)
"""A filter of torchvision's network, `[RGB, height, width]`."""
LEAST_COSINE = 0.99
"""Least cosine of the angle between a filter and its copy.

Copies are rounded to 16 or 8 bits, or scaled, as in `vgg_normalised`. Caffe's
and torchvision's filters have cosines below 0.73 with all of each other's.
"""
SAME_SCALE = 0.95, 1.05
"""Scales of a copy whose filters are not rescaled."""
MOST_SCALE = 30.0
"""Largest scale of a rescaled copy: a network for inputs in 0..1 has 255."""


def convert(
    layers: dict[str, LayerWeights], stated: Input | None, asked: str = "auto"
) -> tuple[dict[str, LayerWeights], tuple[float, float, float], str]:
    """Converts a network to one that takes BGR without ImageNet's mean.

    Order and scale of the channels are folded into the first kernel. The mean
    cannot be folded into the first bias, as the padding with zeros is in the
    network's own input, so a difference of means is left as an addend.

    Args:
        layers: kernel and bias by Keras layer name, as in the file.
        stated: input that the file's format implies, or None.
        asked: `auto`, or a key of INPUTS.

    Returns:
        The layers; the addend of the input of each channel, BGR, before it is
        padded; and the name of the network.

    Raises:
        WeightsError: if the input is neither known nor stated nor asked for, or
            another one is asked for than the file has.
    """
    network, order, is_turned = _recognise(layers[FIRST][0])
    taken, origin = _choose_input(network, order, stated, asked)
    if is_turned:
        layers = {
            name: (np.ascontiguousarray(kernel.transpose(1, 0, 2, 3)), bias)
            for name, (kernel, bias) in layers.items()
        }
    kernel, bias = layers[FIRST]
    scale, mean = _to_bgr(taken)
    if taken.order == "RGB":
        kernel = kernel[:, :, ::-1]
    kernel = np.float32(kernel * scale[:, np.newaxis])
    offset = IMAGENET_MEAN_BGR - mean
    offset[np.abs(offset) < 1e-3] = 0  # rounded means
    layers = layers | {FIRST: (np.ascontiguousarray(kernel), bias)}
    return layers, tuple(map(float, offset)), origin


def _choose_input(
    network: str, order: str, stated: Input | None, asked: str
) -> tuple[Input, str]:
    """Returns the input of a network, and the network's name.

    Args:
        network: CAFFE, CAFFE_RESCALED or TORCHVISION if it was recognised, else
            an empty text.
        order: order of the channels that was recognised.
        stated: as of `convert`.
        asked: as of `convert`.
    """
    key = "torchvision" if network == TORCHVISION else "caffe"
    if network and asked not in ("auto", key):
        raise WeightsError(
            f"it holds {network}. Leave out --weights_input={asked}."
        )
    if network == TORCHVISION:
        return INPUTS[key], network
    if network:
        _, (blue, green, red) = _to_bgr(stated or INPUTS[key])
        mean = (blue, green, red) if order == "BGR" else (red, green, blue)
        return Input(order, mean), network
    if asked != "auto":
        return INPUTS[asked], f"a VGG19 with {asked}'s input"
    if stated:
        return stated, f"a VGG19 with {stated.order} input, 0..255"
    raise WeightsError(
        "its network is neither Caffe's nor torchvision's VGG19, so its input"
        " is not known. Add --weights_input=caffe for BGR without the mean,"
        " 0..255, or --weights_input=torchvision for RGB, normalised by mean"
        " and deviation."
    )


def _to_bgr(taken: Input) -> tuple[np.ndarray, np.ndarray]:
    """Returns scale and mean of an input in the order BGR, float64."""
    step = 1 if taken.order == "BGR" else -1
    return np.array(taken.scale[::step]), np.array(taken.mean[::step])


def _recognise(kernel: np.ndarray) -> tuple[str, str, bool]:
    """Recognises the network of a first kernel `[3, 3, 3, 64]`.

    Returns:
        CAFFE, CAFFE_RESCALED, TORCHVISION or an empty text; the order of the
        channels; and whether the axes of height and width are exchanged.
    """
    least, most = SAME_SCALE
    ours = kernel[..., _CAFFE_NUMBER]
    for is_turned in (False, True):
        turned = ours.transpose(1, 0, 2) if is_turned else ours
        for order, step in (("BGR", 1), ("RGB", -1)):
            scale = _find_scale(turned[..., ::step], _CAFFE_FILTER)
            if least < scale < most:
                return CAFFE, order, is_turned
            if 0 < scale < MOST_SCALE:
                return CAFFE_RESCALED, order, is_turned
    theirs = kernel[..., _TORCHVISION_NUMBER].transpose(2, 0, 1)
    is_theirs = least < _find_scale(theirs, _TORCHVISION_FILTER) < most
    return (TORCHVISION if is_theirs else ""), "RGB", False


def _find_scale(values: np.ndarray, known: np.ndarray) -> float:
    """Returns the scale of a filter that is a multiple of a known one, or 0."""
    norm, known_norm = np.linalg.norm(values), np.linalg.norm(known)
    is_copy = np.vdot(values, known) > LEAST_COSINE * norm * known_norm
    return float(norm / known_norm) if is_copy else 0.0
