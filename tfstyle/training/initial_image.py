"""The initial image of the optimisation."""

import numpy as np

from tfstyle.images.preprocessing import preprocess
from tfstyle.images.resize import resize

NOISE_DEVIATION = 20.0
"""Standard deviation of the noise, grey levels.

Notes: for a texture from a painting, 256 px, 100 evaluations, the loss was
1.65e6 from noise of deviation 1, 1.61e6 from 30 and 1.42e6 from 60; at 1 the
picture was dull, at 60 the grain of the noise was still visible.
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
        init: `noise`, Gaussian in VGG19's input space with mean 0 and standard
            deviation `NOISE_DEVIATION`; `content`; `style`; or `gray`, the mean
            of ImageNet.
        height: height of the image, pixels.
        width: width of the image, pixels.
        content: content image, uint8 `[height, width, 3]`, or None.
        style: first style image, uint8 `[H, W, 3]`, or None.
        seed: seed of the noise.

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
