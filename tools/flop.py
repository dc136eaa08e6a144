"""The work of an evaluation, which measurements are compared with."""

from tfstyle.config.config import Config
from tfstyle.network.layers import CONVOLUTIONS
from tfstyle.network.layers import deepest


def count_flop(side: int, config: Config) -> int:
    """Counts the FLOP of an evaluation with direct convolutions.

    `2 * 9 C_in C_out H_l W_l` a convolution up to the deepest layer and
    `2 C C H_l W_l` a Gram product; as many again for the gradient by the input.

    Args:
        side: of the square image, pixels.
        config: names the layers.
    """
    flop, channels = 0, 3
    last = deepest((*config.content_layers, *config.style_layers))
    for layer in CONVOLUTIONS:
        positions = (side // layer.stride) ** 2
        flop += 2 * 9 * channels * layer.channels * positions
        channels = layer.channels
        if layer.name in config.style_layers:
            flop += 2 * channels * channels * positions
        if layer == last:
            break
    return 2 * flop
