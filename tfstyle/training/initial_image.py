"""Where the optimisation starts."""

import numpy as np

from tfstyle.images.preprocessing import preprocess
from tfstyle.images.resize import resize

NOISE_DEVIATION = 20.0
"""Standard deviation of the noise, grey levels.

A texture from a painting, 256 px, 100 evaluations: the loss was 1.65e6 from
noise of deviation 1, 1.61e6 from 30 and 1.42e6 from 60; at 1 the picture was
dull, at 60 the noise's grain was still seen in it.
"""


def make_initial_image(
    init: str,
    height: int,
    width: int,
    *,
    content: np.ndarray | None,
    style: np.ndarray | None,
    seed: int,
) -> np.ndarray:
    """Makes the image that the optimisation starts from.

    Args:
        init: `noise`, Gaussian in VGG19's input space, of mean 0 and deviation
            `NOISE_DEVIATION`; `content`; `style`; or `gray`, the
            mean of ImageNet.
        height: pixels.
        width: pixels.
        content: uint8 `[height, width, 3]`, or None.
        style: uint8 `[H, W, 3]`, the first, or None.
        seed: of the noise.

    Returns:
        float32 `[1, height, width, 3]`, BGR without the mean.
    """
    if init == "content":
        return preprocess(content)
    if init == "style":
        return preprocess(resize(style, height, width))
    if init == "gray":
        return np.zeros((1, height, width, 3), np.float32)
    generator = np.random.default_rng(seed)
    noise = generator.standard_normal((1, height, width, 3), np.float32)
    return noise * np.float32(NOISE_DEVIATION)
